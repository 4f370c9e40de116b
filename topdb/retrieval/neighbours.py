"""Nearest neighbours among query and gallery together, without their matrix of distances."""

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from topdb.retrieval import cuda
from topdb.retrieval.checks import Features
from topdb.retrieval.compiling import (
    FINITE,
    FloatRows,
    Floats,
    OutFloatRows,
    OutFloats,
    OutIntRows,
    compiled,
)
from topdb.retrieval.distances import sum_into, tile_memory
from topdb.retrieval.machine import Progress, Workers

# Wide panels seldom make the threads of a product wait for each other. At least as wide as high.
PANEL_ROWS = 1024
PANEL_COLUMNS = 8192
# Distances that are compared with the farthest kept neighbour at once; nearly all such stretches
# hold no nearer one and are passed over.
STRETCH = 64


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


def nearest_neighbours(
    query: Features,
    gallery: Features,
    count: int,
    workers: Workers,
    progress: Progress,
    device: str = "cpu",
) -> Neighbours:
    """The `count` nearest of each image, from one half of the symmetric distance matrix.

    Each panel of the upper half serves its rows and its columns. Panels come in an order in
    which every image meets the others by ascending index, so that a new neighbour that is as
    near as an old one belongs behind it. On a GPU the whole matrix is computed.
    """
    if device == "cuda":
        return Neighbours(*cuda.cuda_nearest_neighbours(query, gallery, count, progress))
    size = len(query) + len(gallery)
    found = Neighbours(
        indices=np.full((size, count), -1, np.int32),
        distances=np.full((size, count), np.inf, np.float32),
        farthest=np.zeros(size, np.float32),
    )
    last_kept = np.full(size, np.inf, np.float32)
    kept = found.indices, found.distances, last_kept, found.farthest
    highest, widest = min(PANEL_ROWS, size), min(PANEL_COLUMNS, size)
    memory = np.empty(highest * widest, np.float32)
    whole = query.parts is None
    tile = None if whole else tile_memory(highest, widest)
    for top, rows in _in_order(query, gallery, 0, PANEL_ROWS):
        for left, columns in _in_order(query, gallery, top, PANEL_COLUMNS):
            height, width = len(rows), len(columns)
            panel = memory[: height * width].reshape(height, width)
            if tile is None:
                np.matmul(rows.values, columns.values.T, out=panel)
                lengths = rows.squared_lengths, columns.squared_lengths
            else:
                sum_into(panel, rows, columns, tile, workers)
                lengths = panel[0, :0], panel[0, :0]
            workers.over(height, meet_rows, panel, whole, *lengths, top, left, *kept)
            # Where a panel starts on the diagonal, its first columns are the rows themselves.
            own = height if left == top else 0
            workers.over(width - own, meet_columns, panel, own, top, left, *kept)
        # Rows already met leave a triangle of pairs.
        progress("nearest neighbours", 1 - (1 - (top + len(rows)) / size) ** 2)
    return found


def _in_order(
    query: Features, gallery: Features, first: int, rows: int
) -> Iterator[tuple[int, Features]]:
    """All images from the given one on, so many rows at a time: their place, and features."""
    start = 0
    for features in (query, gallery):
        stop = start + len(features)
        for place in range(max(first, start), stop, rows):
            last = min(place + rows, stop)
            yield place, features.rows(place - start, last - start)
        start = stop


@numba.njit(nogil=True)
def _insert(
    indices: NDArray[np.int32], distances: NDArray[np.float32], index: int, distance: float
) -> None:
    place = len(distances) - 1
    while place > 0 and distance < distances[place - 1]:
        distances[place] = distances[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    distances[place] = distance
    indices[place] = index


@compiled(fastmath=FINITE)
def meet_rows(
    first: int,
    last: int,
    panel: OutFloatRows,
    products: bool,
    row_lengths: Floats,
    column_lengths: Floats,
    first_row: int,
    first_column: int,
    indices: OutIntRows,
    distances: OutFloatRows,
    last_kept: OutFloats,
    farthest: OutFloats,
) -> None:
    """The row images [first, last) of a panel meet its column images.

    panel: (R, C), of images first_row + r and first_column + c: distances, none below 0, or dot
    products, which become squared distances in place
    products: whether they are dot products
    row_lengths, column_lengths: (R,), (C,), squared, for dot products alone
    indices, distances (N, K), farthest (N,): as in Neighbours, kept up to date; last_kept (N,) is
    the last column of distances
    """
    columns = panel.shape[1]
    kept = indices.shape[1]
    for row in range(first, last):
        image = first_row + row
        line = panel[row]
        largest = farthest[image]
        if products:
            length = row_lengths[row]
            for column in range(columns):
                distance = (length + column_lengths[column]) - np.float32(2) * line[column]
                distance = max(distance, np.float32(0))
                line[column] = distance
                largest = max(largest, distance)
        else:
            for column in range(columns):
                largest = max(largest, line[column])
        farthest[image] = largest
        own = image - first_column
        if 0 <= own < columns:
            line[own] = np.float32(0)
        limit = last_kept[image]
        for low in range(0, columns, STRETCH):
            high = min(low + STRETCH, columns)
            part = line[low:high]
            nearer = 0
            for place in range(len(part)):
                nearer += 1 if part[place] < limit else 0
            if nearer == 0:
                continue
            for column in range(low, high):
                if line[column] < limit:
                    _insert(indices[image], distances[image], first_column + column, line[column])
                    limit = distances[image, kept - 1]
        last_kept[image] = limit


@compiled(fastmath=FINITE)
def meet_columns(
    first: int,
    last: int,
    panel: FloatRows,
    own: int,
    first_row: int,
    first_column: int,
    indices: OutIntRows,
    distances: OutFloatRows,
    last_kept: OutFloats,
    farthest: OutFloats,
) -> None:
    """The column images own + [first, last) of a panel of distances meet its row images.

    The arrays are those of `meet_rows`.
    """
    rows = panel.shape[0]
    kept = indices.shape[1]
    for row in range(rows):
        for low in range(own + first, own + last, STRETCH):
            high = min(low + STRETCH, own + last)
            line = panel[row, low:high]
            limits = last_kept[first_column + low : first_column + high]
            largest = farthest[first_column + low : first_column + high]
            nearer = 0
            for column in range(len(line)):
                distance = line[column]
                largest[column] = max(largest[column], distance)
                nearer += 1 if distance < limits[column] else 0
            if nearer == 0:
                continue
            for column in range(high - low):
                if line[column] < limits[column]:
                    image = first_column + low + column
                    _insert(indices[image], distances[image], first_row + row, line[column])
                    limits[column] = distances[image, kept - 1]
