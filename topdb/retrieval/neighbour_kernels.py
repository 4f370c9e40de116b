"""Kernels that keep the nearest neighbours met so far."""

import numba
import numpy as np
from numba import float32, int32, int64, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import FINITE, array, compiled, constant

# Distances that are compared with the farthest kept neighbour at once; nearly all such stretches
# hold no nearer one and are passed over.
STRETCH = 64


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


@numba.njit(nogil=True, fastmath=set(FINITE))
def _meet_line(
    line: NDArray[np.float32],
    image: int,
    first_column: int,
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    last_kept: NDArray[np.float32],
) -> None:
    """One image meets the column images at the distances of `line` (C,)."""
    kept = indices.shape[1]
    columns = len(line)
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


@compiled(
    void(
        array(float32, 2),
        int64,
        int64,
        constant(float32, 1),
        constant(float32, 1),
        array(int32, 2),
        array(float32, 2),
        array(float32, 1),
        array(float32, 1),
    ),
    fastmath=FINITE,
)
def meet_rows(
    panel: NDArray[np.float32],
    first_row: int,
    first_column: int,
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    last_kept: NDArray[np.float32],
    farthest: NDArray[np.float32],
) -> None:
    """Turn dot products into squared distances in place; the row images meet the column images.

    panel: (R, C) dot products of images first_row + r and first_column + c
    indices, distances (N, K), last_kept, farthest (N,): as in Neighbours, kept up to date;
    last_kept is the last column of distances
    """
    rows, columns = panel.shape
    for row in range(rows):
        image = first_row + row
        line = panel[row]
        length = row_lengths[row]
        largest = farthest[image]
        for column in range(columns):
            distance = (length + column_lengths[column]) - np.float32(2) * line[column]
            distance = max(distance, np.float32(0))
            line[column] = distance
            largest = max(largest, distance)
        farthest[image] = largest
        _meet_line(line, image, first_column, indices, distances, last_kept)


@compiled(
    void(
        array(float32, 2),
        int64,
        int64,
        array(int32, 2),
        array(float32, 2),
        array(float32, 1),
        array(float32, 1),
    ),
    fastmath=FINITE,
)
def meet_rows_at_distances(
    panel: NDArray[np.float32],
    first_row: int,
    first_column: int,
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    last_kept: NDArray[np.float32],
    farthest: NDArray[np.float32],
) -> None:
    """As `meet_rows`, for a panel that already holds distances, none below 0."""
    rows, columns = panel.shape
    for row in range(rows):
        image = first_row + row
        line = panel[row]
        largest = farthest[image]
        for column in range(columns):
            largest = max(largest, line[column])
        farthest[image] = largest
        _meet_line(line, image, first_column, indices, distances, last_kept)


@compiled(
    void(
        constant(float32, 2),
        int64,
        int64,
        int64,
        int64,
        array(int32, 2),
        array(float32, 2),
        array(float32, 1),
        array(float32, 1),
    ),
    fastmath=FINITE,
)
def meet_columns(
    panel: NDArray[np.float32],
    first: int,
    last: int,
    first_row: int,
    first_column: int,
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    last_kept: NDArray[np.float32],
    farthest: NDArray[np.float32],
) -> None:
    """The column images [first, last) of a panel of distances meet its row images.

    The arrays are those of `meet_rows`.
    """
    rows = panel.shape[0]
    kept = indices.shape[1]
    for row in range(rows):
        for low in range(first, last, STRETCH):
            high = min(low + STRETCH, last)
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
