"""Nearest neighbours among query and gallery together, without their matrix of distances."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.progress import Progress
from topdb.retrieval.workers import Workers

# Wide panels seldom make the threads of a product wait for each other. At least as wide as high.
PANEL_ROWS = 1024
PANEL_COLUMNS = 8192


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of each image, itself included, with query before gallery.

    indices: (N, K) int32, nearest first, equal distances in the order of the index
    distances: (N, K) float32, squared Euclidean, at least 0
    farthest: (N,) float32, the largest squared distance of the image to any other
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    farthest: NDArray[np.float32]


@dataclass(frozen=True)
class _Part:
    """Consecutive images: their place among all, and their features."""

    start: int
    values: NDArray[np.float32]
    squared_lengths: NDArray[np.float32]


def nearest_neighbours(
    query: Features, gallery: Features, count: int, workers: Workers, progress: Progress
) -> Neighbours:
    """The `count` nearest of each image, from one half of the symmetric distance matrix.

    Each panel of the upper half serves its rows and its columns. Panels come in an order in
    which every image meets the others by ascending index, so that a new neighbour that is as
    near as an old one belongs behind it.
    """
    from topdb.retrieval.neighbour_kernels import meet_columns, meet_rows

    size = len(query) + len(gallery)
    found = Neighbours(
        indices=np.full((size, count), -1, np.int32),
        distances=np.full((size, count), np.inf, np.float32),
        farthest=np.zeros(size, np.float32),
    )
    last_kept = np.full(size, np.inf, np.float32)
    memory = np.empty(min(PANEL_ROWS, size) * min(PANEL_COLUMNS, size), np.float32)
    for rows in _parts(query, gallery, 0, PANEL_ROWS):
        for columns in _parts(query, gallery, rows.start, PANEL_COLUMNS):
            shape = (len(rows.values), len(columns.values))
            panel = memory[: shape[0] * shape[1]].reshape(shape)
            np.matmul(rows.values, columns.values.T, out=panel)

            def update_rows(
                low: int,
                high: int,
                panel: NDArray[np.float32] = panel,
                rows: _Part = rows,
                columns: _Part = columns,
            ) -> None:
                meet_rows(
                    panel[low:high],
                    rows.start + low,
                    columns.start,
                    rows.squared_lengths[low:high],
                    columns.squared_lengths,
                    found.indices,
                    found.distances,
                    last_kept,
                    found.farthest,
                )

            workers.over(shape[0], update_rows)
            # Where a panel starts on the diagonal, its first columns are the rows themselves.
            own = shape[0] if columns.start == rows.start else 0

            def update_columns(
                low: int,
                high: int,
                panel: NDArray[np.float32] = panel,
                rows: _Part = rows,
                columns: _Part = columns,
                own: int = own,
            ) -> None:
                meet_columns(
                    panel,
                    own + low,
                    own + high,
                    rows.start,
                    columns.start,
                    found.indices,
                    found.distances,
                    last_kept,
                    found.farthest,
                )

            workers.over(shape[1] - own, update_columns)
        # Rows already met leave a triangle of pairs.
        met = rows.start + shape[0]
        progress("nearest neighbours", 1 - (1 - met / size) ** 2)
    return found


def _parts(query: Features, gallery: Features, first: int, rows: int) -> Iterator[_Part]:
    """All images from the given one on, in parts of so many rows."""
    start = 0
    for features in (query, gallery):
        stop = start + len(features)
        for place in range(max(first, start), stop, rows):
            inside = slice(place - start, min(place + rows, stop) - start)
            yield _Part(place, features.values[inside], features.squared_lengths[inside])
        start = stop
