"""`examples.parquet`: the images of the page's ranked lists, a row each."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa

from topdb.errors import UserError
from topdb.results.seals import read_sealed_table, write_sealed_table

_TYPES: dict[Any, str] = {
    str: "string",
    int: "int64",
    float: "double",
    bool | None: "bool",
    bytes: "binary",
}


@dataclass(frozen=True)
class ExampleImage:
    """One image of a list: the query itself, at rank 0, or one of its nearest."""

    dataset: str
    kind: str
    """`best`, `worst`, `gained`, `lost`, `rk-gained` or `rk-lost`."""
    place: int
    """From 1 within the kind."""
    query: str
    """Its path."""
    matches: int
    """Of the query, in the gallery."""
    method: str
    ranking: str
    seed: int
    """Whose list it is."""
    seeds: int
    """Number of runs."""
    ap: float
    """Of that seed, a fraction."""
    mean_ap: float
    """Over the seeds."""
    rank: int
    path: str
    right: bool | None
    """None of a query."""
    width: int
    height: int
    image: bytes
    """WebP."""


_FIELDS = get_type_hints(ExampleImage)
_SCHEMA = pa.schema([(name, pa.type_for_alias(_TYPES[kind])) for name, kind in _FIELDS.items()])


def write_example_images(path: Path, images: Iterable[ExampleImage]) -> None:
    """Write the file, atomically, with its digest."""
    table = pa.Table.from_pylist([asdict(each) for each in images], _SCHEMA)
    write_sealed_table(path, table, compression="zstd")


def read_example_images(path: Path) -> list[ExampleImage]:
    """Read the file, whoever wrote it.

    Raises
    ------
    UserError
        It is missing or broken, was changed, or lacks a column or a value.
    """
    names = list(_FIELDS)
    try:
        table, _ = read_sealed_table(path, "run `topdb examples` again.")
        table = table.select(names).cast(_SCHEMA)
        gaps = [name for name in names if name != "right" and table[name].null_count]
        if gaps:
            raise ValueError(f"{gaps[0]} is missing somewhere")
        rows = zip(*(table[name].to_pylist() for name in names), strict=True)
        return [ExampleImage(*row) for row in rows]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}): run `topdb examples` first.") from None
