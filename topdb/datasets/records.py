"""What a layout's reader says about one image, and the field's reserved person ids."""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "query", "gallery"]

SPLITS: tuple[Split, ...] = ("train", "query", "gallery")
"""The splits in the order in which an index lists them."""

DISTRACTOR = 0
"""Person id of a gallery image that shows nobody of the test people."""

JUNK = -1
"""Person id of a badly cut image, which the protocol tells evaluations to ignore."""


@dataclass(frozen=True)
class Counts:
    """How much a split holds. Distractors count as images, and not as people."""

    images: int
    people: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Published:
    """What a data set's authors, or the field's toolkits, say that a split holds."""

    people: int
    images: int | None
    """None where nobody states it."""
    cameras: int


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data set.

    `path` is relative to the data set's root, with forward slashes. `pid` is the person id: equal
    for two images if and only if they show the same person, in whichever split; `DISTRACTOR` and
    `JUNK` are reserved. `camid` counts cameras from 0.
    """

    split: Split
    path: str
    pid: int
    camid: int
