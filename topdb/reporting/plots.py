"""Plots: each is described once, as rows of data and one panel that draws some of them.

`drawing` makes a chart of the page of it, or a file.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from topdb.reporting.looks import Look

Row = dict[str, Any]
"""One row of a plot's data: plain values by name; a missing number is None."""
Rows = Sequence[Row]

PAGE = 705
"""Pixels that every file is wide; in print 7.3 inches, the text of a two-column page."""
LETTER = 5.3
"""Pixels of a letter of a name, on average."""
INK, MUTED, RULE, GROUND = "var(--ink)", "var(--muted)", "var(--rule)", "var(--ground)"
QUANTITY = "{quantity} "
"""In an axis' title: the quantity of the rows that are drawn; nothing where there are several."""
MARKED = 5
"""Symbols of a curve, at most."""
FAR_APART = 20.0
"""How many times the least value the greatest is where a straight scale hides the small ones."""


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
    """Axes that all panels share. Data sets always do, those beside each other too."""
    height: int = 0
    """Pixels of a panel in a file; 0: a line a method, of `line` pixels at most."""
    line: float = 16.0
    key: Sequence[Look] = ()
    """Looks of the methods, where no axis names them."""
    legend: Sequence[Look] = ()
    """Looks that neither an axis nor the key tells."""
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
    """Return each method's line of `value`, and its band from `low` to `high`.

    Rows with a true `symbol` have the method's on its line.
    """
    base = alt.Chart().encode(x=x, tooltip=shown)
    named = marks(looks, "color", "strokeDash")
    band = base.mark_area(fillOpacity=0.15).encode(y=low, y2="high:Q", color=named["color"])
    line = base.mark_line(strokeWidth=1.4).encode(y="value:Q", **named)
    symbol = base.mark_point(size=30, strokeWidth=0.5, opacity=1, stroke=GROUND)
    filled = symbol.encode(y="value:Q", **marks(looks, "fill", "shape"))
    return alt.LayerChart(layer=[band, line, filled.transform_filter("datum.symbol")])


def has_symbol(place: int, turn: int, length: int) -> bool:
    """Return whether a method's symbol stands at a place of its curve, which has so many.

    The methods' turns shift them, so that one curve does not hide another's.
    """
    return (place + turn) % max(1, math.ceil(length / MARKED)) == 0


def tooltip(names: Mapping[str, str], numbers: Mapping[str, str]) -> list[alt.Tooltip]:
    """Return what a pointer shows: fields with their titles; numbers have one decimal."""
    plain = [alt.Tooltip(f"{field}:N", title=title) for field, title in names.items()]
    return plain + [
        alt.Tooltip(f"{field}:Q", title=title, format=".1f") for field, title in numbers.items()
    ]
