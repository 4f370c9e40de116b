"""NumPy's archives of arrays, `.npz`: the one that topdb documents, and those of others."""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from topdb.errors import UserError
from topdb.formats._start import check_unfolded, shown, zip_names

NAME = "npz"
TITLE = "an archive of NumPy (.npz)"


def recognises(path: Path, start: bytes) -> bool:
    """A zip archive of `.npy` files."""
    return start.startswith(b"PK\x03\x04") and any(
        name.endswith(".npy") for name in zip_names(path, start)
    )


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Read the arrays that are wanted; numpy's own writer packs them with deflate or not at all.

    Raises
    ------
    UserError
        An array is one of objects, or claims to be larger than its file allows.
    """
    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
        chosen = [each for each in members if wanted(each.filename.removesuffix(".npy"))]
        if any(
            each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for each in chosen
        ):
            raise ValueError("packed in a way that numpy does not use")
        check_unfolded(path, (each.file_size for each in chosen))
        found = dict.fromkeys(each.filename.removesuffix(".npy") for each in members)
        for each in chosen:
            name = each.filename.removesuffix(".npy")
            with archive.open(each) as stream:
                found[name] = read_array(stream, each.file_size, f"{shown(path)}: {shown(name)}")
    return found


def read_array(stream: IO[bytes], size: int, what: str) -> Any:
    """Read one `.npy` file of that many bytes; objects are refused.

    Raises
    ------
    UserError
        It is an array of objects, which only a pickle holds.
    ValueError
        It is damaged.
    """
    version = npy.read_magic(stream)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError("of a version of .npy that is unknown")
    try:
        shape, in_columns, dtype = reader(stream)
    except UnicodeDecodeError as error:
        raise ValueError(str(error)) from None
    if dtype.hasobject:
        raise UserError(
            f"{what} is an array of objects, which only a pickle can hold: save texts as texts, "
            "np.array(paths, dtype=str), and numbers as numbers."
        )
    needed = math.prod(shape) * dtype.itemsize
    if needed > size:
        raise ValueError(f"{needed} bytes announced in {size}")
    raw = bytearray(needed)
    at = 0
    while at < needed:
        block = stream.read(min(2**20, needed - at))
        if not block:
            raise ValueError(f"{needed} bytes announced and {at} there")
        raw[at : at + len(block)] = block
        at += len(block)
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if in_columns else "C")
