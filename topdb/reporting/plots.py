"""Plots: each is described once; the page draws it with controls, a file shows all its panels.

A plot is rows of data and one panel of Vega-Lite that draws some of them. Colours are variables
of the page's style sheet, such as `var(--ink)`: light, dark and paper need no redrawing, and a
file has the light ones. A mark's shape and a line's dashes say the same as its colour.
"""

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from topdb.files import replacing

Row = dict[str, Any]
"""One row of a plot's data: plain values by name; a missing number is None."""
Rows = Sequence[Row]

KNOWN = (
    "baseline",
    "no-drop",
    "no-reg",
    "top-db-net",
    "bot",
    "osnet",
    "mgn",
    "pyramid",
    "pyrnet",
    "abd-net",
    "mhn",
)
"""Methods that look the same whichever others are there."""


def _polygon(*points: tuple[float, float]) -> str:
    """Return the path of a polygon in a square from -1 to 1; upwards is negative."""
    # Adding zero makes a zero of each negative one.
    return f"M{'L'.join(f'{round(x, 3) + 0.0:g},{round(y, 3) + 0.0:g}' for x, y in points)}Z"


def _regular(corners: int) -> str:
    """Return a regular polygon with a corner on top."""
    return _polygon(*(_turned((0.0, -1.0), 360.0 * corner / corners) for corner in range(corners)))


def _star(points: int, inner: float) -> str:
    """Return a star with a point on top; between two points it reaches in to `inner`."""
    radii = [-1.0, -inner] * points
    return _polygon(*(_turned((0.0, r), 180.0 * turn / points) for turn, r in enumerate(radii)))


def _cross(degrees: float) -> str:
    """Return a cross of two bars, turned by so many degrees."""
    quarter = [(-0.35, -1.0), (0.35, -1.0), (0.35, -0.35)]
    corners = [_turned(point, 90.0 * turn) for turn in range(4) for point in quarter]
    return _polygon(*(_turned(point, degrees) for point in corners))


def _turned(point: tuple[float, float], degrees: float) -> tuple[float, float]:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return point[0] * cosine - point[1] * sine, point[0] * sine + point[1] * cosine


CIRCLE = "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z"
UP = _polygon((0, -1), (1, 0.8), (-1, 0.8))
DOWN = _polygon((0, 1), (1, -0.8), (-1, -0.8))
SQUARE = _polygon((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85))
SHAPES_AND_DASHES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (CIRCLE, (1, 2)),
    (UP, (6, 3)),
    (SQUARE, (6, 2, 1, 2)),
    (_regular(4), (1, 0)),
    (DOWN, (10, 2)),
    (_cross(0.0), (6, 2, 2, 2)),
    (_polygon((1, 0), (-0.8, -1), (-0.8, 1)), (16, 4)),
    (_polygon((-1, 0), (0.8, -1), (0.8, 1)), (6, 2, 2, 2, 2, 2)),
    (_regular(5), (2, 2)),
    (_polygon((0, -1), (0.6, 0), (0, 1), (-0.6, 0)), (16, 4, 4, 4)),
    (_regular(6), (4, 2)),
    (_cross(45.0), (10, 8)),
    (_star(5, 0.4), (2, 6)),
    (_star(4, 0.35), (12, 2, 2, 2, 2, 2, 2, 2)),
    (_star(3, 0.3), (20, 6)),
    (_polygon((-1, -0.45), (1, -0.45), (1, 0.45), (-1, 0.45)), (8, 4, 8, 4, 2, 4)),
)
"""One a method, with the style sheet's `--method-0` and so on: first the known methods'."""

_SHEET = (Path(__file__).parent / "page/templates/page.css").read_text(encoding="utf-8")
LIGHT = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", _SHEET.partition("@media")[0]))
"""The style sheet's colours on a light ground, by the names of its variables."""


