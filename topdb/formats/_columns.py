"""One value an image: labels, cameras and paths, in whatever array or list they come."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.formats._names import Entry, Key

LONGEST = 4096
"""Letters of a path."""
Sides = tuple[Literal["query"], Literal["gallery"]]
SIDES: Sides = ("query", "gallery")


@dataclass(frozen=True, eq=False)
class Column:
    """One value an image, and the array that it came in."""

    entry: Entry
    values: NDArray[Any]


def read_columns(taken: Mapping[Key, Entry], notes: list[str]) -> dict[Key, Column]:
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
    if array.dtype.kind == "U" and array.dtype.itemsize > 4 * LONGEST:
        raise UserError(f"{entry} holds a text of over {LONGEST} letters: write paths.")
    column: NDArray[Any] = array
    return column


def _flat(entry: Entry, value: Any) -> NDArray[Any]:
    """Return one entry of a list as a flat array; a text may be as long as a path, no longer."""
    if isinstance(value, str | bytes) and len(value) > LONGEST:
        raise UserError(f"{entry} holds a text of over {LONGEST} letters: write paths.")
    if isinstance(value, list | tuple):
        parts = [_flat(entry, each) for each in value]
        return np.concatenate(parts) if parts else np.zeros(0)
    array = np.asarray(value)
    if array.dtype == object:
        raise UserError(f"{entry} holds objects: write whole numbers or texts, one an image.")
    return array.ravel()


def divided(columns: Mapping[Key, Column], query: NDArray[np.bool_]) -> dict[Key, Column]:
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
