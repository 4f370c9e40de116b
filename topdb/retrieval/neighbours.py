"""Nearest neighbours among query and gallery together, without their matrix of distances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.progress import Progress
from topdb.retrieval.summed_distances import sum_into, tile_memory
from topdb.retrieval.workers import Workers

# Wide panels seldom make the threads of a product wait for each other. At least as wide as high.
PANEL_ROWS = 1024
PANEL_COLUMNS = 8192


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of each image, itself included, with query before gallery.

    indices: (N, K) int32, nearest first, equal distances in the order of the index
    distances: (N, K) float32, at least 0: squared Euclidean, or summed where features have parts
    farthest: (N,) float32, the largest such distance of the image to any other
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    farthest: NDArray[np.float32]


@dataclass(frozen=True)
class _Images:
    """Consecutive images: their place among all, and their features."""

    start: int
    features: Features

    def __len__(self) -> int:
        return len(self.features)


# turns the panel (R, C) of row and column images into distances, which the row images meet
_MeetRows = Callable[[NDArray[np.float32], _Images, _Images], None]


def nearest_neighbours(
    query: Features, gallery: Features, count: int, workers: Workers, progress: Progress
) -> Neighbours:
    """The `count` nearest of each image, from one half of the symmetric distance matrix.

    Each panel of the upper half serves its rows and its columns. Panels come in an order in
    which every image meets the others by ascending index, so that a new neighbour that is as
    near as an old one belongs behind it.
    """
    from topdb.retrieval.neighbour_kernels import meet_columns

    size = len(query) + len(gallery)
    found = Neighbours(
        indices=np.full((size, count), -1, np.int32),
        distances=np.full((size, count), np.inf, np.float32),
        farthest=np.zeros(size, np.float32),
    )
    last_kept = np.full(size, np.inf, np.float32)
    panels = _squared_panels if query.parts is None else _summed_panels
    meet_panel = panels(found, last_kept, workers)
    memory = np.empty(min(PANEL_ROWS, size) * min(PANEL_COLUMNS, size), np.float32)
    for rows in _in_order(query, gallery, 0, PANEL_ROWS):
        for columns in _in_order(query, gallery, rows.start, PANEL_COLUMNS):
            shape = (len(rows), len(columns))
            panel = memory[: shape[0] * shape[1]].reshape(shape)
            meet_panel(panel, rows, columns)
            # Where a panel starts on the diagonal, its first columns are the rows themselves.
            own = shape[0] if columns.start == rows.start else 0

            def update_columns(
                low: int,
                high: int,
                panel: NDArray[np.float32] = panel,
                rows: _Images = rows,
                columns: _Images = columns,
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


def _squared_panels(
    found: Neighbours, last_kept: NDArray[np.float32], workers: Workers
) -> _MeetRows:
    from topdb.retrieval.neighbour_kernels import meet_rows

    def meet(panel: NDArray[np.float32], rows: _Images, columns: _Images) -> None:
        np.matmul(rows.features.values, columns.features.values.T, out=panel)

        def update(low: int, high: int) -> None:
            meet_rows(
                panel[low:high],
                rows.start + low,
                columns.start,
                rows.features.squared_lengths[low:high],
                columns.features.squared_lengths,
                found.indices,
                found.distances,
                last_kept,
                found.farthest,
            )

        workers.over(len(rows), update)

    return meet


def _summed_panels(
    found: Neighbours, last_kept: NDArray[np.float32], workers: Workers
) -> _MeetRows:
    from topdb.retrieval.distance_kernels import add_distances
    from topdb.retrieval.neighbour_kernels import meet_rows_at_distances

    size = len(last_kept)
    tile = tile_memory(min(PANEL_ROWS, size), min(PANEL_COLUMNS, size))

    def meet(panel: NDArray[np.float32], rows: _Images, columns: _Images) -> None:
        sum_into(panel, rows.features, columns.features, tile, add_distances, workers)

        def update(low: int, high: int) -> None:
            meet_rows_at_distances(
                panel[low:high],
                rows.start + low,
                columns.start,
                found.indices,
                found.distances,
                last_kept,
                found.farthest,
            )

        workers.over(len(rows), update)

    return meet


def _in_order(query: Features, gallery: Features, first: int, rows: int) -> Iterator[_Images]:
    """All images from the given one on, so many rows at a time."""
    start = 0
    for features in (query, gallery):
        stop = start + len(features)
        for place in range(max(first, start), stop, rows):
            last = min(place + rows, stop)
            yield _Images(place, features.rows(place - start, last - start))
        start = stop
