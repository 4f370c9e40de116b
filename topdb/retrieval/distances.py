"""Distances in blocks of queries: squared Euclidean ones, or sums over the features' parts."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval import small_ranking
from topdb.retrieval.checks import Features, checked_choice, checked_pair, checked_whole
from topdb.retrieval.products import Products
from topdb.retrieval.summed_distances import cpu_sums
from topdb.retrieval.workers import Workers

DEVICES = ("cpu", "cuda")
# In larger blocks the threads of a product wait for each other less; this one fits a cache.
BLOCK_BYTES = 32 * 2**20
# With fewer rows the product spends its time on reading the gallery.
EFFICIENT_ROWS = 256
LARGEST_BLOCK_BYTES = 544 * 2**20

# first row of the block, distances (rows, G) float32; the memory is reused for the next block
Block = tuple[int, NDArray[np.float32]]


def block_rows(gallery: int) -> int:
    """Queries that share a block, for a gallery of this size."""
    row_bytes = 4 * gallery
    rows = max(BLOCK_BYTES // row_bytes, EFFICIENT_ROWS)
    return int(max(1, min(rows, LARGEST_BLOCK_BYTES // row_bytes, 4096)))


def distance_blocks(
    query: Features, gallery: Features, workers: Workers, device: str = "cpu"
) -> Iterator[Block]:
    """The distances that features are ranked by, a block at a time.

    Features (N, D): squared Euclidean distances; (N, parts, D): sums over the parts of Euclidean
    distances. Raises ValueError for an unknown device.
    """
    if query.parts is None:
        products = device_products(query, gallery, device)
        return squared_distance_blocks(query, gallery, workers, products)
    return _summed_distance_blocks(query, gallery, workers, device)


def device_products(query: Features, gallery: Features, device: str = "cpu") -> Products:
    """Dot products by numpy's BLAS, or on a GPU. Raises ValueError for an unknown device."""
    if checked_choice("device", device, DEVICES) == "cuda":
        from topdb.retrieval.cuda import cuda_products

        return cuda_products(query, gallery)

    def products(first: int, last: int, out: NDArray[np.float32]) -> None:
        np.matmul(query.values[first:last], gallery.values.T, out=out)

    return products


def squared_distance_blocks(
    query: Features, gallery: Features, workers: Workers, products: Products
) -> Iterator[Block]:
    """Squared Euclidean distances, `(|q|^2 + |g|^2) - 2 q.g` in float32, a block at a time.

    Rounding can leave a tiny negative value between equal vectors; it is kept, since it is the
    order of these very numbers that the evaluation ranks. The order is that of the Euclidean
    distances themselves.
    """
    squared_distances_in_place = _finishing_function(len(query), len(gallery))
    rows = block_rows(len(gallery))
    memory = np.empty((min(rows, len(query)), len(gallery)), np.float32)
    for first in range(0, len(query), rows):
        last = min(first + rows, len(query))
        block = memory[: last - first]
        products(first, last, block)
        lengths = query.squared_lengths[first:last]

        def finish(
            low: int,
            high: int,
            block: NDArray[np.float32] = block,
            lengths: NDArray[np.float32] = lengths,
        ) -> None:
            squared_distances_in_place(block[low:high], lengths[low:high], gallery.squared_lengths)

        workers.over(len(block), finish)
        yield first, block


def _summed_distance_blocks(
    query: Features, gallery: Features, workers: Workers, device: str
) -> Iterator[Block]:
    """Sums over the parts of Euclidean distances, in float32 and in the order of the parts.

    One part's products, of at most as many bytes as a block, are in memory beside the block.
    """
    rows = min(block_rows(len(gallery)), len(query))
    if checked_choice("device", device, DEVICES) == "cuda":
        from topdb.retrieval.cuda import cuda_sums

        sums = cuda_sums(query, gallery)
    else:
        sums = cpu_sums(query, gallery, rows, workers)
    memory = np.empty((rows, len(gallery)), np.float32)
    for first in range(0, len(query), rows):
        last = min(first + rows, len(query))
        block = memory[: last - first]
        sums(first, last, block)
        yield first, block


def _finishing_function(queries: int, gallery: int) -> Callable[..., None]:
    if small_ranking.is_small(queries, gallery):
        return small_ranking.squared_distances_in_place
    # numba is imported by the work that pays for it.
    from topdb.retrieval import distance_kernels

    return distance_kernels.squared_distances_in_place


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
    query, gallery = checked_pair(query_features, gallery_features)
    return _all_distances(query, gallery, threads)


def _all_distances(query: Features, gallery: Features, threads: int | None) -> NDArray[np.float32]:
    out = np.empty((len(query), len(gallery)), np.float32)
    with Workers(threads) as workers:
        for first, block in distance_blocks(query, gallery, workers):
            out[first : first + len(block)] = block
    return out
