"""What the arrays of an evaluation must be, and which gallery images are right for each query."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Squared distances are at most four times the largest squared length; beyond this they may
# overflow float32.
LARGEST_SQUARED_LENGTH = float(np.finfo(np.float32).max) / 16
# A squared distance is the difference of numbers as large as the squared lengths, and float32 keeps
# seven digits of them. Where lengths exceed the spread by more than this, rounding is more than
# 1e-4 of a typical distance, and neighbours change places. The mini grid's networks have 1 to 3.
LARGEST_LENGTH_TO_SPREAD = 500.0
_SAMPLED = 1024
"""Gallery rows that the spread is estimated from."""


class SameCameraError(ValueError):
    """Queries have matches, and all of them under their own cameras, as in data of one camera."""


@dataclass(frozen=True)
class Features:
    """Feature vectors, whole or in parts, and their squared lengths.

    values: (N, D) or (N, parts, D) float32, C-contiguous, possibly a read-only memory map
    squared_lengths: (N,) or (parts, N) float32, C-contiguous where they are of all images
    """

    values: NDArray[np.float32]
    squared_lengths: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def parts(self) -> int | None:
        """Parts of a feature, whose distances are summed; None where features are whole."""
        return self.values.shape[1] if self.values.ndim == 3 else None

    def rows(self, first: int, last: int) -> "Features":
        """The images [first, last), without a copy."""
        return Features(self.values[first:last], self.squared_lengths[..., first:last])


def checked_features(name: str, array: ArrayLike) -> Features:
    """The features as float32, without a copy where they already are.

    Raises ValueError where the array is not non-empty, finite and (N, D) or (N, parts, D).
    """
    values = np.asarray(array)
    if values.ndim not in (2, 3):
        raise ValueError(
            f"{name} has {values.ndim} dimensions; give an array with one row an image, "
            "(N, D) or (N, parts, D)."
        )
    if values.size == 0:
        raise ValueError(f"{name} is empty (shape {values.shape}); give at least one row.")
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise ValueError(f"{name} has dtype {values.dtype}; give real numbers (float32).")
    with np.errstate(over="ignore"):
        single = np.require(values, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
        if single.ndim == 2:
            squared_lengths = np.einsum("ij,ij->i", single, single)
        else:
            squared_lengths = np.einsum("npd,npd->pn", single, single, order="C")
    good = squared_lengths <= LARGEST_SQUARED_LENGTH
    bad = np.flatnonzero(~(good if good.ndim == 1 else good.all(axis=0)))
    if len(bad):
        row, part = int(bad[0]), None
        wrong = values[row]
        if good.ndim == 2:
            part = int(np.flatnonzero(~good[:, row])[0])
            wrong = wrong[part]
        raise ValueError(_describe_bad_row(name, row, part, wrong, len(bad)))
    return Features(single, squared_lengths)


def _describe_bad_row(
    name: str, row: int, part: int | None, values: NDArray[np.generic], rows: int
) -> str:
    where = f"{name} row {row}"
    if rows > 1:
        where += f" (and {rows - 1} more rows)"
    if part is not None:
        where += f", part {part},"
    exact = values.astype(np.float64)
    if np.isnan(exact).any():
        return f"{where} holds NaN; find out why the network gave it, or leave the image out."
    if np.isinf(exact).any():
        return (
            f"{where} holds an infinite value; "
            "find out why the network gave it, or leave the image out."
        )
    return f"{where} is so long that its squared length overflows float32; scale the features down."


def checked_pair(
    query_features: ArrayLike, gallery_features: ArrayLike
) -> tuple[Features, Features]:
    """Query and gallery features of the same parts and dimension.

    Where they lie so far from zero that float32 would hide their distances, the gallery's mean is
    subtracted from both. Raises ValueError where parts or dimensions differ.
    """
    query = checked_features("query_features", query_features)
    gallery = checked_features("gallery_features", gallery_features)
    if query.parts != gallery.parts:
        own, other = (
            "no parts" if parts is None else f"{parts} part{'s' if parts > 1 else ''}"
            for parts in (query.parts, gallery.parts)
        )
        raise ValueError(
            f"query_features has {own} and gallery_features {other} "
            f"(shapes {query.values.shape} and {gallery.values.shape}); "
            "extract both with the same network."
        )
    if query.values.shape[-1] != gallery.values.shape[-1]:
        raise ValueError(
            f"query_features has {query.values.shape[-1]} dimensions and gallery_features "
            f"{gallery.values.shape[-1]}; extract both with the same network."
        )
    if not far_from_zero(gallery.values):
        return query, gallery
    common = gallery.values.mean(axis=0, dtype=np.float64)
    return _centred(query_features, common), _centred(gallery_features, common)


def far_from_zero(values: NDArray[np.float32]) -> bool:
    """Whether rounding hides the distances between features, as far as some rows tell."""
    rows = values[:: max(1, len(values) // _SAMPLED)].astype(np.float64)
    lengths = np.square(rows).sum()
    spread = np.square(rows - rows.mean(axis=0)).sum()
    return bool(lengths > LARGEST_LENGTH_TO_SPREAD * spread)


def _centred(features: ArrayLike, common: NDArray[np.float64]) -> Features:
    """Subtract a vector from all features, which leaves every distance as it is."""
    return checked_features("features", np.asarray(features) - common)


def checked_whole(features: Features, name: str, instead: str) -> None:
    """Raise ValueError where features have parts, and name what takes them instead."""
    if features.parts is not None:
        raise ValueError(
            f"{name} has {features.parts} parts, whose distance is no squared one; "
            f"use {instead}, or give an array (N, D)."
        )


def checked_distances(array: ArrayLike) -> NDArray[np.float32] | NDArray[np.float64]:
    """A finite (Q, G) matrix of distances; float32 stays float32, the rest becomes float64."""
    values = np.asarray(array)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"distances has shape {values.shape}; give one row a query, one column a gallery image."
        )
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise ValueError(f"distances has dtype {values.dtype}; give real numbers.")
    dtype = np.float32 if values.dtype in (np.float32, np.float16) else np.float64
    for row, line in enumerate(values):
        if not np.isfinite(line).all():
            raise ValueError(
                f"distances row {row} holds NaN or an infinite value; give finite distances."
            )
    return np.require(values, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _checked_ids(name: str, array: ArrayLike, length: int, of: str) -> NDArray[np.int64]:
    """Whole numbers, one for each row of `of`. Raises ValueError otherwise."""
    values = np.asarray(array)
    if values.ndim != 1 or len(values) != length:
        raise ValueError(
            f"{name} has shape {values.shape} and {of} has {length} rows; give one number a row."
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} has dtype {values.dtype}; give whole numbers (int64).")
    return values.astype(np.int64)


def checked_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, where it is one of the choices. Raises ValueError otherwise."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
    return value


def checked_count(name: str, value: int) -> int:
    """A whole number of at least one. Raises ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; give a whole number of at least 1.")
    return int(value)


