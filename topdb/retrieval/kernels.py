"""The loops of a ranking, compiled: dot products to distances, distances to ranks."""

import math
from typing import Annotated

import numba
import numpy as np
from numba import float32, float64
from numpy.typing import NDArray

from topdb.retrieval.compiling import (
    FINITE,
    FloatRows,
    Floats,
    OutFloatRows,
    OutPlaces,
    Places,
    compiled,
    read,
)

# A stretch of a row of distances that stays in the first-level cache while the images before
# each of the query's matches are counted in it.
STRETCH = 4096

_Distances = Annotated[NDArray[np.floating], read(float32, 2), read(float64, 2)]


@compiled()
def squared_distances_in_place(
    first: int, last: int, products: OutFloatRows, row_lengths: Floats, column_lengths: Floats
) -> None:
    """Turn rows [first, last) of dot products (R, C) into squared distances.

    row_lengths: (R,), column_lengths: (C,), squared
    """
    for row in range(first, last):
        length = row_lengths[row]
        line = products[row]
        for column in range(len(line)):
            line[column] = (length + column_lengths[column]) - np.float32(2) * line[column]


# Each step is rounded as IEEE 754 has it, the square root too, so that the bits are the same on
# every machine and in numpy.
@compiled(fastmath=FINITE)
def add_distances(
    first: int,
    last: int,
    products: FloatRows,
    row_lengths: Floats,
    column_lengths: Floats,
    first_column: int,
    sums: OutFloatRows,
) -> None:
    """Add the Euclidean distances that dot products (R, C) make to columns of `sums` (R, G).

    Rows [first, last); column c goes to sums[:, first_column + c]. Each distance is
    `sqrt(max((|r|^2 + |c|^2) - 2 r.c, 0))` in float32.

    row_lengths: (R,), column_lengths: (C,), squared
    """
    columns = products.shape[1]
    for row in range(first, last):
        length = row_lengths[row]
        line = products[row]
        total = sums[row, first_column : first_column + columns]
        for column in range(columns):
            squared = (length + column_lengths[column]) - np.float32(2) * line[column]
            total[column] += math.sqrt(max(squared, np.float32(0)))


# Loops over a whole slice from its first element are those that the compiler vectorises.
@numba.njit(nogil=True)
def _count_up_to(distances: NDArray[np.floating], limit: float) -> int:
    count = 0
    for place in range(len(distances)):
        count += 1 if distances[place] <= limit else 0
    return count


@numba.njit(nogil=True)
def _count_below(distances: NDArray[np.floating], limit: float) -> int:
    count = 0
    for place in range(len(distances)):
        count += 1 if distances[place] < limit else 0
    return count


@compiled()
def ranks_of_matches(
    first: int,
    last: int,
    distances: _Distances,
    first_query: int,
    match_edges: Places,
    matches: Places,
    junk_edges: Places,
    junk: Places,
    ranks: OutPlaces,
) -> None:
    """Write the rank of each match: one more than the valid images before it.

    Before it are the nearer ones and, of those equally near, the ones with a smaller index:
    the order of a stable sort. Row r in [first, last) of `distances` (R, G) belongs to query
    first_query + r; `ranks` is laid out as `matches`, in the gallery's order.
    """
    size = distances.shape[1]
    for row in range(first, last):
        query = first_query + row
        line = distances[row]
        begin, end = match_edges[query], match_edges[query + 1]
        for entry in range(begin, end):
            ranks[entry] = 1
        for low in range(0, size, STRETCH):
            high = min(low + STRETCH, size)
            for entry in range(begin, end):
                match = matches[entry]
                distance = line[match]
                middle = min(max(match, low), high)
                ranks[entry] += _count_up_to(line[low:middle], distance)
                ranks[entry] += _count_below(line[middle:high], distance)
        for entry in range(begin, end):
            match = matches[entry]
            distance = line[match]
            for place in range(junk_edges[query], junk_edges[query + 1]):
                other = junk[place]
                if line[other] < distance or (line[other] == distance and other < match):
                    ranks[entry] -= 1
