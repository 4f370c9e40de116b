"""Plots: each is described once; the page draws it with controls, a file shows all its panels.

A plot is rows of data and one panel of Vega-Lite that draws some of them. Colours are variables of
the page's style sheet, such as `var(--ink)`: light, dark and paper need no redrawing, and a file has
the light ones. A mark's shape and a line's dashes say the same as its colour.
"""

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from topdb.errors import UserError
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
    """Return the path of a polygon in a square from -1 to 1; upwards is negative, as on a screen."""
    # Adding zero makes a zero of each negative one.
    return f"M{'L'.join(f'{round(x, 3) + 0.0:g},{round(y, 3) + 0.0:g}' for x, y in points)}Z"


def _star(points: int, inner: float) -> str:
    """Return a star with a point on top; between two points it reaches in to `inner`."""
    turns = [(math.pi * corner / points, inner if corner % 2 else 1.0) for corner in range(2 * points)]
    return _polygon(*((r * math.sin(angle), -r * math.cos(angle)) for angle, r in turns))


def _regular(corners: int) -> str:
    """Return a regular polygon with a corner on top."""
    return _star(corners, math.cos(math.pi / corners))


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
    """Each has a `dataset`; the page's controls choose by `quantity` and `ranking`, where a row has
    them."""
    panel: Callable[[Rows], Any]
    """Returns layers without data. It is given the rows of a data set on the page, and in a file
    those that stand beside each other."""
    down: Mapping[str, Row]
    """What stands below each other in a file: by its heading, the values that its rows have."""
    across: Mapping[str, Row]
    """What stands beside each other."""
    shared: str = "x"
    """Scales that all panels share; without x none does, not even beside each other."""
    height: int = 0
    """Pixels of a panel of a file; 0: a line a method, of `step` pixels at most."""
    step: float = 16.0
    legend: tuple[Look, ...] = ()
    """What the marks mean where the axes do not say it."""
    otherwise: str = ""
    """Says why there are no rows."""


PAGE = 720
"""Pixels that every file is wide; in print 7.5 inches, the text of a two-column page."""
SCALE = 5 / 3
"""Pixels of a .png for each of them."""
TALLEST = 640
"""Pixels that lines of methods may take in all; where there are many, they stand closer."""
LETTER = 5.2
"""Pixels of a letter of a name, on average."""
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first comes with vl-convert; a browser's other two have letters of the same width."""
FAR_APART = 20.0
"""How many times the least value the greatest is where a straight scale hides the small ones."""
SWITCHES = ("quantity", "ranking")
"""What the page's controls choose."""


def logarithmic(values: Iterable[float | None]) -> bool:
    """Return whether positive values are so different that a logarithmic scale shows them."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > FAR_APART


def rounded(value: float, digits: int = 3) -> float | None:
    """Return a number as a row has it."""
    return round(value, digits) if math.isfinite(value) else None


def marks(given: Sequence[Look], *channels: str, field: str = "method") -> Row:
    """Return the encodings that draw each look's rows in its own way.

    Their legend names lines by their dashes, and marks by their shapes.
    """
    ranges = {
        "color": [look.colour for look in given],
        "stroke": [look.colour for look in given],
        "fill": ["var(--ground)" if look.hollow else look.colour for look in given],
        "shape": [look.shape for look in given],
        "strokeDash": [list(look.dash) for look in given],
    }
    kinds = {
        "color": alt.Color,
        "stroke": alt.Stroke,
        "fill": alt.Fill,
        "shape": alt.Shape,
        "strokeDash": alt.StrokeDash,
    }
    longest = max((len(look.title) for look in given), default=0)
    columns = max(1, int(PAGE / (50 + LETTER * longest)))
    lines = {"symbolType": "M-3,0L3,0", "labelOffset": 14} if "strokeDash" in channels else {}
    legend = alt.Legend(title=None, columns=min(columns, len(given) or 1), **lines)
    titles = [look.title for look in given]
    return {
        channel: kinds[channel](
            f"{field}:N", legend=legend, scale=alt.Scale(domain=titles, range=ranges[channel])
        )
        for channel in channels
    }


def unnamed(encodings: Row) -> Row:
    """Return encodings without a legend, where the axes name what is drawn."""
    return {channel: each.copy() for channel, each in encodings.items() if not setattr(each, "legend", None)}
