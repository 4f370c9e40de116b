"""How methods look in plots: each has one colour, shape and dash, whichever others are there.

Colours are variables of the page's style sheet, such as `var(--ink)`: light, dark and paper need no
redrawing, and a file has the light ones. Sixteen colours cannot be told apart with every vision or
in grey, so a mark's shape and a line's dashes say the same as its colour.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    "auto-reid-style",
    "densem-style",
    "sona-style",
)
"""Methods by the turn of their look; others come behind."""


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
    (_regular(5), (4, 4)),
    (_polygon((0, -1), (0.6, 0), (0, 1), (-0.6, 0)), (16, 4, 4, 4)),
    (_polygon((-1, -1), (1, -1), (-1, 1), (1, 1)), (4, 2)),
    (_cross(45.0), (10, 8)),
    (_star(5, 0.45), (2, 6)),
    (_star(4, 0.42), (12, 2, 2, 2, 2, 2, 2, 2)),
    (_star(3, 0.35), (20, 6)),
    (_polygon((-1, -0.45), (1, -0.45), (1, 0.45), (-1, 0.45)), (8, 4, 8, 4, 2, 4)),
)
"""One a turn, with the style sheet's `--method-0` and so on."""

_SHEET = (Path(__file__).parent / "page/templates/page.css").read_text(encoding="utf-8")
LIGHT = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", _SHEET.partition("@media")[0]))
"""The style sheet's colours on a light ground, by the names of its variables."""


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


def looks(titles: Mapping[str, str], own: Sequence[str] = ()) -> tuple[Look, ...]:
    """Return the look of each method, given what it is called.

    own: names of all methods at hand, whichever are shown. By their place among those that are not
    known they take the turns behind the known ones'.
    """
    others = [method for method in dict.fromkeys([*own, *titles]) if method not in KNOWN]
    turns = {method: turn for turn, method in enumerate([*KNOWN, *others])}
    return tuple(_look(title, turns[method]) for method, title in titles.items())


def _look(title: str, turn: int) -> Look:
    """Return a turn's look: of sixteen on end, no two have anything in common.

    Each further round has the same colours with other shapes and dashes, so that any two of 128
    turns have at most one of the three in common.
    """
    many = len(SHAPES_AND_DASHES)
    colour, turned = turn % many, turn // many
    shape = SHAPES_AND_DASHES[(colour + 3 * turned) % many][0]
    dash = SHAPES_AND_DASHES[(colour + 9 * turned) % many][1]
    return Look(title, f"var(--method-{colour})", shape, dash)
