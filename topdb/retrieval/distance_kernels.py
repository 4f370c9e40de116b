"""Kernels from dot products to squared distances."""

import numpy as np
from numba import float32, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import array, compiled, constant


@compiled(void(array(float32, 2), constant(float32, 1), constant(float32, 1)))
def squared_distances_in_place(
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
) -> None:
    """Turn dot products (R, C) into squared distances, given the squared lengths (R,), (C,)."""
    rows, columns = products.shape
    for row in range(rows):
        length = row_lengths[row]
        line = products[row]
        for column in range(columns):
            line[column] = (length + column_lengths[column]) - np.float32(2) * line[column]
