"""One row of features an image, in whatever array or list they come."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.formats._columns import SIDES, Column
from topdb.formats._names import Entry, Key, Role
from topdb.formats._start import shown


def read_rows(
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


def as_features(rows: Column, keep: NDArray[np.bool_], notes: list[str]) -> NDArray[np.float32]:
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


def check_pair(rows: Mapping[str, Column], arrays: Mapping[str, Any]) -> None:
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
