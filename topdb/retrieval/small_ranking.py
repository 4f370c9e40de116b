"""The ranking kernels' results by numpy alone, for evaluations too small to pay for numba.

Importing numba and loading its compiled kernels takes about half a second, more than all else in
one of many small jobs. The numbers are the same, bit for bit.
"""

import numpy as np
from numpy.typing import NDArray

# About a tenth of a second of numpy's time.
LARGEST_WORK = 400_000_000
# What a call of numpy costs, as distances that it could have compared meanwhile.
CALL_WORK = 20_000


def is_small(queries: int, gallery: int, matches: int = 0) -> bool:
    """Whether numpy is done with this many distances and matches before numba is loaded."""
    return 8 * queries * gallery + matches * (gallery + CALL_WORK) <= LARGEST_WORK


def squared_distances_in_place(
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
) -> None:
    """As the kernel of the same name."""
    for line, length in zip(products, row_lengths, strict=True):
        np.subtract(length + column_lengths, 2 * line, out=line)


def add_distances(
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
    first_column: int,
    sums: NDArray[np.float32],
) -> None:
    """As the kernel of the same name; the products are overwritten."""
    squared_distances_in_place(products, row_lengths, column_lengths)
    np.maximum(products, 0, out=products)
    np.sqrt(products, out=products)
    sums[:, first_column : first_column + products.shape[1]] += products


def ranks_of_matches(
    distances: NDArray[np.floating],
    first_query: int,
    match_edges: NDArray[np.int64],
    matches: NDArray[np.int64],
    junk_edges: NDArray[np.int64],
    junk: NDArray[np.int64],
    ranks: NDArray[np.int64],
) -> None:
    """As the kernel of the same name."""
    for row, line in enumerate(distances):
        query = first_query + row
        own_junk = junk[junk_edges[query] : junk_edges[query + 1]]
        junk_distances = line[own_junk]
        for entry in range(match_edges[query], match_edges[query + 1]):
            match = matches[entry]
            distance = line[match]
            before = np.count_nonzero(line[:match] <= distance)
            before += np.count_nonzero(line[match:] < distance)
            if len(own_junk):
                nearer = junk_distances < distance
                nearer |= (junk_distances == distance) & (own_junk < match)
                before -= np.count_nonzero(nearer)
            ranks[entry] = before + 1