PAGE = 705
"""Pixels that every file is wide; in print 7.3 inches, the text of a two-column page."""
DENSITY = 5 / 3
"""Pixels of a .png for each of them."""
TALLEST = 640
"""Pixels that lines of methods may take in all; where there are many, they stand closer."""
GAP = 14
LETTER = 5.3
"""Pixels of a letter of a name, on average."""
WIDEST = 145
"""Letters of a line of text."""
MANY = 6
"""Methods from which on their lines stand closer together on the page."""
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first comes with vl-convert; a browser's own, the next two, have letters of its widths."""
INK, MUTED, RULE, GROUND = "var(--ink)", "var(--muted)", "var(--rule)", "var(--ground)"
CONTROLS = ("quantity", "ranking")
"""What the page's controls choose."""
FAR_APART = 20.0
"""How many times the least value the greatest is where a straight scale hides the small ones."""


@dataclass(frozen=True)
class Look:
    """How the marks of one thing are drawn, and what a legend calls it."""

    title: str
    colour: str
    """A variable of the style sheet."""
    shape: str = SQUARE
    """A path in a square from -1 to 1."""
    dash: tuple[int, ...] = (1, 0)
    hollow: bool = False


def looks(titles: Mapping[str, str]) -> tuple[Look, ...]:
    """Return the look of each method, given what it is called.

    Methods that are not known take what the known ones leave over, in turn.
    """
    left = len(SHAPES_AND_DASHES) - len(KNOWN)
    others = [method for method in titles if method not in KNOWN]
    found = []
    for method, title in titles.items():
        known = method in KNOWN
        turn = KNOWN.index(method) if known else len(KNOWN) + others.index(method) % left
        found.append(Look(title, f"var(--method-{turn})", *SHAPES_AND_DASHES[turn]))
    return tuple(found)


@dataclass(frozen=True)
class Plot:
    """A plot: its data, and how one panel of them is drawn."""

    title: str
    explained: str
    rows: Rows
    """Each has a `dataset` and a `method`; where it has a `quantity` or a `ranking`, the page's
    controls choose by it."""
    panel: Callable[[Rows], alt.LayerChart]
    """Returns layers without data. It is given the rows of a data set on the page, and in a file
    those that stand beside each other."""
    down: Mapping[str, Row]
    """What stands below each other in a file: by its heading, the values that its rows have."""
    across: Mapping[str, Row]
    """What stands beside each other."""
    shared: Sequence[str] = ("x",)
    """Axes that all panels of a file share. Without x, none has the x axis of another."""
    height: int = 0
    """Pixels of a panel in a file; 0: a line a method, of `line` pixels at most."""
    line: float = 16.0
    legend: Sequence[Look] = ()
    """Looks that neither an axis nor the legend of the methods tells."""
    otherwise: str = ""
    """Says why there are no rows."""


def rounded(value: float, digits: int = 3) -> float | None:
    """Return a number as a row has it."""
    return round(float(value), digits) if math.isfinite(value) else None


def logarithmic(values: Iterable[float | None]) -> bool:
    """Return whether positive values are so different that a logarithmic scale shows them."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > FAR_APART


def marks(
    looks: Sequence[Look], *channels: str, field: str = "method", named: bool = False
) -> dict[str, Any]:
    """Return the encodings that draw each look's rows in its own way; `named` in a legend."""
    kinds: dict[str, tuple[Any, list[Any]]] = {
        "color": (alt.Color, [look.colour for look in looks]),
        "stroke": (alt.Stroke, [look.colour for look in looks]),
        "fill": (alt.Fill, [GROUND if look.hollow else look.colour for look in looks]),
        "shape": (alt.Shape, [look.shape for look in looks]),
        "strokeDash": (alt.StrokeDash, [list(look.dash) for look in looks]),
    }
    titles = [look.title for look in looks]
    columns = max(1, int(PAGE / (50 + LETTER * max(map(len, titles), default=0))))
    legend = alt.Legend(title=None, columns=min(columns, max(len(titles), 1)))
    if "strokeDash" in channels:  # long enough to show the dashes
        legend.symbolType, legend.labelOffset = "M-3.2,0L3.2,0", 15
    return {
        channel: kind(
            f"{field}:N",
            legend=legend if named else None,
            scale=alt.Scale(domain=titles, range=values),
        )
        for channel, (kind, values) in kinds.items()
        if channel in channels
    }


