"""Kernels of the Jaccard distance between sparse encodings."""

import numpy as np
from numba import float32, int32, int64, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import array, compiled, constant


@compiled(
    void(
        constant(int64, 1),
        constant(int32, 1),
        constant(float32, 1),
        array(int64, 1),
        array(int32, 1),
        array(float32, 1),
    )
)
def invert(
    edges: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    list_edges: NDArray[np.int64],
    list_rows: NDArray[np.int32],
    list_weights: NDArray[np.float32],
) -> None:
    """Write the sparse matrix (edges, columns, weights) by column; rows ascend in each list.

    list_edges: (C + 1,), all zero before
    """
    for column in columns:
        list_edges[column + 1] += 1
    for column in range(1, len(list_edges)):
        list_edges[column] += list_edges[column - 1]
    for row in range(len(edges) - 1):
        for entry in range(edges[row], edges[row + 1]):
            place = list_edges[columns[entry]]
            list_rows[place] = row
            list_weights[place] = weights[entry]
            list_edges[columns[entry]] += 1
    for column in range(len(list_edges) - 1, 0, -1):
        list_edges[column] = list_edges[column - 1]
    list_edges[0] = 0


@compiled(
    void(
        int64,
        constant(int64, 1),
        constant(int32, 1),
        constant(float32, 1),
        constant(int64, 1),
        constant(int32, 1),
        constant(float32, 1),
        constant(float32, 1),
        int64,
        float32,
        array(float32, 2),
        array(float32, 1),
    )
)
def reranked_distances(
    first: int,
    edges: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    list_edges: NDArray[np.int64],
    list_rows: NDArray[np.int32],
    list_weights: NDArray[np.float32],
    farthest: NDArray[np.float32],
    power: int,
    lambda_: float,
    distances: NDArray[np.float32],
    shared: NDArray[np.float32],
) -> None:
    """Turn distances of queries first + r into re-ranked ones, in place (equation 12).

    Encodings add up to 1, so that with m the sum of the smaller weights the Jaccard distance is
    1 - m / (2 - m).

    edges, columns, weights: the encodings of the queries; list_*: those of the gallery, by column
    power: 1, 2 or 4, of the distances given, after their division by the farthest one
    distances: (R, G); shared: (G,), scratch, all zero before and after
    """
    rows, gallery = distances.shape
    rest = np.float32(1) - lambda_
    for row in range(rows):
        query = first + row
        for entry in range(edges[query], edges[query + 1]):
            column, weight = columns[entry], weights[entry]
            for place in range(list_edges[column], list_edges[column + 1]):
                shared[list_rows[place]] += min(weight, list_weights[place])
        scale = farthest[query]
        line = distances[row]
        for image in range(gallery):
            share = max(line[image], np.float32(0)) / scale if scale > 0 else np.float32(0)
            if power >= 2:
                share *= share
            if power == 4:
                share *= share
            jaccard = np.float32(1) - shared[image] / (np.float32(2) - shared[image])
            line[image] = jaccard * rest + share * lambda_
            shared[image] = 0
