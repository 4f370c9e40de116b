"""Which part of the body each pixel of a drawn image shows, as DensePose's maps tell it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from topdb.drawn.figure import Brush, Ink, Point
from topdb.drawn.people import Colour

_BACK_AND_FRONT = {
    "torso": ((1, 1), (2, 2)),
    "hand": ((3, 4), (3, 4)),
    "foot": ((6, 5), (6, 5)),
    "upper leg": ((7, 8), (9, 10)),
    "lower leg": ((11, 12), (13, 14)),
    "upper arm": ((16, 15), (18, 17)),
    "lower arm": ((20, 19), (22, 21)),
    "head": ((23, 23), (23, 23)),
    "cover": ((0, 0), (0, 0)),
}
"""DensePose's numbers of a part: seen from behind and from before, each of the person's right and
left. What covers the body belongs to none."""
_RIGHT_OF_HEAD, _LEFT_OF_HEAD = 23, 24


@dataclass(frozen=True, slots=True)
class PartBrush(Brush):
    """Fills with the number of a part in place of a colour; what is of no part it leaves out."""

    behind: bool = False
    """Whether the person shows the back."""
    part: int | None = None

    def of(self, name: str, turn: int = 0) -> "PartBrush":
        """Return a brush of a part; a person's right is on the image's left, seen from before."""
        right, left = _BACK_AND_FRONT[name][not self.behind]
        return replace(self, part=right if (turn < 0) != self.behind else left)

    def fill(self, colour: Colour, *points: Point) -> None:
        """Fill a polygon."""
        if self.part is not None:
            Brush.fill(self, colour, *points)

    def oval(self, colour: Colour, centre: Point, rx: float, ry: float) -> None:
        """Fill an ellipse."""
        if self.part is not None:
            Brush.oval(self, colour, centre, rx, ry)

    def lit(self, colour: Colour) -> Ink:
        """Return the part's number, whatever the light."""
        return self.part or 0


def mapped(parts: NDArray[np.uint8], behind: bool) -> NDArray[np.uint8]:
    """Return I, U and V (height, width, 3) of a map of parts (height, width).

    U runs across what is seen of a part, from its outer side for limbs, and V down along it.
    """
    found = np.zeros((*parts.shape, 3), np.uint8)
    for part in np.unique(parts[parts > 0]):
        rows, columns = np.nonzero(parts == part)
        across, down = _share(columns), _share(rows)
        numbers = np.full(len(rows), part, np.uint8)
        if part == _RIGHT_OF_HEAD:
            numbers[(across < 0.5) == behind] = _LEFT_OF_HEAD
        left = (part in (4, 5) or part > 6) and part % 2 == (part in (5, *range(15, 22)))
        across = 1.0 - across if left else across
        found[rows, columns] = np.stack((numbers, 255 * across, 255 * down), axis=1)
    return found


def _share(places: NDArray[np.int64]) -> NDArray[np.float64]:
    low = places.min()
    shares: NDArray[np.float64] = (places - low) / max(1, places.max() - low)
    return shares
