"""From arrays as they come to features, people, cameras and paths as topdb takes them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.formats._columns import SIDES, Column, divided, read_columns
from topdb.formats._labels import JUNK, read_cameras, read_paths, read_people
from topdb.formats._names import Entry, Key
from topdb.formats._rows import as_features, check_pair, read_rows
from topdb.results.features import Features

_PLACES: dict[str, Literal["query", "gallery"]] = {
    "query": "query",
    "probe": "query",
    "gallery": "gallery",
    "test": "gallery",
    "bounding_box_test": "gallery",
}


def from_arrays(
    taken: Mapping[Key, Entry], num_query: int | None
) -> tuple[Features, tuple[str, ...], int, bool]:
    """Return the features, what was assumed, how many were junk, and whether there are cameras.

    Raises
    ------
    UserError
        Something is missing, or is no features, labels, cameras or paths of as many images.
    """
    notes: list[str] = []
    columns = read_columns(taken, notes)
    rows = read_rows(taken, columns, notes)
    if "all" in rows:
        query = _queries(rows["all"], taken, columns, num_query)
        rows = {"query": _part(rows["all"], query), "gallery": _part(rows["all"], ~query)}
        columns = divided(columns, query)
    elif num_query is not None and num_query != len(rows["query"].values):
        raise UserError(
            f"{rows['query'].entry} has {len(rows['query'].values)} queries, and {num_query} were "
            "asked for: leave the number out."
        )
    else:
        first = np.arange(sum(len(each.values) for each in rows.values()))
        columns = divided(columns, first < len(rows["query"].values))
    for side in SIDES:
        _check_lengths(side, rows, columns)
    paths = read_paths(rows, columns, notes)
    people = read_people(rows, columns, paths, notes)
    cameras = read_cameras(rows, columns, paths, notes)
    kept = {side: people[side] != JUNK for side in SIDES}
    junk = 0
    for side in SIDES:
        out = int((~kept[side]).sum())
        junk += out
        if out == len(kept[side]):
            raise UserError(
                f"{rows[side].entry}: all {out} images of the {side} are person {JUNK}, junk: "
                "write their people's numbers."
            )
        if out and side == "query":
            notes.append(f"Of the junk left out, {out} images are queries.")
    arrays: dict[str, Any] = {}
    for side in SIDES:
        keep = kept[side]
        arrays[f"{side}_features"] = as_features(rows[side], keep, notes)
        arrays[f"{side}_pids"] = people[side][keep]
        arrays[f"{side}_camids"] = (
            np.zeros(int(keep.sum()), np.int64) if cameras is None else cameras[side][keep]
        )
        arrays[f"{side}_paths"] = paths[side][keep]
    check_pair(rows, arrays)
    return Features(**arrays), tuple(dict.fromkeys(notes)), junk, cameras is not None


def _part(rows: Column, chosen: NDArray[np.bool_]) -> Column:
    return Column(rows.entry, rows.values[chosen])


def _queries(
    rows: Column,
    taken: Mapping[Key, Entry],
    columns: Mapping[Key, Column],
    num_query: int | None,
) -> NDArray[np.bool_]:
    """Return (N,) whether an image of one list is a query."""
    images = len(rows.values)
    given = taken.get(("all", "num_query"))
    own = columns.get(("query", "pids"))
    if num_query is None and given is not None:
        num_query = _whole(given)
    if num_query is None and own is not None:
        num_query = len(own.values)
    if num_query is not None:
        if not 0 < num_query < images:
            raise UserError(
                f"{rows.entry} has {images} images, and {num_query} of them cannot be queries: "
                "correct num_query."
            )
        return np.arange(images) < num_query
    for role in ("split", "paths"):
        key: Any = ("all", role)
        column = columns.get(key)
        if column is not None and len(column.values) == images and column.values.dtype.kind == "U":
            found = _by_places(column.values.tolist())
            if found is not None:
                return found
    raise UserError(
        f"{rows.entry} has {images} images in one list, and nothing says which are queries: save "
        "num_query, the number of queries that come first, beside them."
    )


def _by_places(texts: Sequence[str]) -> NDArray[np.bool_] | None:
    """Return whether each text names the folder, or the split, of the queries."""
    sides = []
    for text in texts:
        found = {_PLACES[part] for part in re.split(r"[/\\]", text.lower()) if part in _PLACES}
        if len(found) != 1:
            return None
        sides.append(found.pop() == "query")
    query = np.array(sides)
    return query if query.any() and not query.all() else None


def _whole(entry: Entry) -> int:
    value = np.asarray(entry.value)
    if value.size == 1 and value.dtype.kind == "U" and re.fullmatch(r"\d{1,9}", value.item()):
        value = value.astype(np.int64)
    if value.size != 1 or value.dtype.kind not in "iuf" or float(value.item()) % 1:
        raise UserError(f"{entry} is no whole number: write the number of queries.")
    return int(value.item())


def _check_lengths(side: str, rows: Mapping[str, Column], columns: Mapping[Key, Column]) -> None:
    images = len(rows[side].values)
    for (own, _), each in columns.items():
        if own == side and len(each.values) != images:
            raise UserError(
                f"{rows[side].entry} has {images} rows (shape {rows[side].values.shape}) and "
                f"{each.entry} {len(each.values)} values: write one of each an image."
            )
