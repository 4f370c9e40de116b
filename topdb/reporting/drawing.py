"""A plot as a chart of the page, with its controls; and as a file, with all its panels.

Both draw the same layers. The page has a chart a data set, whose axes reach as far as the others'.
"""

import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from topdb.files import replacing
from topdb.reporting.looks import LIGHT, Look
from topdb.reporting.plots import INK, LETTER, MUTED, PAGE, QUANTITY, RULE, Plot, Row, Rows

CONTROLS = ("quantity", "ranking")
"""What the page's controls choose."""
DENSITY = 5 / 3
"""Pixels of a .png for each of a file's."""
TALLEST = 640
"""Pixels that lines of methods may take in all; where there are many, they stand closer."""
GAP = 14
WIDEST = 145
"""Letters of a line of text."""
MANY = 6
"""Methods from which on their lines stand closer together on the page."""
SAMPLE, ROW = 26, 15
"""Pixels of a key's line, and from one row of the key to the next."""
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first comes with vl-convert; a browser's own, the next two, have letters of its widths."""


def for_page(plot: Plot, dataset: str) -> dict[str, Any] | None:
    """Return a data set's panel for the page; None where the plot has no rows of it.

    It is as wide as its place, has no legend, and a parameter for each control. Of what stands
    below each other in a file and no control chooses, it shows the first. Its axes reach as far as
    those of the other data sets.
    """
    first = next(iter(plot.down.values()), {})
    fixed = {name: first[name] for name in first if name not in ("dataset", *CONTROLS)}
    every = _having(plot.rows, fixed)
    rows = _having(every, {"dataset": dataset})
    if not rows:
        return None
    lines = len({row["method"] for row in rows})
    chosen = [name for name in CONTROLS if name in rows[0]]
    left_out = ("dataset", *fixed)
    return {
        **_controlled(_reaching(_drawn(plot.panel(rows)), every)),
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
    room = 64 if plot.height else 12 + LETTER * longest
    line = min(plot.line, TALLEST / max(lines, 1))
    size = {
        "width": int((PAGE - room - GAP * (len(plot.across) - 1)) / max(len(plot.across), 1)),
        "height": plot.height or {"step": line, "for": "position"},
    }
    charts: list[dict[str, Any]] = []
    for head, rows in bands:
        panel = _named(_drawn(plot.panel(rows)), rows)
        if "x" in plot.shared and head != bands[-1][0]:
            _hide_axis(panel, "x")
        charts.append(
            {
                "title": {"text": head, "anchor": "start", "frame": "bounds", "fontSize": 11},
                "data": {"values": list(_by_panel(rows, plot.across))},
                "facet": {"column": _columns(list(plot.across), named=not charts)},
                "spacing": GAP,
                "spec": {**panel, **size},
            }
        )
    if not charts:
        empty = {"mark": "point", "width": PAGE, "height": 1, "data": {"values": []}}
        charts.append(empty)
    elif plot.key:
        seen = {row["method"] for row in plot.rows}
        charts.insert(0, _key([look for look in plot.key if look.title in seen], PAGE - room))
    explained = (plot.explained if plot.rows else plot.otherwise, note)
    subtitle = [line for text in explained for line in textwrap.wrap(text, WIDEST)]
    return {
        "title": {"text": plot.title, "subtitle": subtitle, "anchor": "start", "frame": "bounds"},
        "vconcat": charts,
        "spacing": 8,
        "resolve": {"scale": dict.fromkeys(plot.shared, "shared")},
        "config": {
            **_config(FONT, 9.5),
            "axisY": {"minExtent": 26 if plot.height else 0},  # so that headings stand in line
            "background": "white",
            "padding": 6,
        },
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


def _named(panel: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """Return layers whose axes name the quantity of their rows, if it is one."""
    found = {row.get("quantity") for row in rows}
    name = f"{found.pop()} " if len(found) == 1 else ""
    for encoding in _positions(panel):
        encoding["title"] = encoding["title"].replace(QUANTITY, name)
    return panel


def _positions(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the encodings of axes with a title."""
    for layer in panel["layer"]:
        for channel in ("x", "y"):
            encoding = layer["encoding"].get(channel, {})
            if encoding.get("title"):
                yield encoding


def _reaching(panel: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """Return layers whose axes reach as far as all of the rows, quantity by quantity.

    Their titles name the chosen quantity. Vega-Lite passes such an expression on to Vega.
    """
    for encoding in _positions(panel):
        before, found, after = encoding["title"].partition(QUANTITY)
        if found:
            expression = f"{json.dumps(before)} + quantity + {json.dumps(' ' + after)}"
            encoding["axis"] = {**encoding.get("axis", {}), "title": {"signal": expression}}
            del encoding["title"]
    for channel in ("x", "y"):
        layers = [layer["encoding"] for layer in panel["layer"] if channel in layer["encoding"]]
        numbers = [each for each in layers if each[channel]["type"] == "quantitative"]
        if numbers:
            fields = {
                each[end]["field"]
                for each in numbers
                for end in (channel, f"{channel}2")
                if end in each
            }
            scale = layers[0][channel].setdefault("scale", {})
            scale |= {} if "domain" in scale else _ends(fields, rows, bool(scale.get("zero")))
    return panel


def _ends(fields: Iterable[str], rows: Rows, zero: bool) -> dict[str, Any]:
    """Return the ends of a scale of some fields, which differ by the rows' quantity."""
    found: dict[Any, list[float]] = {}
    for row in rows:
        values = [row[name] for name in fields if row.get(name) is not None]
        found.setdefault(row.get("quantity"), [0.0] * zero).extend(values)
    ends = {quantity: (min(each), max(each)) for quantity, each in found.items() if each}
    if not any(low < high for low, high in ends.values()):
        return {}
    return {
        "domainMin": _chosen({quantity: low for quantity, (low, _) in ends.items()}),
        "domainMax": _chosen({quantity: high for quantity, (_, high) in ends.items()}),
    }


def _chosen(values: Mapping[Any, float]) -> Any:
    """Return a value, or the expression that chooses that of the page's quantity."""
    *others, last = values.items()
    if not others:
        return last[1]
    listed = "".join(f"quantity == {json.dumps(name)} ? {value} : " for name, value in others)
    return {"expr": f"{listed}{last[1]}"}


def _key(looks: Sequence[Look], width: float) -> dict[str, Any]:
    """Return a chart that names each look: a line with its dashes, and the symbol upon it."""
    each = SAMPLE + 22 + LETTER * max(len(look.title) for look in looks)
    columns = max(1, int(width / each))
    down = math.ceil(len(looks) / columns)
    layers: list[dict[str, Any]] = []
    for turn, look in enumerate(looks):
        left, middle = turn // down * each, {"value": (turn % down + 0.5) * ROW}
        line = {"type": "rule", "stroke": look.colour, "strokeDash": look.dash, "strokeWidth": 1.6}
        symbol = {"type": "point", "shape": look.shape, "fill": look.colour, "size": 40}
        text = {"type": "text", "text": look.title, "align": "left", "fill": INK, "fontSize": 9.5}
        ends = {"x": {"value": left}, "x2": {"value": left + SAMPLE}, "y": middle}
        layers += [
            {"mark": line, "encoding": ends},
            {
                "mark": {**symbol, "stroke": "var(--ground)", "strokeWidth": 0.5, "opacity": 1},
                "encoding": {"x": {"value": left + SAMPLE / 2}, "y": middle},
            },
            {"mark": text, "encoding": {"x": {"value": left + SAMPLE + 6}, "y": middle}},
        ]
    return {"data": {"values": [{}]}, "width": width, "height": ROW * down, "layer": layers}


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
