"""Snapshots of a training: what a few query images activate and find, epoch by epoch.

The file holds the small images too, so that figures need neither the data set nor torch.
"""

import hashlib
import io
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.files import replacing
from topdb.limits import SNAPSHOT_BYTES, read_bytes
from topdb.results.seals import require_stated

NO_IMAGE = -1
"""In place of an image where a gallery is shorter than the ranked list."""
_KINDS = {
    "epochs": "i",
    "activation": "f",
    "keep": "b",
    "ranked": "i",
    "right": "b",
    "paths": "U",
    "images": "u",
}
"""Of each array's numbers, as numpy names them."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """E epochs of Q queries: maps of h x w, the first K ranked, N images of H x W pixels."""

    identity: str
    """The run, and the data set it was trained on."""
    epochs: NDArray[np.int64]
    """(E,) counted from 1, rising."""
    activation: NDArray[np.float32]
    """(E, Q, h, w) sum over channels of |F|^p, each map of L2 norm 1, F as `feature_map` has it."""
    keep: NDArray[np.bool_]
    """(E, Q, h) rows that a training pass would keep; a random block is one draw of many."""
    ranked: NDArray[np.int64]
    """(E, Q, K) the nearest gallery images without junk, nearest first, as rows of `images`."""
    right: NDArray[np.bool_]
    """(E, Q, K) whether a ranked image shows the query's person."""
    paths: NDArray[np.str_]
    """(N,) relative to the data set: first the Q queries, then the gallery images."""
    images: NDArray[np.uint8]
    """(N, H, W, 3) RGB, squeezed to one size."""

    @property
    def queries(self) -> int:
        """Number of query images."""
        return int(self.activation.shape[1])


def write_snapshots(path: Path, snapshots: Snapshots) -> None:
    """Write `snapshots.npz`, atomically; equal snapshots give equal bytes."""
    arrays = {name: np.asarray(value) for name, value in asdict(snapshots).items()}
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_snapshots(path: Path, expected: str | None = None) -> Snapshots:
    """Read `snapshots.npz`, whose SHA-256 has to be the expected one, where one is stated.

    Raises
    ------
    UserError
        The file is missing, broken, another, or lacks an array.
    """
    names = [field.name for field in fields(Snapshots)]
    remedy = "delete it and train the run again."
    try:
        content = read_bytes(path, SNAPSHOT_BYTES)
        require_stated(path, hashlib.sha256(content).hexdigest(), expected, "run.json", remedy)
        with np.lib.npyio.NpzFile(io.BytesIO(content), allow_pickle=False) as arrays:
            members = arrays.zip.infolist() if arrays.zip else []
            size = sum(member.file_size for member in members)
            if size > SNAPSHOT_BYTES:
                raise UserError(f"{path} unpacks to {size} bytes, which is no snapshot: {remedy}")
            missing = [name for name in names if name not in arrays.files]
            if missing:
                raise UserError(f"{path} lacks the array {missing[0]}: {remedy}")
            found: dict[str, Any] = {name: arrays[name] for name in names}
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: train the run, or choose it under snapshots in params.yaml."
        ) from None
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is no readable .npz file ({reason}): {remedy}") from None
    snapshots = Snapshots(**{**found, "identity": str(found["identity"])})
    if not _fit(snapshots):
        raise UserError(f"{path} holds arrays that do not fit each other: {remedy}")
    return snapshots


def _fit(snapshots: Snapshots) -> bool:
    """Whether the arrays have the shapes that they owe each other, and rank images that exist."""
    arrays = {name: getattr(snapshots, name) for name in _KINDS}
    if any(array.dtype.kind != _KINDS[name] or 0 in array.shape for name, array in arrays.items()):
        return False
    if snapshots.ranked.ndim != 3 or snapshots.activation.ndim != 4:
        return False
    maps, images = snapshots.activation.shape, len(snapshots.paths)
    return (
        snapshots.epochs.shape == maps[:1]
        and snapshots.keep.shape == maps[:3]
        and snapshots.ranked.shape[:2] == maps[:2]
        and snapshots.right.shape == snapshots.ranked.shape
        and bool(np.isfinite(snapshots.activation).all())
        and snapshots.images.ndim == 4
        and snapshots.images.shape[3] == 3
        and len(snapshots.images) == images >= snapshots.queries
        and bool(((snapshots.ranked >= NO_IMAGE) & (snapshots.ranked < images)).all())
    )


def with_earlier(path: Path, taken: Snapshots) -> Snapshots:
    """Return a new snapshot with those of earlier epochs of the same run that `path` holds.

    Later epochs are dropped: they are of a training that was killed, or of an older one. So is a
    file that cannot be read, since what it held cannot be had back.
    """
    try:
        old = read_snapshots(path)
    except UserError:
        return taken
    earlier = old.epochs < taken.epochs[0]
    queries = taken.queries
    same = (
        old.identity == taken.identity
        and old.activation.shape[1:] == taken.activation.shape[1:]
        and np.array_equal(old.paths[:queries], taken.paths[:queries])
    )
    if not same or not earlier.any():
        return taken
    paths = np.concatenate([old.paths, taken.paths])
    images = np.concatenate([old.images, taken.images])
    moved = np.where(taken.ranked == NO_IMAGE, NO_IMAGE, taken.ranked + len(old.paths))
    ranked = np.concatenate([old.ranked[earlier], moved])
    shown, first = np.unique(paths[ranked[ranked != NO_IMAGE]], return_index=True)
    rows = ranked[ranked != NO_IMAGE][first]
    places = queries + np.searchsorted(shown, paths[ranked])
    return Snapshots(
        identity=taken.identity,
        epochs=np.concatenate([old.epochs[earlier], taken.epochs]),
        activation=np.concatenate([old.activation[earlier], taken.activation]),
        keep=np.concatenate([old.keep[earlier], taken.keep]),
        ranked=np.where(ranked == NO_IMAGE, NO_IMAGE, places),
        right=np.concatenate([old.right[earlier], taken.right]),
        paths=np.concatenate([taken.paths[:queries], shown]),
        images=np.concatenate([taken.images[:queries], images[rows]]),
    )
