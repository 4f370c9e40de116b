"""The marks of the methods, as SVG paths in a square from -1 to 1: of the charts and the legend."""

import math
from collections.abc import Sequence

Point = tuple[float, float]


def _path(points: Sequence[Point]) -> str:
    """Return the path of a polygon; upwards is negative, as on a screen."""
    # Adding zero makes a zero of each negative one.
    corners = (f"{round(x, 3) + 0.0:g},{round(y, 3) + 0.0:g}" for x, y in points)
    return f"M{'L'.join(corners)}Z"


def _polygon(corners: int) -> str:
    """Return a regular polygon with a corner on top."""
    return _path([_at(360.0 * corner / corners, 1.0) for corner in range(corners)])


def _star(points: int, inner: float) -> str:
    """Return a star with a point on top; between two points it reaches in to `inner`."""
    return _path(
        [_at(180.0 * corner / points, inner if corner % 2 else 1.0) for corner in range(2 * points)]
    )


def _at(degrees: float, radius: float) -> Point:
    angle = math.radians(degrees)
    return radius * math.sin(angle), -radius * math.cos(angle)


def _cross(turn: float) -> str:
    """Return a cross of two bars, turned by so many degrees."""
    arm = 0.35
    corners = [(-arm, -1.0), (arm, -1.0), (arm, -arm), (1.0, -arm), (1.0, arm), (arm, arm)]
    corners += [(arm, 1.0), (-arm, 1.0), (-arm, arm), (-1.0, arm), (-1.0, -arm), (-arm, -arm)]
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    return _path([(x * cosine - y * sine, x * sine + y * cosine) for x, y in corners])


SHAPES = (
    "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z",
    _path([(0, -1), (1, 0.8), (-1, 0.8)]),
    _path([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
    _polygon(4),
    _path([(0, 1), (1, -0.8), (-1, -0.8)]),
    _cross(0.0),
    _path([(1, 0), (-0.8, -1), (-0.8, 1)]),
    _path([(-1, 0), (0.8, -1), (0.8, 1)]),
    _polygon(5),
    _path([(0, -1), (0.6, 0), (0, 1), (-0.6, 0)]),
    _polygon(6),
    _cross(45.0),
    _star(5, 0.4),
    _star(4, 0.35),
    _star(3, 0.3),
    _path([(-1, -0.45), (1, -0.45), (1, 0.45), (-1, 0.45)]),
)
"""One a look, in the order of `topdb.reporting.turns`."""