def lines_of_methods(rows: Rows, looks: Sequence[Look]) -> alt.Y:
    """Return the encoding that gives each method with a row a line, in the order of the looks."""
    known = {row["method"] for row in rows}
    return alt.Y(
        "method:N",
        title=None,
        scale=alt.Scale(type="band", domain=[each.title for each in looks if each.title in known]),
        axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=6, labelColor=INK),
    )


def along(field: str, title: str, **scale: Any) -> alt.X:
    """Return the encoding of numbers from left to right; the line at 0 is darker."""
    colour = alt.condition("datum.value == 0", alt.value(MUTED), alt.value(RULE))
    axis = alt.Axis(tickCount=5, gridColor=colour)
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(**scale))


def curves(looks: Sequence[Look], x: alt.X, low: alt.Y, shown: list[alt.Tooltip]) -> alt.LayerChart:
    """Return each method's line of `value`, and its band from `low` to `high`."""
    base = alt.Chart().encode(x=x, tooltip=shown)
    named = marks(looks, "color", "strokeDash", named=True)
    band = base.mark_area(fillOpacity=0.2).encode(y=low, y2="high:Q", color=named["color"])
    line = base.mark_line(strokeWidth=1.6).encode(y="value:Q", **named)
    return alt.LayerChart(layer=[band, line])


def tooltip(names: Mapping[str, str], numbers: Mapping[str, str]) -> list[alt.Tooltip]:
    """Return what a pointer shows: fields with their titles; numbers have one decimal."""
    plain = [alt.Tooltip(f"{field}:N", title=title) for field, title in names.items()]
    return plain + [
        alt.Tooltip(f"{field}:Q", title=title, format=".1f") for field, title in numbers.items()
    ]


def for_page(plot: Plot, dataset: str) -> dict[str, Any] | None:
    """Return a data set's panel for the page; None where the plot has no rows of it.

    It is as wide as its place, has no legend, and a parameter for each control. Of what stands
    below each other in a file and no control chooses, it shows the first.
    """
    first = next(iter(plot.down.values()), {})
    fixed = {name: first[name] for name in first if name not in ("dataset", *CONTROLS)}
    rows = _having(plot.rows, {"dataset": dataset, **fixed})
    if not rows:
        return None
    lines = len({row["method"] for row in rows})
    chosen = [name for name in CONTROLS if name in rows[0]]
    left_out = ("dataset", *fixed)
    return {
        **_controlled(_drawn(plot.panel(rows))),
        "data": {"values": [{k: row[k] for k in row if k not in left_out} for row in rows]},
        "params": [{"name": name, "value": rows[0][name]} for name in chosen],
        "transform": [{"filter": f"datum.{name} == {name}"} for name in chosen],
        "description": f"{plot.title}. {plot.explained}",
        "width": "container",
        "height": 180 if plot.height else (30 if lines < MANY else 24) * lines + 10,
        "config": {
            **_config("system-ui, sans-serif", 11.0),
            "autosize": {"type": "fit-x", "contains": "padding"},
            "padding": {"left": 0, "top": 2, "right": 8, "bottom": 4},
        },
    }


def for_file(plot: Plot, note: str) -> dict[str, Any]:
    """Return all panels of a plot, below its title, what explains it, and a note."""
    bands = [(head, _having(plot.rows, values)) for head, values in plot.down.items()]
    bands = [(head, rows) for head, rows in bands if rows]
    lines = sum(len({row["method"] for row in rows}) for _, rows in bands)
    longest = max((len(row["method"]) for row in plot.rows), default=0)
    room = 46 if plot.height else 12 + LETTER * longest
    line = min(plot.line, TALLEST / max(lines, 1))
    size = {
        "width": int((PAGE - room - GAP * (len(plot.across) - 1)) / max(len(plot.across), 1)),
        "height": plot.height or {"step": line, "for": "position"},
    }
    charts: list[dict[str, Any]] = []
    for head, rows in bands:
        panel = _drawn(plot.panel(rows))
        if "x" in plot.shared and head != bands[-1][0]:
            _hide_axis(panel, "x")
        charts.append(
            {
                "title": {"text": head, "anchor": "start", "frame": "bounds", "fontSize": 11},
                "data": {"values": list(_by_panel(rows, plot.across))},
                "facet": {"column": _columns(list(plot.across), named=not charts)},
                "spacing": GAP,
                "spec": {**panel, **size},
                "resolve": {"scale": {} if "x" in plot.shared else {"x": "independent"}},
            }
        )
    if not charts:
        empty = {"mark": "point", "width": PAGE, "height": 1, "data": {"values": []}}
        charts.append(empty)
    explained = (plot.explained if plot.rows else plot.otherwise, note)
    subtitle = [line for text in explained for line in textwrap.wrap(text, WIDEST)]
    return {
        "title": {"text": plot.title, "subtitle": subtitle, "anchor": "start", "frame": "bounds"},
        "vconcat": charts,
        "spacing": 8,
        "resolve": {"scale": dict.fromkeys(plot.shared, "shared")},
        "config": {**_config(FONT, 9.5), "background": "white", "padding": 6},
    }


