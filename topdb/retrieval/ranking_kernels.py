"""Kernels that count the gallery images before a match."""

import numba
import numpy as np
from numba import float32, float64, int64, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import array, compiled, constant

# A stretch of a row of distances that stays in the first-level cache while the images before
# each of the query's matches are counted in it.
STRETCH = 4096


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


def _signature(distance: object) -> object:
    ids = constant(int64, 1)
    return void(constant(distance, 2), int64, ids, ids, ids, ids, array(int64, 1))


@compiled(_signature(float32), _signature(float64))
def ranks_of_matches(
    distances: NDArray[np.floating],
    first_query: int,
    match_edges: NDArray[np.int64],
    matches: NDArray[np.int64],
    junk_edges: NDArray[np.int64],
    junk: NDArray[np.int64],
    ranks: NDArray[np.int64],
) -> None:
    """Write the rank of each match: one more than the valid images before it.

    Before it are the nearer ones and, of those equally near, the ones with a smaller index:
    the order of a stable sort. Row r of `distances` (R, G) belongs to query first_query + r;
    `ranks` is laid out as `matches`, in the gallery's order.
    """
    rows, size = distances.shape
    for row in range(rows):
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