DISTRACTOR = 0


@dataclass(frozen=True)
class Relevance:
    """Which gallery images are right and which are junk for each query; the rest is wrong.

    They are lists of gallery rows, laid end to end. The matches of query q are
    `matches[match_edges[q]:match_edges[q + 1]]`, ascending; junk alike. All arrays are int64.

    query_pids: (Q,), gallery_pids: (G,), the persons; 0 is a distractor
    """

    query_pids: NDArray[np.int64]
    gallery_pids: NDArray[np.int64]
    match_edges: NDArray[np.int64]
    matches: NDArray[np.int64]
    junk_edges: NDArray[np.int64]
    junk: NDArray[np.int64]


def relevance(
    shape: tuple[int, int],
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    matched: bool = True,
) -> Relevance:
    """Matches (same person, another camera) and junk (same person, same camera) of each query.

    shape: (Q, G); matched: whether some query must have a match
    Raises ValueError where lengths or persons cannot be right, or no query has a match; a
    SameCameraError where all matches are under the cameras of their queries.
    """
    queries, gallery = shape
    query_pids = _checked_ids("query_pids", query_pids, queries, "the query")
    gallery_pids = _checked_ids("gallery_pids", gallery_pids, gallery, "the gallery")
    query_camids = _checked_ids("query_camids", query_camids, queries, "the query")
    gallery_camids = _checked_ids("gallery_camids", gallery_camids, gallery, "the gallery")
    distractors = np.flatnonzero(query_pids == DISTRACTOR)
    if len(distractors):
        raise ValueError(
            f"query_pids row {distractors[0]} is 0, the number of distractors; "
            "number the persons from 1."
        )
    for name, pids in (("query_pids", query_pids), ("gallery_pids", gallery_pids)):
        negative = np.flatnonzero(pids < 0)
        if len(negative):
            raise ValueError(
                f"{name} row {negative[0]} is {pids[negative[0]]}; "
                "leave junk images out and number the persons from 1."
            )
    by_person = np.argsort(gallery_pids, kind="stable")
    persons = gallery_pids[by_person]
    first = np.searchsorted(persons, query_pids, side="left")
    lengths = np.searchsorted(persons, query_pids, side="right") - first
    edges = _edges(lengths)
    query = np.repeat(np.arange(len(lengths)), lengths)
    same_person = by_person[np.arange(edges[-1]) - edges[query] + first[query]]
    same_camera = gallery_camids[same_person] == query_camids[query]
    junk_lengths = np.bincount(query[same_camera], minlength=len(lengths))
    matches = same_person[~same_camera]
    if matched and matches.size == 0 and len(same_person):
        raise SameCameraError(
            "every match is under the camera of its query, where it does not count; number the "
            "cameras, or ignore them."
        )
    if matched and matches.size == 0:
        raise ValueError(
            "no row of query_pids has a match under another camera in gallery_pids and "
            "gallery_camids; check that query and gallery number persons and cameras alike."
        )
    return Relevance(
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        match_edges=_edges(lengths - junk_lengths),
        matches=matches,
        junk_edges=_edges(junk_lengths),
        junk=same_person[same_camera],
    )


def _edges(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
