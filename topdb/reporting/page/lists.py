"""The ranked lists of `examples.parquet`, as the page shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from topdb.config import Profile
from topdb.reporting.page.embedding import Shelf
from topdb.reporting.titles import Titles
from topdb.results.examples import ExampleImage, read_example_images

KINDS = {
    "best": "Highest AP",
    "worst": "Lowest AP",
    "gained": "Gained most over {reference}",
    "lost": "Lost most against {reference}",
    "rk-gained": "Gained most by re-ranking",
    "rk-lost": "Lost most by re-ranking",
}
"""What the kinds of examples are called."""


@dataclass(frozen=True)
class Tile:
    """One image of a list."""

    image: int | None
    """Its number on the shelf; None where there are names alone."""
    width: int
    height: int
    path: str
    rank: int
    right: bool | None
    """None of a query."""


@dataclass(frozen=True)
class RankedList:
    """The nearest gallery images of a query, by one run."""

    title: str
    seed: int
    seeds: int
    ap: float
    mean_ap: float
    """Both in percent."""
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Example:
    """A query with its lists."""

    query: Tile
    matches: int
    lists: tuple[RankedList, ...]


@dataclass(frozen=True)
class Gallery:
    """The examples of a data set: by kind."""

    dataset: str
    title: str
    kinds: tuple[tuple[str, tuple[Example, ...]], ...]


def read_galleries(
    path: Path, profile: Profile, reference: str, titles: Titles, shelf: Shelf
) -> tuple[Gallery, ...]:
    """Read the examples, data set by data set in the profile's order; put images on the shelf.

    Raises
    ------
    UserError
        The file is missing or broken.
    """
    return tuple(_galleries(read_example_images(path), profile, reference, titles, shelf))


def _galleries(
    rows: list[ExampleImage], profile: Profile, reference: str, titles: Titles, shelf: Shelf
) -> Iterator[Gallery]:
    for dataset in profile.datasets:
        own = [row for row in rows if row.dataset == dataset]
        kinds = []
        for kind, title in KINDS.items():
            found = groupby((r for r in own if r.kind == kind), key=lambda row: row.place)
            examples = tuple(_example(list(group), titles, shelf) for _, group in found)
            if examples:
                kinds.append((title.format(reference=titles.of(reference)), examples))
        if kinds:
            yield Gallery(dataset, profile.title(dataset), tuple(kinds))


def _example(rows: list[ExampleImage], titles: Titles, shelf: Shelf) -> Example:
    lists = []
    for (method, ranking), group in groupby(rows, key=lambda row: (row.method, row.ranking)):
        lists.append(_ranked(titles.of(method, ranking), list(group), shelf))
    query = rows[0]
    return Example(_tile(query, shelf), query.matches, tuple(lists))


def _ranked(title: str, rows: list[ExampleImage], shelf: Shelf) -> RankedList:
    first = rows[0]
    return RankedList(
        title=title,
        seed=first.seed,
        seeds=first.seeds,
        ap=100.0 * first.ap,
        mean_ap=100.0 * first.mean_ap,
        tiles=tuple(_tile(row, shelf) for row in rows[1:]),
    )


def _tile(row: ExampleImage, shelf: Shelf) -> Tile:
    return Tile(
        image=shelf.image(row.image),
        width=row.width,
        height=row.height,
        path=row.path,
        rank=row.rank,
        right=row.right,
    )
