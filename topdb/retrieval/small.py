"""The loops of a small ranking in numpy: those of `kernels`, with the same bits, at once.

Nothing has to be imported or compiled, which takes longer than to rank some hundred images.
"""

import numpy as np
from numpy.typing import NDArray


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
    rows = slice(first, last)
    sums = row_lengths[rows, np.newaxis] + column_lengths
    products[rows] = sums - np.float32(2) * products[rows]


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
    squared = products[first:last].copy()
    squared_distances_in_place(0, last - first, squared, row_lengths[first:last], column_lengths)
    columns = slice(first_column, first_column + products.shape[1])
    sums[first:last, columns] += np.sqrt(np.maximum(squared, np.float32(0)))


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
    """Write the rank of each match: its place in a stable sort of the images that are not junk.

    Row r in [first, last) of `distances` (R, G) belongs to query first_query + r; `ranks` is laid
    out as `matches`, in the gallery's order.
    """
    order = np.argsort(distances[first:last], axis=1, kind="stable")
    queries = first_query + first, first_query + last
    junk_rows, junk_images = _listed(queries, junk_edges, junk)
    valid = np.ones(order.shape, np.bool_)
    valid[junk_rows, junk_images] = False
    in_order = np.cumsum(np.take_along_axis(valid, order, axis=1), axis=1)
    rank_of = np.empty_like(in_order)
    np.put_along_axis(rank_of, order, in_order, axis=1)
    entries = slice(match_edges[queries[0]], match_edges[queries[1]])
    ranks[entries] = rank_of[_listed(queries, match_edges, matches)]


def _listed(
    queries: tuple[int, int], edges: NDArray[np.int64], images: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for the images listed of queries [first, last), the row of each query, and them."""
    own = edges[queries[0] : queries[1] + 1]
    return np.repeat(np.arange(len(own) - 1), np.diff(own)), images[own[0] : own[-1]]
