"""`features.npz`: the test features of query and gallery, whoever extracted them."""

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.files import replacing

_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)
"""What zipfile and numpy raise on damaged bytes; MemoryError where a size is a lie."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of query and gallery, float32, with ids, cameras and paths.

    They are (Q, D) and (G, D), or (Q, parts, D) and (G, parts, D) where the distance is a sum
    over parts. The file holds each array under its name.
    """

    query_features: NDArray[np.float32]
    query_pids: NDArray[np.int64]
    query_camids: NDArray[np.int64]
    query_paths: NDArray[np.str_]
    gallery_features: NDArray[np.float32]
    gallery_pids: NDArray[np.int64]
    gallery_camids: NDArray[np.int64]
    gallery_paths: NDArray[np.str_]

    @property
    def parts(self) -> int | None:
        """Parts of a feature; None where features are whole."""
        return self.query_features.shape[1] if self.query_features.ndim == 3 else None


_ARRAYS = tuple(Features.__dataclass_fields__)


def write_features(path: Path, features: Features) -> None:
    """Write the arrays, atomically."""
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez(stream, **vars(features))


def is_documented(path: Path) -> bool:
    """Whether a file has the arrays that are written here, so that nothing about them is a guess.

    Ids and paths are then a list each, one for every row of features, and nobody is junk (person
    -1). An .npz that cannot
    be read counts, too: `read_features` says what is wrong with it.
    """
    if not path.is_file():
        return True
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            if not {*_ARRAYS} <= {*arrays.files}:
                return False
            lists = {name: arrays[name] for name in _ARRAYS if not name.endswith("_features")}
        for split in ("query", "gallery"):
            with zipfile.ZipFile(path) as archive, archive.open(f"{split}_features.npy") as header:
                npy.read_magic(header)
                shape = npy.read_array_header_1_0(header)[0]
            if shape[:1] != lists[f"{split}_pids"].shape:
                return False
    except _BROKEN as error:
        return path.suffix == ".npz" and "Object arrays" not in str(error)
    return all(
        each.ndim == 1
        and each.dtype.kind in ("U" if name.endswith("_paths") else "iu")
        and not (name.endswith("_pids") and (each == -1).any())
        for name, each in lists.items()
    )


def read_features(path: Path) -> Features:
    """Read the arrays that `write_features` writes, whoever wrote them.

    Raises
    ------
    UserError
        The file is missing, broken, or lacks an array, or an array is not as it is written here.
    """
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            missing = [name for name in _ARRAYS if name not in arrays.files]
            if missing:
                raise UserError(f"{path} lacks the array {missing[0]}: write {', '.join(_ARRAYS)}.")
            found = {name: arrays[name] for name in _ARRAYS}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: train the run, or correct the name.") from None
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is no readable .npz file ({reason}): write it again.") from None
    for split in ("query", "gallery"):
        paths, pids = found[f"{split}_paths"], found[f"{split}_pids"]
        if paths.dtype.kind != "U" or paths.ndim != 1:
            raise UserError(f"{path}: {split}_paths is no list of texts: write one path an image.")
        if paths.shape != pids.shape:
            raise UserError(
                f"{path}: {split}_paths has {paths.size} entries and {split}_pids {pids.size}: "
                "write one path an image."
            )
        for name in (f"{split}_pids", f"{split}_camids"):
            if found[name].dtype.kind == "u":
                found[name] = _signed(path, name, found[name])
    return Features(**found)


def _signed(path: Path, name: str, ids: NDArray[Any]) -> NDArray[np.int64]:
    if ids.size and ids.max() > np.iinfo(np.int64).max:
        raise UserError(
            f"{path}: {name} holds {ids.max()}, which is no person or camera: write small numbers."
        )
    return ids.astype(np.int64)