def write_plot(plot: Plot, note: str, paths: Sequence[Path]) -> None:
    """Write a plot in the format of each file's name, atomically. Equal plots give equal bytes."""
    text = re.sub(
        r"var\(--([\w-]+)\)", lambda found: LIGHT[found[1]], json.dumps(for_file(plot, note))
    )
    svg = vl_convert.vegalite_to_svg(text, allowed_base_urls=[])
    made = {
        ".svg": svg.encode,
        ".png": lambda: vl_convert.svg_to_png(svg, scale=DENSITY),
        ".pdf": lambda: _sorted(vl_convert.svg_to_pdf(svg)),
    }
    for path in paths:
        content = made[path.suffix]()
        with replacing(path) as partial:
            partial.write_bytes(content)


def _sorted(pdf: bytes) -> bytes:
    """Return a PDF whose lists of resources are in order: vl-convert writes them in any."""
    return re.sub(
        rb"(?:\n +/\w+ \d+ 0 R)+",
        lambda found: b"\n".join([b"", *sorted(found[0].split(b"\n")[1:])]),
        pdf,
    )


def _having(rows: Rows, values: Row) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def _by_panel(rows: Rows, across: Mapping[str, Row]) -> Iterator[Row]:
    """Yield the rows of each panel; one without any keeps its place by a row without a value."""
    for head, values in across.items():
        for row in _having(rows, values) or [{}]:
            yield {**row, "panel": head}


def _columns(heads: list[str], named: bool) -> dict[str, Any]:
    header = {"labels": named, "labelFontSize": 10, "labelColor": INK, "labelPadding": 4}
    field = {"field": "panel", "type": "nominal", "title": None, "sort": heads}
    return {**field, "header": header}


def _drawn(chart: alt.LayerChart) -> dict[str, Any]:
    """Return a chart's layers alone, for whatever data they are put to."""
    layers = chart.to_dict()["layer"]
    return {"layer": [{key: own[key] for key in own if key != "data"} for own in layers]}


def _controlled(panel: dict[str, Any]) -> dict[str, Any]:
    """Return layers without what the page says itself: legends, and the places of rankings."""
    for layer in panel["layer"]:
        encoding = layer["encoding"]
        if encoding.get("yOffset", {}).get("field") in CONTROLS:
            del encoding["yOffset"]
        for each in encoding.values():
            if isinstance(each, dict) and "legend" in each:
                each["legend"] = None
    return panel


def _hide_axis(panel: dict[str, Any], channel: str) -> None:
    for layer in panel["layer"]:
        if channel in layer.get("encoding", {}):
            encoding = layer["encoding"][channel]
            encoding["title"] = None
            encoding["axis"] = {**encoding.get("axis", {}), "labels": False, "ticks": False}


def _config(font: str, size: float) -> dict[str, Any]:
    """Return the look of everything that is no mark."""
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": 400,
        "labelFontSize": size,
        "titleFontSize": size,
        "labelLimit": 150,
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
    }
    title = {"color": INK, "fontSize": 13, "fontWeight": 400, "offset": 8}
    return {
        "font": font,
        "background": "transparent",
        "aria": False,
        "view": {"stroke": None},
        "axis": axis,
        "title": {**title, "subtitleColor": MUTED, "subtitleFontSize": 9.5},
        "legend": {"orient": "top", "labelFontSize": size, "labelColor": INK, "rowPadding": 4},
    }
