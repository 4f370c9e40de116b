"""Images that a data set holds twice: where they decide on a score, and how many there are."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from topdb.datasets.index import Index
from topdb.datasets.records import SPLITS, Split

Side = Literal["train_test", "within_train", "within_test"]

SHOWN = 3
"""Pairs that a sentence names."""

_Found = tuple[Side, str]

_TRAINED: _Found = ("train_test", "images of train are in query or gallery, too")
_TWO_TRAINED: _Found = ("within_train", "images of train are of two people or more")
_TWO_TESTED: _Found = ("within_test", "images of query and gallery are of two people or more")
_SEARCHED: _Found = (
    "within_test",
    "query images are in the gallery under another camera of the same person, too",
)


@dataclass(frozen=True)
class Leak:
    """Copies of images where none belong."""

    side: Side
    """Where it is: between train and test, or within one of them."""
    what: str
    pairs: tuple[tuple[str, str], ...]
    """The path of each such image, and that of a copy."""

    @property
    def sentence(self) -> str:
        """How many there are, and where."""
        named = "; ".join(f"{first} and {second}" for first, second in self.pairs[:SHOWN])
        more = len(self.pairs) - SHOWN
        rest = f"; {more:,} more" if more > 0 else ""
        return f"{len(self.pairs):,} {self.what} ({named}{rest})"


def find_leaks(index: Index) -> list[Leak]:
    """Return the copies that decide on a score, or that say two things of one image.

    Images are copies where they have the same size and pixels; in an index of format 2, where their
    files have the same SHA-256. Copies of one person are no leak in train, in the gallery, and
    under the camera of a query, where no evaluation counts them.
    """
    pairs: dict[_Found, list[tuple[str, str]]] = defaultdict(list)
    for rows in _copies(index):
        for found, row, copy in _leaking(index, rows):
            pairs[found].append((index.paths[row], index.paths[copy]))
    return [Leak(side, what, tuple(each)) for (side, what), each in sorted(pairs.items())]


def duplicates(index: Index) -> dict[Split, int]:
    """Return how many images of each split are copies of an earlier one of that split."""
    counts = dict.fromkeys(SPLITS, 0)
    for rows in _copies(index):
        splits = [index.splits[row] for row in rows]
        for split in set(splits):
            counts[split] += splits.count(split) - 1
    return counts


def _copies(index: Index) -> list[list[int]]:
    """Return the rows of each image that is there more than once, in the order of the index."""
    rows: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    sizes = index.widths.tolist(), index.heights.tolist()
    for row, image in enumerate(zip(*sizes, index.pixels or index.sha256s, strict=True)):
        rows[image].append(row)
    return [each for each in rows.values() if len(each) > 1]


def _leaking(index: Index, rows: list[int]) -> Iterator[tuple[_Found, int, int]]:
    """Yield what is wrong, with which row, and a copy of it; linear in the number of copies."""
    trained = [row for row in rows if index.splits[row] == "train"]
    tested = rows[len(trained) :]
    for row in trained if tested else ():
        yield _TRAINED, row, tested[0]
    for found, same in (_TWO_TRAINED, trained), (_TWO_TESTED, tested):
        others = [row for row in same if index.pids[row] != index.pids[same[0]]]
        for row in same if others else ():
            yield found, row, others[0] if index.pids[row] == index.pids[same[0]] else same[0]
    gallery: dict[int, dict[int, int]] = defaultdict(dict)
    for row in tested:
        if index.splits[row] == "gallery":
            gallery[index.pids[row]][index.camids[row]] = row
    for row in tested:
        cameras = gallery.get(index.pids[row], {}) if index.splits[row] == "query" else {}
        copy = next((each for camera, each in cameras.items() if camera != index.camids[row]), None)
        if copy is not None:
            yield _SEARCHED, row, copy
