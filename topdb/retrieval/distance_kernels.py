"""Kernels from dot products to distances."""

import math

import numpy as np
from numba import float32, int64, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import FINITE, array, compiled, constant


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


# Each step is rounded as IEEE 754 has it, the square root too, so that the bits are the same on
# every machine and in numpy.
@compiled(
    void(
        constant(float32, 2),
        constant(float32, 1),
        constant(float32, 1),
        int64,
        array(float32, 2),
    ),
    fastmath=FINITE,
)
def add_distances(
    products: NDArray[np.float32],
    row_lengths: NDArray[np.float32],
    column_lengths: NDArray[np.float32],
    first_column: int,
    sums: NDArray[np.float32],
) -> None:
    """Add the Euclidean distances that dot products (R, C) make to columns of `sums` (R, G).

    row_lengths (R,), column_lengths (C,): squared; column c goes to sums[:, first_column + c]
    """
    rows, columns = products.shape
    for row in range(rows):
        length = row_lengths[row]
        line = products[row]
        total = sums[row, first_column : first_column + columns]
        for column in range(columns):
            squared = (length + column_lengths[column]) - np.float32(2) * line[column]
            total[column] += math.sqrt(max(squared, np.float32(0)))
