"""Distances of features that have parts: the sum over the parts of Euclidean distances."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval import small_ranking
from topdb.retrieval.checks import Features
from topdb.retrieval.workers import Workers

# Dot products of one part that are in memory beside the sums. In smaller tiles the threads of a
# product wait for each other more often, which costs more than a cache gains.
TILE_BYTES = 32 * 2**20

# distances of queries [first, last) to the whole gallery, into the given block
Sums = Callable[[int, int, NDArray[np.float32]], None]
# the function `add_distances`, as a kernel or by numpy
Add = Callable[..., None]


def tile_memory(rows: int, columns: int) -> NDArray[np.float32]:
    """Memory for the dot products of one part, (rows, columns or fewer) float32."""
    return np.empty((rows, max(1, min(TILE_BYTES // (4 * rows), columns))), np.float32)


def sum_into(
    out: NDArray[np.float32],
    rows: Features,
    columns: Features,
    tile: NDArray[np.float32],
    add: Add,
    workers: Workers,
) -> None:
    """Write the summed distances of row images to column images to `out` (R, C) float32.

    The parts are added in their order. Each is `sqrt(max((|r|^2 + |c|^2) - 2 r.c, 0))` in
    float32.

    tile: of `tile_memory`, for at least as many rows
    """
    out[:] = 0
    width = tile.shape[1]
    for start in range(0, len(columns), width):
        some = columns.rows(start, start + width)
        products = tile.reshape(-1)[: len(rows) * len(some)].reshape(len(rows), len(some))
        for part in range(rows.values.shape[1]):
            np.matmul(rows.values[:, part], some.values[:, part].T, out=products)
            row_lengths, column_lengths = rows.squared_lengths[part], some.squared_lengths[part]

            def finish(
                low: int,
                high: int,
                start: int = start,
                products: NDArray[np.float32] = products,
                row_lengths: NDArray[np.float32] = row_lengths,
                column_lengths: NDArray[np.float32] = column_lengths,
            ) -> None:
                add(products[low:high], row_lengths[low:high], column_lengths, start, out[low:high])

            workers.over(len(rows), finish)


def cpu_sums(query: Features, gallery: Features, block_rows: int, workers: Workers) -> Sums:
    """Summed distances of blocks of at most `block_rows` queries, by numpy's BLAS."""
    tile = tile_memory(block_rows, len(gallery))
    add = _adding_function(len(query) * query.values.shape[1], len(gallery))

    def sums(first: int, last: int, out: NDArray[np.float32]) -> None:
        sum_into(out, query.rows(first, last), gallery, tile, add, workers)

    return sums


def _adding_function(queries_and_parts: int, gallery: int) -> Add:
    if small_ranking.is_small(queries_and_parts, gallery):
        return small_ranking.add_distances
    # numba is imported by the work that pays for it.
    from topdb.retrieval import distance_kernels

    return distance_kernels.add_distances
