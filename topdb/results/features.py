"""`features.npz`: the test features of query and gallery, whoever extracted them."""

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
    notes: tuple[str, ...] = ()
    """What was made of a file that is not quite as documented, a sentence each."""

    @property
    def parts(self) -> int | None:
        """Parts of a feature; None where features are whole."""
        return self.query_features.shape[1] if self.query_features.ndim == 3 else None


_ARRAYS = tuple(name for name in Features.__dataclass_fields__ if name != "notes")
_IDS = ("query_pids", "query_camids", "gallery_pids", "gallery_camids")
_PATHS = ("query_paths", "gallery_paths")
_JUNK = -1
"""The person of gallery images that show nobody well, in the field's data sets."""


def write_features(path: Path, features: Features) -> None:
    """Write the arrays, atomically."""
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez(stream, **{name: getattr(features, name) for name in _ARRAYS})


def is_documented(path: Path) -> bool:
    """Whether a file is an .npz with features under their names here, or cannot be opened."""
    try:
        with zipfile.ZipFile(path) as arrays:
            return "query_features.npy" in arrays.namelist()
    except zipfile.BadZipFile:
        return False
    except OSError:  # which the reader words
        return True


def read_features(path: Path) -> Features:
    """Read the arrays of a file, whoever wrote it.

    Ids may be (1, N) or (N, 1), paths may be missing, and junk (person -1) may stand in the
    gallery: `notes` says what was made of it.

    Raises
    ------
    UserError
        The file is missing, broken, or lacks an array, or an array cannot be what its name says.
    """
    found = _arrays(path)
    notes = []
    for name in _IDS:
        found[name] = _as_ids(path, name, found[name])
    for split in ("query", "gallery"):
        features, pids = found[f"{split}_features"], found[f"{split}_pids"]
        if features.ndim == 2 and len(features) != len(pids) == features.shape[1]:
            raise UserError(
                f"{path}: {split}_features has shape {features.shape} for {len(pids)} person ids "
                "and looks transposed: write one row an image, `features.T`."
            )
    if not {*_PATHS} & found.keys():
        for split in ("query", "gallery"):
            count = len(found[f"{split}_pids"])
            found[f"{split}_paths"] = np.array([f"{split}/{row:06d}" for row in range(count)])
        notes.append("the file names no paths, so images are numbered")
    for split in ("query", "gallery"):
        paths, pids = found[f"{split}_paths"], found[f"{split}_pids"]
        if paths.dtype.kind != "U" or paths.ndim != 1:
            raise UserError(f"{path}: {split}_paths is no list of texts: write one path an image.")
        if paths.shape != pids.shape:
            raise UserError(
                f"{path}: {split}_paths has {paths.size} entries and {split}_pids {pids.size}: "
                "write one path an image."
            )
    junk = np.asarray(found["gallery_pids"] == _JUNK)
    shapes = [found[f"gallery_{name}"].shape[:1] for name in ("features", "camids", "paths")]
    if junk.any() and all(shape == junk.shape for shape in shapes):
        for name in ("features", "pids", "camids", "paths"):
            found[f"gallery_{name}"] = found[f"gallery_{name}"][~junk]
        notes.append(f"{junk.sum()} junk images (person -1) are left out of the gallery")
    for split in ("query", "gallery"):
        if found[f"{split}_features"].dtype == np.float64:
            notes.append(f"{split}_features are float64 and are compared as float32")
    return Features(**found, notes=tuple(notes))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    name = ""
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            wanted = _ARRAYS
            if not {*_PATHS} & {*arrays.files}:
                wanted = tuple(each for each in _ARRAYS if each not in _PATHS)
            missing = [each for each in wanted if each not in arrays.files]
            if missing:
                raise UserError(f"{path} lacks the array {missing[0]}: write {', '.join(_ARRAYS)}.")
            found = {}
            for name in wanted:
                found[name] = arrays[name]
            return found
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: train the run, or correct the name.") from None
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "Object arrays" in reason:
            raise UserError(
                f"{path}: {name} holds Python objects, which may be code: write it as plain text "
                f"or numbers, as in `np.array({name}, dtype=str)`."
            ) from None
        raise UserError(f"{path} is no readable .npz file ({reason}): write it again.") from None


def _as_ids(path: Path, name: str, ids: NDArray[Any]) -> NDArray[Any]:
    """Return ids in one dimension, as MATLAB's lists come in two; signed where they fit."""
    if ids.ndim == 2 and 1 in ids.shape:
        ids = ids.ravel()
    if ids.ndim != 1:
        raise UserError(f"{path}: {name} has shape {ids.shape}: write one number an image.")
    if ids.dtype.kind != "u":
        return ids
    if ids.size and ids.max() > np.iinfo(np.int64).max:
        raise UserError(
            f"{path}: {name} holds {ids.max()}, which is no person or camera: write small numbers."
        )
    return ids.astype(np.int64)
