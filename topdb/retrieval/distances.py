"""Distances in blocks of queries: squared Euclidean ones, or sums over the features' parts."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval import cuda
from topdb.retrieval.checks import (
    Features,
    checked_choice,
    checked_features,
    checked_pair,
    checked_whole,
)
from topdb.retrieval.machine import Workers, kernels_for

DEVICES = ("cpu", "cuda")
METRICS = ("euclidean", "cosine")
# In larger blocks the threads of a product wait for each other less; this one fits a cache.
BLOCK_BYTES = 32 * 2**20
# With fewer rows the product spends its time on reading the gallery.
EFFICIENT_ROWS = 256
LARGEST_BLOCK_BYTES = 544 * 2**20
# Dot products of one part that are in memory beside the sums. In smaller tiles the threads of a
# product wait for each other more often, which costs more than a cache gains.
TILE_BYTES = 32 * 2**20

# first row of the block, distances (rows, G) float32; the memory is reused for the next block
Block = tuple[int, NDArray[np.float32]]
# writes the distances of queries [first, last) to the whole gallery into the given block
_Fill = Callable[[int, int, NDArray[np.float32]], None]


def block_rows(gallery: int) -> int:
    """Queries that share a block, for a gallery of this size."""
    row_bytes = 4 * gallery
    rows = max(BLOCK_BYTES // row_bytes, EFFICIENT_ROWS)
    return int(max(1, min(rows, LARGEST_BLOCK_BYTES // row_bytes, 4096)))


def distance_blocks(
    query: Features, gallery: Features, workers: Workers, device: str = "cpu"
) -> Iterator[Block]:
    """The distances that features are ranked by, a block at a time.

    Features (N, D): squared Euclidean distances, `(|q|^2 + |g|^2) - 2 q.g` in float32. Rounding
    can leave a tiny negative value between equal vectors; it is kept, since it is the order of
    these very numbers that the evaluation ranks. The order is that of the Euclidean distances.

    Features (N, parts, D): sums over the parts of Euclidean distances, in float32 and in the
    order of the parts. One part's products are in memory beside the block.

    Raises ValueError for an unknown device.
    """
    checked_choice("device", device, DEVICES)
    rows = min(block_rows(len(gallery)), len(query))
    filling = _squared_distances if query.parts is None else _summed_distances
    fill = filling(query, gallery, rows, workers, device)
    memory = np.empty((rows, len(gallery)), np.float32)
    for first in range(0, len(query), rows):
        last = min(first + rows, len(query))
        block = memory[: last - first]
        fill(first, last, block)
        yield first, block


def _squared_distances(
    query: Features, gallery: Features, rows: int, workers: Workers, device: str
) -> _Fill:
    def products(first: int, last: int, out: NDArray[np.float32]) -> None:
        np.matmul(query.values[first:last], gallery.values.T, out=out)

    multiply = cuda.cuda_products(query, gallery) if device == "cuda" else products
    to_distances = kernels_for(len(query) * len(gallery)).squared_distances_in_place

    def fill(first: int, last: int, out: NDArray[np.float32]) -> None:
        multiply(first, last, out)
        lengths = query.squared_lengths[first:last], gallery.squared_lengths
        workers.over(len(out), to_distances, out, *lengths)

    return fill


def _summed_distances(
    query: Features, gallery: Features, rows: int, workers: Workers, device: str
) -> _Fill:
    if device == "cuda":
        return cuda.cuda_sums(query, gallery)
    tile = tile_memory(rows, len(gallery))

    def fill(first: int, last: int, out: NDArray[np.float32]) -> None:
        sum_into(out, query.rows(first, last), gallery, tile, workers)

    return fill


def tile_memory(rows: int, columns: int) -> NDArray[np.float32]:
    """Memory for the dot products of one part, (rows, columns or fewer) float32."""
    return np.empty((rows, max(1, min(TILE_BYTES // (4 * rows), columns))), np.float32)


def sum_into(
    out: NDArray[np.float32],
    rows: Features,
    columns: Features,
    tile: NDArray[np.float32],
    workers: Workers,
) -> None:
    """Write the summed distances of row images to column images to `out` (R, C) float32.

    tile: of `tile_memory`, for at least as many rows
    """
    out[:] = 0
    add_distances = kernels_for(out.size).add_distances
    width = tile.shape[1]
    for start in range(0, len(columns), width):
        some = columns.rows(start, start + width)
        products = tile.reshape(-1)[: len(rows) * len(some)].reshape(len(rows), len(some))
        for part in range(rows.values.shape[1]):
            np.matmul(rows.values[:, part], some.values[:, part].T, out=products)
            lengths = rows.squared_lengths[part], some.squared_lengths[part]
            workers.over(len(rows), add_distances, products, *lengths, start, out)


def unit_length(name: str, features: ArrayLike) -> NDArray[np.float32]:
    """Features divided by their lengths: their squared distances are 2 - 2 cos.

    name: of the array, for messages
    features: (N, D) float32; lengths are computed in float64
    Raises ValueError as `rank` does, for a row without a length (all zeros), and for parts.
    """
    values = checked_features(name, features).values
    if values.ndim != 2:
        raise ValueError(
            f"{name} has parts, each of which is compared by its own distance, and the cosine is "
            "of features (N, D); leave the metric euclidean."
        )
    lengths = np.sqrt(np.einsum("nd,nd->n", values, values, dtype=np.float64))
    zeros = np.flatnonzero(lengths == 0)
    if len(zeros):
        raise ValueError(
            f"{name} row {zeros[0]} is all zeros, which has no cosine; find out why the network "
            "gave it, or leave the image out."
        )
    found: NDArray[np.float32] = values / lengths[:, np.newaxis].astype(np.float32)
    return found


def squared_distances(
    query_features: ArrayLike, gallery_features: ArrayLike, *, threads: int | None = None
) -> NDArray[np.float32]:
    """The whole (Q, G) float32 matrix of squared Euclidean distances.

    For small sets and for checks: these are, bit for bit, the numbers that `rank` orders.

    query_features: (Q, D), gallery_features: (G, D), float32.
    Raises ValueError for features that are empty, not finite, of different dimensions, or that
    have parts.
    """
    query, gallery = checked_pair(query_features, gallery_features)
    checked_whole(query, "query_features", "feature_distances")
    return _all_distances(query, gallery, threads)


def feature_distances(
    query_features: ArrayLike, gallery_features: ArrayLike, *, threads: int | None = None
) -> NDArray[np.float32]:
    """The whole (Q, G) float32 matrix of the distances that features are ranked by.

    For small sets and for checks: these are, bit for bit, the numbers that `rank` orders.
    Features (N, D) give `squared_distances`. Features (N, parts, D) give the sum over the parts,
    in their order and in float32, of `sqrt(max((|q|^2 + |g|^2) - 2 q.g, 0))`.

    query_features: (Q, D) or (Q, parts, D), gallery_features: (G, D) or (G, parts, D), float32.
    Raises ValueError for features that are empty, not finite, or of different parts or dimensions.
    Source of the sum: PyrNet (Martinel et al., Aggregating deep pyramidal representations for
    person re-identification, CVPR workshops 2019).
    """
    return _all_distances(*checked_pair(query_features, gallery_features), threads)


def _all_distances(query: Features, gallery: Features, threads: int | None) -> NDArray[np.float32]:
    out = np.empty((len(query), len(gallery)), np.float32)
    with Workers(threads) as workers:
        for first, block in distance_blocks(query, gallery, workers):
            out[first : first + len(block)] = block
    return out
