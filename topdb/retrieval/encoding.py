"""The k-reciprocal encodings of all images, as a sparse matrix."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.neighbours import Neighbours
from topdb.retrieval.progress import Progress
from topdb.retrieval.workers import Workers

SCRATCH_BYTES = 16 * 2**20

# fills columns, weights (R, C) and sizes (R,) for the images [first, last) that R rows stand for
_Rows = Callable[[int, int, NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]], None]


@dataclass(frozen=True)
class Encoding:
    """A sparse matrix by rows: row i holds columns[edges[i]:edges[i + 1]], ascending.

    edges: (N + 1,) int64; columns: int32; weights: float32
    """

    edges: NDArray[np.int64]
    columns: NDArray[np.int32]
    weights: NDArray[np.float32]


def k_reciprocal_encoding(
    neighbours: Neighbours,
    query: Features,
    gallery: Features,
    k1: int,
    power: int,
    workers: Workers,
    progress: Progress,
) -> Encoding:
    """Weights over the expanded k1-reciprocal set of each image (Zhong et al., equations 3 to 7).

    power: of the neighbours' distances, after their division by the farthest image's
    """
    from topdb.retrieval.encoding_kernels import encode

    images = len(neighbours.indices)
    half = half_list(k1)
    reciprocal = _reciprocal_sets(neighbours, k1 + 1, workers)
    halved = _reciprocal_sets(neighbours, half, workers)

    def fill(
        first: int,
        last: int,
        columns: NDArray[np.int32],
        weights: NDArray[np.float32],
        sizes: NDArray[np.int32],
    ) -> None:
        encode(
            first,
            last,
            neighbours.indices,
            neighbours.distances,
            neighbours.farthest,
            *reciprocal,
            *halved,
            query.values,
            gallery.values,
            query.squared_lengths,
            gallery.squared_lengths,
            power,
            np.full(images, -1, np.int32),
            columns,
            weights,
            sizes,
        )

    widest = min(images, (k1 + 1) * (1 + half))
    return _collect(np.full(images, widest), fill, workers, progress, "encoding")


def expanded_encoding(
    encoding: Encoding, neighbours: Neighbours, k2: int, workers: Workers, progress: Progress
) -> Encoding:
    """The mean of the encodings of each image's k2 nearest (equation 11); the same for k2 = 1."""
    from topdb.retrieval.encoding_kernels import expand

    if k2 == 1:
        return encoding
    images = len(neighbours.indices)

    def fill(
        first: int,
        last: int,
        columns: NDArray[np.int32],
        weights: NDArray[np.float32],
        sizes: NDArray[np.int32],
    ) -> None:
        expand(
            first,
            last,
            neighbours.indices,
            k2,
            encoding.edges,
            encoding.columns,
            encoding.weights,
            np.zeros(images, np.float32),
            columns,
            weights,
            sizes,
        )

    sizes = np.diff(encoding.edges)
    widest = np.minimum(sizes[neighbours.indices[:, :k2]].sum(axis=1), images)
    return _collect(widest, fill, workers, progress, "query expansion")


def half_list(k1: int) -> int:
    """Length of the half-size neighbour list: k1 / 2 rounded half to even, and the image."""
    return int(np.around(k1 / 2)) + 1


def _reciprocal_sets(
    neighbours: Neighbours, count: int, workers: Workers
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    from topdb.retrieval.encoding_kernels import reciprocal_sets

    images = len(neighbours.indices)
    members = np.empty((images, count), np.int32)
    sizes = np.empty(images, np.int32)
    workers.over(
        images,
        lambda first, last: reciprocal_sets(neighbours.indices, count, first, last, members, sizes),
    )
    return members, sizes


def _collect(
    widest: NDArray[np.int64], fill: _Rows, workers: Workers, progress: Progress, stage: str
) -> Encoding:
    """Fill chunks of rows, of at most `widest` (N,) entries each, and lay them end to end."""
    images = len(widest)
    rows = int(max(1, min(images, SCRATCH_BYTES // (8 * max(1, widest.max())))))
    all_sizes, all_columns, all_weights = [], [], []
    for start in range(0, images, rows):
        stop = min(start + rows, images)
        width = int(max(1, widest[start:stop].max()))
        columns = np.empty((stop - start, width), np.int32)
        weights = np.empty((stop - start, width), np.float32)
        sizes = np.empty(stop - start, np.int32)

        def fill_range(
            low: int,
            high: int,
            start: int = start,
            columns: NDArray[np.int32] = columns,
            weights: NDArray[np.float32] = weights,
            sizes: NDArray[np.int32] = sizes,
        ) -> None:
            fill(start + low, start + high, columns[low:high], weights[low:high], sizes[low:high])

        workers.over(stop - start, fill_range)
        filled = np.arange(width) < sizes[:, None]
        all_sizes.append(sizes)
        all_columns.append(columns[filled])
        all_weights.append(weights[filled])
        progress(stage, stop / images)
    edges = np.zeros(images + 1, np.int64)
    np.cumsum(np.concatenate(all_sizes), out=edges[1:])
    return Encoding(edges, np.concatenate(all_columns), np.concatenate(all_weights))
