"""The loops of a ranking in numpy: those of `kernels`, with the same bits.

Nothing has to be loaded or compiled, which takes longer than to rank some hundred images, and numba
need not be installed.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Distances that stay in a cache while several steps are taken with them.
CHUNK = 2**16


def squared_distances_in_place(
    first: int,
    last: int,
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
) -> None:
    """Turn rows [first, last) of dot products (R, C) into squared distances.

    row_lengths: (R,), column_lengths: (C,), squared
    """
    for rows in _chunks(first, last, products.shape[1]):
        sums = row_lengths[rows, np.newaxis] + column_lengths
        products[rows] *= np.float32(2)
        np.subtract(sums, products[rows], out=products[rows])


def add_distances(
    first: int,
    last: int,
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
    first_column: int,
    sums: NDArray[np.float32],
) -> None:
    """Add the Euclidean distances that dot products (R, C) make to columns of `sums` (R, G).

    Rows [first, last); column c goes to sums[:, first_column + c].

    row_lengths: (R,), column_lengths: (C,), squared
    """
    columns = slice(first_column, first_column + products.shape[1])
    for rows in _chunks(first, last, products.shape[1]):
        squared = products[rows].copy()
        squared_distances_in_place(0, len(squared), squared, row_lengths[rows], column_lengths)
        sums[rows, columns] += np.sqrt(np.maximum(squared, np.float32(0)))


def ranks_of_matches(
    first: int,
    last: int,
    distances: NDArray[np.floating],
    first_query: int,
    match_edges: NDArray[np.int64],
    matches: NDArray[np.int64],
    junk_edges: NDArray[np.int64],
    junk: NDArray[np.int64],
    ranks: NDArray[np.int64],
) -> None:
    """Write the rank of each match: one more than the valid images before it.

    Row r in [first, last) of `distances` (R, G) belongs to query first_query + r; `ranks` is laid
    out as `matches`, in the gallery's order.
    """
    for row in range(first, last):
        query, line = first_query + row, distances[row]
        others = junk[junk_edges[query] : junk_edges[query + 1]]
        junk_distances = line[others]
        for entry in range(match_edges[query], match_edges[query + 1]):
            match = matches[entry]
            distance = line[match]
            before = np.count_nonzero(line[:match] <= distance)
            before += np.count_nonzero(line[match:] < distance)
            if len(others):
                tied = (junk_distances == distance) & (others < match)
                before -= np.count_nonzero((junk_distances < distance) | tied)
            ranks[entry] = before + 1


def _chunks(first: int, last: int, columns: int) -> Iterator[slice]:
    """Yield slices of rows that together cover [first, last)."""
    rows = max(1, CHUNK // columns)
    for start in range(first, last, rows):
        yield slice(start, min(start + rows, last))
