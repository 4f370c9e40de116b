"""HDF5: MATLAB's files since 7.3, and what h5py wrote.

Texts of variable length are passed over: a damaged length makes the library fill the memory.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from topdb.errors import UserError
from topdb.formats._names import role_of
from topdb.formats._start import check_unfolded, shown

NAME = "hdf5"
TITLE = "an HDF5 file (MATLAB 7.3)"

_MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST = 10_000
"""Names in one file; a file with more holds something else."""


def recognises(path: Path, start: bytes) -> bool:
    """HDF5's magic bytes, at the start or after MATLAB's text of 512 bytes."""
    return any(start[at : at + 8] == _MAGIC for at in (0, 512, 1024, 2048))


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Read the data sets that are wanted, those in groups under `group/name`.

    MATLAB stores columns first, and h5py shows what it wrote the other way round; it is turned.

    Raises
    ------
    UserError
        The file refers to other files, or claims to hold far more than its size allows.
    """
    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name, each in _data_sets(file, path, ""):
            found[name] = None
            if not wanted(name):
                continue
            if each.dtype.hasobject and not h5py.check_ref_dtype(each.dtype):
                if role_of(name) != "paths":
                    raise UserError(
                        f"{shown(path)}: {shown(name)} has entries of variable length: write "
                        "numbers, or texts of one length, np.array(texts, 'S')."
                    )
                continue
            if each.external or each.is_virtual:
                raise UserError(
                    f"{shown(path)}: {shown(name)} lies in another file: write a file that holds "
                    "everything itself."
                )
            check_unfolded(path, [math.prod(each.shape or ()) * max(each.dtype.itemsize, 1)])
            found[name] = _value(file, each)
    return found


def _data_sets(group: Any, path: Path, before: str) -> list[tuple[str, Any]]:
    found = []
    for name in group:
        if name.startswith("#"):  # where MATLAB keeps the content of cells
            continue
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        each = group[name]
        if isinstance(each, h5py.Dataset):
            found.append((f"{before}{name}", each))
        elif before.count("/") < 4:
            found += _data_sets(each, path, f"{before}{name}/")
        if len(found) > _MOST:
            raise UserError(f"{shown(path)} holds over {_MOST} arrays: name a file of features.")
    return found


def _value(file: Any, data: Any) -> Any:
    kind = _class_of(data)
    if data.shape is None or "MATLAB_empty" in data.attrs:
        return np.zeros((0, 0))
    if h5py.check_string_dtype(data.dtype):
        return [each.decode() if isinstance(each, bytes) else each for each in data[()].ravel()]
    if h5py.check_ref_dtype(data.dtype):
        return [_text(file[each]) for each in data[()].T.ravel()]
    if kind == "char":
        return ["".join(map(chr, row)) for row in np.atleast_2d(data[()].T).tolist()]
    return data[()].T if kind else data[()]


def _class_of(data: Any) -> str:
    """Return the class that MATLAB gives a variable; '' where MATLAB did not write it."""
    if "MATLAB_class" not in data.attrs or data.attrs.get_id("MATLAB_class").dtype.kind != "S":
        return ""
    return str(np.asarray(data.attrs["MATLAB_class"]).astype(str))


def _text(cell: Any) -> Any:
    """Return the text, or the number, in a cell."""
    if not isinstance(cell, h5py.Dataset) or cell.size > 4096 or cell.dtype.hasobject:
        raise ValueError("a cell that holds neither a text nor a number")
    values = cell[()].T.ravel()
    if _class_of(cell) == "char":
        return "".join(map(chr, values.tolist()))
    return values
