"""One array of NumPy, `.npy`; the file's name says which one it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from topdb.formats._start import shown
from topdb.formats.npz import read_array

NAME = "npy"
TITLE = "an array of NumPy (.npy)"


def recognises(path: Path, start: bytes) -> bool:
    """The magic bytes of numpy's format."""
    return start.startswith(b"\x93NUMPY")


def read(path: Path, wanted: Callable[[str], bool]) -> Any:
    """Read the array. Raises UserError where it is one of objects."""
    with path.open("rb") as stream:
        return read_array(stream, path.stat().st_size, shown(path))
