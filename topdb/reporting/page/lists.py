"""The ranked lists of `examples.parquet`, as the page shows them."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.errors import UserError
from topdb.reporting.titles import Titles

KINDS = {
    "best": "Highest AP",
    "worst": "Lowest AP",
    "gained": "Gained most over {reference}",
    "lost": "Lost most against {reference}",
    "rk-gained": "Gained most by re-ranking",
    "rk-lost": "Lost most by re-ranking",
}
"""What the kinds of examples are called."""
_COLUMNS = {
    **dict.fromkeys(("dataset", "kind", "query", "method", "ranking", "path"), "string"),
    **dict.fromkeys(("place", "matches", "seed", "seeds", "rank", "width", "height"), "int64"),
    "ap": "double",
    "mean_ap": "double",
    "right": "bool",
    "image": "binary",
}
"""With their Arrow types; only `right` may be missing, of a query."""


@dataclass(frozen=True)
class Tile:
    """One image of a list."""

    source: str
    """A `data:` address."""
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
    path: Path, profile: Profile, reference: str, titles: Titles
) -> tuple[Gallery, ...]:
    """Read the examples, data set by data set in the profile's order.

    Raises
    ------
    UserError
        The file is missing or broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in _COLUMNS.items()])
        table = pq.ParquetFile(path).read(list(_COLUMNS)).select(list(_COLUMNS)).cast(schema)
        gaps = [name for name in _COLUMNS if name != "right" and table[name].null_count]
        if gaps:
            raise ValueError(f"{gaps[0]} is missing somewhere")
        rows = list(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}): run `topdb examples` first.") from None
    content = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return tuple(_galleries(content, profile, reference, titles))


def _galleries(
    rows: list[dict[str, Any]], profile: Profile, reference: str, titles: Titles
) -> Iterator[Gallery]:
    for dataset in profile.datasets:
        own = [row for row in rows if row["dataset"] == dataset]
        kinds = []
        for kind, title in KINDS.items():
            found = groupby((r for r in own if r["kind"] == kind), key=lambda row: row["place"])
            examples = tuple(_example(list(group), titles) for _, group in found)
            if examples:
                kinds.append((title.format(reference=titles.of(reference)), examples))
        if kinds:
            yield Gallery(dataset, profile.title(dataset), tuple(kinds))


def _example(rows: list[dict[str, Any]], titles: Titles) -> Example:
    lists = []
    for (method, ranking), group in groupby(rows, key=lambda row: (row["method"], row["ranking"])):
        lists.append(_ranked(titles.of(method, ranking), list(group)))
    query = rows[0]
    return Example(_tile(query), query["matches"], tuple(lists))


def _ranked(title: str, rows: list[dict[str, Any]]) -> RankedList:
    first = rows[0]
    return RankedList(
        title=title,
        seed=first["seed"],
        seeds=first["seeds"],
        ap=100.0 * first["ap"],
        mean_ap=100.0 * first["mean_ap"],
        tiles=tuple(_tile(row) for row in rows[1:]),
    )


def _tile(row: Mapping[str, Any]) -> Tile:
    content = base64.b64encode(row["image"]).decode()
    return Tile(
        source=f"data:image/webp;base64,{content}",
        width=row["width"],
        height=row["height"],
        path=row["path"],
        rank=row["rank"],
        right=row["right"],
    )
