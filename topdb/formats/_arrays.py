"""From arrays as they come to features, people, cameras and paths as topdb takes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.formats._names import Entry, Key, Role
from topdb.formats._start import shown
from topdb.results.evaluation import numbered
from topdb.results.features import Features

JUNK = -1
"""The number of images that show nobody well; they are left out."""
_LONGEST = 4096
"""Letters of a path."""
_IN_A_NAME = re.compile(r"(?:.*[/\\])?(-1|\d+)_c(\d+)(?!\d)[^/\\]*", re.DOTALL)
"""Person and camera in the name of a file, as Market-1501 and DukeMTMC-reID have them."""
_PLACES: dict[str, Literal["query", "gallery"]] = {
    "query": "query",
    "probe": "query",
    "gallery": "gallery",
    "test": "gallery",
    "bounding_box_test": "gallery",
}
Sides = tuple[Literal["query"], Literal["gallery"]]
SIDES: Sides = ("query", "gallery")


@dataclass(frozen=True, eq=False)
class Column:
    """One value an image, and the array that it came in."""

    entry: Entry
    values: NDArray[Any]


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
    columns = _columns(taken, notes)
    rows = _rows(taken, columns, notes)
    if "all" in rows:
        query = _queries(rows["all"], taken, columns, num_query)
        rows = {"query": _part(rows["all"], query), "gallery": _part(rows["all"], ~query)}
        columns = _divide(columns, query)
    elif num_query is not None and num_query != len(rows["query"].values):
        raise UserError(
            f"{rows['query'].entry} has {len(rows['query'].values)} queries, and {num_query} were "
            "asked for: leave the number out."
        )
    else:
        first = np.arange(sum(len(each.values) for each in rows.values()))
        columns = _divide(columns, first < len(rows["query"].values))
    for side in SIDES:
        _check_lengths(side, rows, columns)
    paths = _paths(rows, columns, notes)
    people = _people(rows, columns, paths, notes)
    cameras = _cameras(rows, columns, paths, notes)
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
        arrays[f"{side}_features"] = _features(rows[side], keep, notes)
        arrays[f"{side}_pids"] = people[side][keep]
        arrays[f"{side}_camids"] = (
            np.zeros(int(keep.sum()), np.int64) if cameras is None else cameras[side][keep]
        )
        arrays[f"{side}_paths"] = paths[side][keep]
    _check_pair(rows, arrays)
    return Features(**arrays), tuple(dict.fromkeys(notes)), junk, cameras is not None


# ---- columns: one value an image ---------------------------------------------------------------


def _columns(taken: Mapping[Key, Entry], notes: list[str]) -> dict[Key, Column]:
    return {
        key: Column(each, _column(each, notes))
        for key, each in taken.items()
        if key[1] in ("pids", "camids", "paths", "split")
    }


def _column(entry: Entry, notes: list[str]) -> NDArray[Any]:
    """Return (N,) numbers or texts, from an array, or a list of values, arrays or batches."""
    value = entry.value
    if isinstance(value, list | tuple):
        parts = [_flat(entry, each) for each in value]
        kinds = {part.dtype.kind for part in parts}
        if kinds & set("US") and not kinds <= set("US"):
            raise UserError(f"{entry} mixes texts and numbers: write one kind.")
        array: Any = np.array(list(chain.from_iterable(part.tolist() for part in parts)))
        if array.ndim != 1:
            array = np.zeros(0)
    else:
        array = np.asarray(value)
        if array.ndim == 2 and 1 in array.shape and array.size > 1:
            notes.append("Labels of the shape (1, N) or (N, 1) were read as N values.")
        elif array.ndim > 1 and array.size != max(array.shape):
            raise UserError(f"{entry} has the shape {array.shape}: write one value an image.")
        array = array.ravel()
    if array.size == 0:
        raise UserError(f"{entry} is empty: write one value an image.")
    if array.dtype.kind == "S":
        array = np.array([each.decode("utf-8", "replace") for each in array.tolist()])
    if array.dtype.kind not in "fiuU":
        told = {"b": "true and false", "c": "complex numbers", "M": "dates", "O": "objects"}
        raise UserError(
            f"{entry} holds {told.get(array.dtype.kind, array.dtype)}: write whole numbers or "
            "texts, one an image."
        )
    if array.dtype.kind == "U" and array.dtype.itemsize > 4 * _LONGEST:
        raise UserError(f"{entry} holds a text of over {_LONGEST} letters: write paths.")
    column: NDArray[Any] = array
    return column


def _flat(entry: Entry, value: Any) -> NDArray[Any]:
    """Return one entry of a list as a flat array; a text may be as long as a path, no longer."""
    if isinstance(value, str | bytes) and len(value) > _LONGEST:
        raise UserError(f"{entry} holds a text of over {_LONGEST} letters: write paths.")
    if isinstance(value, list | tuple):
        parts = [_flat(entry, each) for each in value]
        return np.concatenate(parts) if parts else np.zeros(0)
    array = np.asarray(value)
    if array.dtype == object:
        raise UserError(f"{entry} holds objects: write whole numbers or texts, one an image.")
    return array.ravel()


def _divide(columns: Mapping[Key, Column], query: NDArray[np.bool_]) -> dict[Key, Column]:
    """Return the columns side by side, those of all images cut in two."""
    found: dict[Key, Column] = {}
    for (side, role), each in columns.items():
        if side != "all":
            found[side, role] = each
    for (side, role), each in columns.items():
        if side == "all" and role != "split":
            if len(each.values) != len(query):
                raise UserError(
                    f"{each.entry} has {len(each.values)} values for {len(query)} images: write "
                    "one value an image."
                )
            for own, chosen in (("query", query), ("gallery", ~query)):
                key: Any = (own, role)
                found.setdefault(key, Column(each.entry, each.values[chosen]))
    return found


# ---- features ----------------------------------------------------------------------------------


def _rows(
    taken: Mapping[Key, Entry], columns: Mapping[Key, Column], notes: list[str]
) -> dict[str, Column]:
    """Return the features of query and gallery, or of all images, a row an image."""
    sides = [side for side in SIDES if (side, "features") in taken]
    if len(sides) == 1 and ("all", "features") not in taken:
        other = "gallery" if sides == ["query"] else "query"
        raise UserError(
            f"{taken[sides[0], 'features']} holds features of the {sides[0]}, and nothing holds "
            f"those of the {other}: name the file that holds them, too."
        )
    names: list[Any] = sides if len(sides) == 2 else ["all"]
    found = {name: Column(entry := taken[name, "features"], _stack(entry)) for name in names}
    images = {name: _images(name, found, columns) for name in names}
    turned = {name: _is_turned(found[name].values, images[name]) for name in names}
    for name in names:
        rows, entry = found[name].values, found[name].entry
        square = turned[name] is None and rows.ndim == 2 and rows.shape == (images[name],) * 2
        if turned[name] or (square and any(turned.values())):
            notes.append(
                f"{shown(entry.name or entry.file.name)} has the shape {rows.shape} for "
                f"{images[name]} images and was transposed."
            )
            found[name] = Column(entry, rows.T)
    return found


def _images(name: str, rows: Mapping[str, Column], columns: Mapping[Key, Column]) -> int | None:
    """Return how many images the labels, or else cameras or paths, of a side say there are."""
    roles: tuple[Role, ...] = ("pids", "camids", "paths", "split")
    for role in roles:
        own: Any = (name, role)
        if own in columns:
            return len(columns[own].values)
    return None


def _is_turned(rows: NDArray[Any], images: int | None) -> bool | None:
    """Whether the features are (D, N); None where nothing tells."""
    if images is None or rows.ndim != 2 or rows.shape[0] == rows.shape[1]:
        return None
    return bool(rows.shape[0] != images and rows.shape[1] == images)


def _stack(entry: Entry) -> NDArray[Any]:
    """Return (N, D) or (N, parts, D) numbers, from an array, or a list of rows or batches."""
    value = entry.value
    if isinstance(value, list | tuple):
        parts = [np.asarray(each) for each in value]
        if not parts:
            raise UserError(f"{entry} is empty: write one row an image.")
        single = all(part.ndim < 2 for part in parts)
        if len({part.shape if single else part.shape[1:] for part in parts}) > 1:
            raise UserError(f"{entry} holds rows of different lengths: write one row an image.")
        array: Any = np.stack(parts) if single else np.concatenate(parts)
    else:
        array = np.asarray(value)
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 1 and array.dtype.kind in "fiub" and array.size:
        array = array[None]
    if array.dtype.kind not in "fiub":
        told = {"c": "complex numbers", "O": "objects", "U": "texts", "S": "texts", "M": "dates"}
        raise UserError(
            f"{entry} holds {told.get(array.dtype.kind, array.dtype)}: write real numbers, one row "
            "an image."
        )
    if array.ndim not in (2, 3):
        raise UserError(
            f"{entry} has the shape {array.shape}: write one row an image, (N, D), or (N, parts, "
            "D)."
        )
    if array.size == 0:
        raise UserError(f"{entry} is empty (shape {array.shape}): write one row an image.")
    rows: NDArray[Any] = array
    return rows


def _features(rows: Column, keep: NDArray[np.bool_], notes: list[str]) -> NDArray[np.float32]:
    """Return the rows that are kept, as finite float32 in the machine's order of bytes."""
    values = rows.values if keep.all() else rows.values[keep]
    _check_finite(rows.entry, values, np.flatnonzero(keep), "holds NaN or an infinite value")
    with np.errstate(over="ignore"):
        single = np.require(values, np.float32, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"])
    _check_finite(
        rows.entry, single, np.flatnonzero(keep), "holds a number too large for float32", "scale"
    )
    kind = values.dtype.newbyteorder("=")
    if values.dtype.kind == "b" or (values.dtype.kind in "fiu" and kind != np.float32):
        same = bool(np.array_equal(single, values))
        loss = "nothing was lost" if same else "digits beyond its precision were lost"
        name = shown(rows.entry.name or rows.entry.file.name)
        notes.append(f"{name} is {kind} and was read as float32; {loss}.")
    return single


def _check_finite(
    entry: Entry,
    values: NDArray[Any],
    numbers: NDArray[np.int64],
    wrong: str,
    do: Literal["scale", "find"] = "find",
) -> None:
    if values.dtype.kind != "f":
        return
    # Sums of float64 are finite where all of their float32 are, and need no second matrix.
    with np.errstate(all="ignore"):
        sums = values.sum(axis=tuple(range(1, values.ndim)), dtype=np.float64)
    doubtful = np.flatnonzero(~np.isfinite(sums))
    bad = [row for row in doubtful if not np.isfinite(values[row]).all()]
    if not bad:
        return
    more = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
    remedy = {
        "scale": "scale the features down",
        "find": "find out why the network gave it, or leave the image out",
    }
    raise UserError(f"{entry} row {numbers[bad[0]]}{more} {wrong}: {remedy[do]}.")


def _check_pair(rows: Mapping[str, Column], arrays: Mapping[str, Any]) -> None:
    query, gallery = arrays["query_features"].shape[1:], arrays["gallery_features"].shape[1:]
    if query != gallery:
        raise UserError(
            f"{rows['query'].entry} has {_dimensions(query)} and {rows['gallery'].entry} "
            f"{_dimensions(gallery)}: extract both with the same network."
        )


def _dimensions(shape: Sequence[int]) -> str:
    return (
        f"{shape[0]} parts of {shape[1]} dimensions"
        if len(shape) == 2
        else (f"{shape[0]} dimensions")
    )


# ---- sides -------------------------------------------------------------------------------------


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


# ---- people, cameras, paths --------------------------------------------------------------------


def _paths(
    rows: Mapping[str, Column], columns: Mapping[Key, Column], notes: list[str]
) -> dict[str, NDArray[Any]]:
    """Return the paths, in texts; where there are none, a side and a number, from 1."""
    found: dict[str, NDArray[Any]] = {}
    for side in SIDES:
        own = columns.get((side, "paths"))
        if own is None:
            found[side] = numbered(side, len(rows[side].values))
            notes.append("Images without paths were numbered, as in query/000001.")
        elif own.values.dtype.kind == "U":
            found[side] = np.char.rstrip(own.values)  # MATLAB fills texts up with blanks
        else:
            found[side] = own.values.astype(str)
    return found


def _people(
    rows: Mapping[str, Column],
    columns: Mapping[Key, Column],
    paths: Mapping[str, NDArray[Any]],
    notes: list[str],
) -> dict[str, NDArray[np.int64]]:
    found = _numbers("pids", "people", columns, paths, notes)
    if found is None:
        missing = next(side for side in SIDES if (side, "pids") not in columns)
        raise UserError(
            f"{rows[missing].entry}: nothing says which people the {missing} shows: save "
            f"{missing}_pids beside the features."
        )
    for side in SIDES:
        wrong = np.flatnonzero(found[side] < JUNK)
        if len(wrong):
            raise UserError(
                f"{columns[side, 'pids'].entry} row {wrong[0]} is {found[side][wrong[0]]}: number "
                f"people from 1, distractors 0 and junk {JUNK}."
            )
    return found


def _cameras(
    rows: Mapping[str, Column],
    columns: Mapping[Key, Column],
    paths: Mapping[str, NDArray[Any]],
    notes: list[str],
) -> dict[str, NDArray[np.int64]] | None:
    found = _numbers("camids", "cameras", columns, paths, notes)
    if found is None:
        named = [side for side in SIDES if (side, "camids") in columns]
        if named:
            other = "gallery" if named == ["query"] else "query"
            raise UserError(
                f"{rows[other].entry}: the {named[0]} has cameras and the {other} has none: save "
                f"{other}_camids, too."
            )
        notes.append("Nothing names cameras; evaluate with --cameras ignore.")
    return found


def _numbers(
    role: Literal["pids", "camids"],
    what: str,
    columns: Mapping[Key, Column],
    paths: Mapping[str, NDArray[Any]],
    notes: list[str],
) -> dict[str, NDArray[np.int64]] | None:
    """Return whole numbers of both sides; None where there are none. Texts are numbered alike."""
    own = [columns[side, role] for side in SIDES if (side, role) in columns]
    if len(own) < 2:
        return None if own else _from_names(role, what, columns, paths, notes)
    texts = [each.values.dtype.kind == "U" for each in own]
    if not any(texts):
        return {side: _integers(each) for side, each in zip(SIDES, own, strict=True)}
    parsed = [_parsed(each) for each in own]
    if parsed[0] is not None and parsed[1] is not None:
        notes.append(f"The {what} are written as texts and were read as numbers.")
        return dict(zip(SIDES, (parsed[0], parsed[1]), strict=True))
    if not all(texts):
        raise UserError(
            f"{own[0].entry} and {own[1].entry} are texts on one side and numbers on the other: "
            "write both alike."
        )
    every = np.concatenate([np.char.strip(each.values) for each in own])
    kept = {"-1": JUNK, "0": 0}
    names = [name for name in np.unique(every).tolist() if name not in kept]
    number = dict(zip(names, range(1, len(names) + 1), strict=True)) | kept
    notes.append(f"The {what} are texts; the {len(names)} of them were numbered in their order.")
    whole = np.array([number[name] for name in every.tolist()], np.int64)
    first = len(own[0].values)
    return {"query": whole[:first], "gallery": whole[first:]}


def _from_names(
    role: Literal["pids", "camids"],
    what: str,
    columns: Mapping[Key, Column],
    paths: Mapping[str, NDArray[Any]],
    notes: list[str],
) -> dict[str, NDArray[np.int64]] | None:
    """Return what names like 0002_c1s1_000451_03.jpg say; None where one says nothing."""
    if any((side, "paths") not in columns for side in SIDES):
        return None
    found: dict[str, NDArray[np.int64]] = {}
    for side in SIDES:
        matches = [_IN_A_NAME.fullmatch(path) for path in paths[side].tolist()]
        numbers = [int(match[1 if role == "pids" else 2]) for match in matches if match]
        if len(numbers) < len(matches) or max(numbers) >= 2**62:
            return None
        found[side] = np.array(numbers, np.int64)
    notes.append(f"The {what} were read from the names of files, as in {shown(paths['query'][0])}.")
    return found


def _integers(column: Column) -> NDArray[np.int64]:
    values = column.values
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero(~(np.isfinite(values) & (values % 1 == 0)))
        if len(wrong):
            raise UserError(
                f"{column.entry} row {wrong[0]} is {values[wrong[0]]}, which is no whole number: "
                "write whole numbers."
            )
    wrong = np.flatnonzero((values >= 2.0**62) | (values <= -(2.0**62)))
    if len(wrong):
        raise UserError(
            f"{column.entry} row {wrong[0]} is {values[wrong[0]]}, which is too large a number: "
            "number people and cameras from 1."
        )
    return values.astype(np.int64)


def _parsed(column: Column) -> NDArray[np.int64] | None:
    """Return texts that are all whole numbers, as numbers; None where one is not."""
    if column.values.dtype.kind != "U":
        return _integers(column)
    texts = [each.strip() for each in column.values.tolist()]
    if not all(re.fullmatch(r"-?[0-9]{1,18}", each) for each in texts):
        return None
    return np.array([int(each) for each in texts], np.int64)
