"""Whom an image shows, under which camera, and what its file is called."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.formats._columns import SIDES, Column
from topdb.formats._names import Key
from topdb.formats._start import shown
from topdb.results.evaluation import numbered

JUNK = -1
"""The number of images that show nobody well; they are left out."""
_IN_A_NAME = re.compile(r"(?:.*[/\\])?(-1|\d+)_c(\d+)(?!\d)[^/\\]*", re.DOTALL)
"""Person and camera in the name of a file, as Market-1501 and DukeMTMC-reID have them."""


def read_paths(
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


def read_people(
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


def read_cameras(
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
