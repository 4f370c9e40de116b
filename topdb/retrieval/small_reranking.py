"""The re-ranking kernels' results by numpy alone, for sets too small to pay for numba.

Dense matrices over all pairs of images take the place of lists. The numbers are the same to
float32's rounding.
"""

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.encoding import Encoding, half_list

# Beyond this, dense matrices take longer than loading numba.
LARGEST_IMAGES = 1500


def is_small(images: int) -> bool:
    """Whether numpy is done with this many images before numba is loaded."""
    return images <= LARGEST_IMAGES


def expanded_encoding(
    query: Features, gallery: Features, k1: int, k2: int, power: int
) -> tuple[Encoding, NDArray[np.float32]]:
    """Encodings of all images after the query expansion, and the farthest distances.

    The steps are those of the modules `neighbours` and `encoding`.
    """
    distances = _distances(query, gallery)
    farthest = distances.max(axis=1)
    nearest = _nearest(distances, max(k1 + 1, k2, half_list(k1)))
    base = _reciprocal(nearest[:, : k1 + 1])
    half = _reciprocal(nearest[:, : half_list(k1)]).astype(np.float32)
    common = base.astype(np.float32) @ half.T
    joins = base & (3 * common > 2 * half.sum(axis=1))
    members = base | (joins.astype(np.float32) @ half > 0)
    rows, columns = np.nonzero(members)
    scale = np.where(farthest > 0, farthest, 1)[rows]
    weights = np.exp(-((distances[rows, columns] / scale).astype(np.float64) ** power))
    weights /= np.bincount(rows, weights, minlength=len(distances))[rows]
    dense = np.zeros(distances.shape, np.float32)
    dense[rows, columns] = weights
    if k2 > 1:
        mean = dense[nearest[:, 0]]
        for place in range(1, k2):
            mean += dense[nearest[:, place]]
        dense = mean / np.float32(k2)
    return _sparse(dense), farthest


def invert(
    edges: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    list_edges: NDArray[np.int64],
    list_rows: NDArray[np.int32],
    list_weights: NDArray[np.float32],
) -> None:
    """As the kernel of the same name."""
    rows = np.repeat(np.arange(len(edges) - 1, dtype=np.int32), np.diff(edges))
    order = np.argsort(columns, kind="stable")
    list_rows[:] = rows[order]
    list_weights[:] = weights[order]
    np.cumsum(np.bincount(columns, minlength=len(list_edges) - 1), out=list_edges[1:])


def reranked_distances(
    first: int,
    edges: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    list_edges: NDArray[np.int64],
    list_rows: NDArray[np.int32],
    list_weights: NDArray[np.float32],
    farthest: NDArray[np.float32],
    power: int,
    lambda_: np.float32,
    distances: NDArray[np.float32],
    shared: NDArray[np.float32],
) -> None:
    """As the kernel of the same name."""
    list_sizes = np.diff(list_edges)
    for row, line in enumerate(distances):
        own = slice(edges[first + row], edges[first + row + 1])
        sizes = list_sizes[columns[own]]
        ends = np.cumsum(sizes)
        within = np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)
        entries = within + np.repeat(list_edges[columns[own]], sizes)
        smaller = np.minimum(np.repeat(weights[own], sizes), list_weights[entries])
        np.add.at(shared, list_rows[entries], smaller)
        scale = farthest[first + row]
        share = np.maximum(line, 0) / (scale if scale > 0 else np.float32(1))
        for _ in range(power.bit_length() - 1):
            share *= share
        jaccard = 1 - shared / (2 - shared)
        line[:] = jaccard * (np.float32(1) - lambda_) + share * lambda_
        shared[:] = 0


def _distances(query: Features, gallery: Features) -> NDArray[np.float32]:
    """Distances of all images to all, squared or summed over the parts, (N, N) float32."""
    values = np.concatenate([query.values, gallery.values])
    lengths = np.concatenate([query.squared_lengths, gallery.squared_lengths], axis=-1)
    if query.parts is None:
        found = _squared_distances(values, lengths)
    else:
        found = np.zeros((len(values), len(values)), np.float32)
        for part in range(query.parts):
            found += np.sqrt(_squared_distances(values[:, part], lengths[part]))
    np.fill_diagonal(found, 0)
    return found


def _squared_distances(
    values: NDArray[np.float32], lengths: NDArray[np.float32]
) -> NDArray[np.float32]:
    squared: NDArray[np.float32] = np.add.outer(lengths, lengths)
    squared -= 2 * (values @ values.T)
    np.maximum(squared, 0, out=squared)
    return squared


def _nearest(distances: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    # A float32 that is not negative sorts like its bits. With the image below them, no two keys
    # are equal, and equal distances come by index.
    keys = (distances.view(np.int32).astype(np.int64) << 32) | np.arange(len(distances))
    return np.sort(np.partition(keys, count - 1, axis=1)[:, :count], axis=1) & 0xFFFFFFFF


def _reciprocal(nearest: NDArray[np.int64]) -> NDArray[np.bool_]:
    near = np.zeros((len(nearest), len(nearest)), np.bool_)
    np.put_along_axis(near, nearest, True, axis=1)
    return near & near.T


def _sparse(dense: NDArray[np.float32]) -> Encoding:
    rows, columns = np.nonzero(dense)
    edges = np.zeros(len(dense) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(dense)), out=edges[1:])
    return Encoding(edges, columns.astype(np.int32), dense[rows, columns])
