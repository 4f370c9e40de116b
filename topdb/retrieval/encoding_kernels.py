"""Kernels of the k-reciprocal encoding (Zhong et al., CVPR 2017, sections 3.2 to 3.4)."""

import math
from typing import Any

import numba
import numpy as np
from numba import float32, int32, int64, void
from numpy.typing import NDArray

from topdb.retrieval.compiling import array, compiled, constant


@numba.njit(nogil=True)
def _sort(keys: NDArray[np.int32], values: NDArray[np.float32], size: int) -> None:
    for end in range(1, size):
        key, value = keys[end], values[end]
        place = end
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            values[place] = values[place - 1]
            place -= 1
        keys[place] = key
        values[place] = value


@numba.njit(nogil=True, fastmath={"reassoc", "contract"})
def _dot(left: NDArray[np.float32], right: NDArray[np.float32]) -> np.float32:
    total = np.float32(0)
    for place in range(len(left)):
        total += left[place] * right[place]
    return total


@numba.njit(nogil=True)
def _row(query: NDArray[np.float32], gallery: NDArray[np.float32], image: int) -> Any:
    """Entry of one image, with query before gallery."""
    return query[image] if image < len(query) else gallery[image - len(query)]


@numba.njit(nogil=True)
def _squared_distance(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_lengths: NDArray[np.float32],
    gallery_lengths: NDArray[np.float32],
    image: int,
    member: int,
) -> np.float32:
    length = _row(query_lengths, gallery_lengths, image)
    other = _row(query_lengths, gallery_lengths, member)
    product = _dot(_row(query, gallery, image), _row(query, gallery, member))
    return max((length + other) - np.float32(2) * product, np.float32(0))


@numba.njit(nogil=True)
def _summed_distance(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_lengths: NDArray[np.float32],
    gallery_lengths: NDArray[np.float32],
    image: int,
    member: int,
) -> np.float32:
    left, right = _row(query, gallery, image), _row(query, gallery, member)
    total = np.float32(0)
    for part in range(len(left)):
        length = _row(query_lengths[part], gallery_lengths[part], image)
        other = _row(query_lengths[part], gallery_lengths[part], member)
        squared = (length + other) - np.float32(2) * _dot(left[part], right[part])
        total += math.sqrt(max(squared, np.float32(0)))
    return total


@compiled(void(constant(int32, 2), int64, int64, int64, array(int32, 2), array(int32, 1)))
def reciprocal_sets(
    neighbours: NDArray[np.int32],
    count: int,
    first: int,
    last: int,
    members: NDArray[np.int32],
    sizes: NDArray[np.int32],
) -> None:
    """The images among an image's `count` nearest that have it among their own (equation 3).

    Writes rows [first, last) of members (N, count), filled to sizes (N,), nearest first.
    """
    for image in range(first, last):
        size = 0
        for place in range(count):
            other = neighbours[image, place]
            for back in range(count):
                if neighbours[other, back] == image:
                    members[image, size] = other
                    size += 1
                    break
        sizes[image] = size


def _signature(dimensions: int) -> object:
    """Of `encode`, for features (N, D) or (N, parts, D)."""
    return void(
        int64,
        int64,
        constant(int32, 2),
        constant(float32, 2),
        constant(float32, 1),
        constant(int32, 2),
        constant(int32, 1),
        constant(int32, 2),
        constant(int32, 1),
        constant(float32, dimensions),
        constant(float32, dimensions),
        constant(float32, dimensions - 1),
        constant(float32, dimensions - 1),
        int64,
        array(int32, 1),
        array(int32, 2),
        array(float32, 2),
        array(int32, 1),
    )


@compiled(_signature(2), _signature(3))
def encode(
    first: int,
    last: int,
    neighbours: NDArray[np.int32],
    distances: NDArray[np.float32],
    farthest: NDArray[np.float32],
    reciprocal: NDArray[np.int32],
    reciprocal_sizes: NDArray[np.int32],
    half: NDArray[np.int32],
    half_sizes: NDArray[np.int32],
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_lengths: NDArray[np.float32],
    gallery_lengths: NDArray[np.float32],
    power: int,
    mark: NDArray[np.int32],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    sizes: NDArray[np.int32],
) -> None:
    """Encode images [first, last) as weights over their expanded reciprocal sets (equations 4, 7).

    The reciprocal set grows by the half-size set of each member, where more than two thirds of
    that set lie in the unexpanded one. The weight of a member at normalised distance d is
    exp(-d), and an image's weights add up to 1.

    distances, farthest: squared for features (N, D), summed for features (N, parts, D)
    power: of the distance, after its division by the farthest one
    mark: (N,) int32, scratch, holds no value in [2 first, 2 last) + 1
    columns, weights: (R, C), filled to sizes (R,); row r is image first + r, columns ascend
    """
    for image in range(first, last):
        inside, added = 2 * image, 2 * image + 1
        into = columns[image - first]
        size = 0
        for place in range(reciprocal_sizes[image]):
            member = reciprocal[image, place]
            mark[member] = inside
            into[size] = member
            size += 1
        for place in range(reciprocal_sizes[image]):
            member = reciprocal[image, place]
            common = 0
            for other in half[member, : half_sizes[member]]:
                common += mark[other] == inside
            if 3 * common > 2 * half_sizes[member]:
                for other in half[member, : half_sizes[member]]:
                    if mark[other] != inside and mark[other] != added:
                        mark[other] = added
                        into[size] = other
                        size += 1
        total = np.float32(0)
        scale = farthest[image]
        _sort(into, weights[image - first], size)
        for place in range(size):
            member = into[place]
            distance = np.float32(-1)
            for near in range(neighbours.shape[1]):
                if neighbours[image, near] == member:
                    distance = distances[image, near]
                    break
            if distance < 0:
                # The number of dimensions is known when the kernel is compiled.
                if query.ndim == 2:
                    distance = _squared_distance(
                        query, gallery, query_lengths, gallery_lengths, image, member
                    )
                else:
                    distance = _summed_distance(
                        query, gallery, query_lengths, gallery_lengths, image, member
                    )
            share = distance / scale if scale > 0 else np.float32(0)
            weight = np.float32(math.exp(-(np.float64(share) ** power)))
            weights[image - first, place] = weight
            total += weight
        for place in range(size):
            weights[image - first, place] /= total
        sizes[image - first] = size


@compiled(
    void(
        int64,
        int64,
        constant(int32, 2),
        int64,
        constant(int64, 1),
        constant(int32, 1),
        constant(float32, 1),
        array(float32, 1),
        array(int32, 2),
        array(float32, 2),
        array(int32, 1),
    )
)
def expand(
    first: int,
    last: int,
    neighbours: NDArray[np.int32],
    count: int,
    edges: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    sums: NDArray[np.float32],
    new_columns: NDArray[np.int32],
    new_weights: NDArray[np.float32],
    sizes: NDArray[np.int32],
) -> None:
    """Local query expansion: the mean encoding of an image's `count` nearest (equation 11).

    edges (N + 1,), columns, weights: the encodings as rows of a sparse matrix
    sums: (N,) float32, scratch, all zero before and after
    new_columns, new_weights: (R, C), filled to sizes (R,); row r is image first + r
    """
    for image in range(first, last):
        into = new_columns[image - first]
        size = 0
        for near in range(count):
            source = neighbours[image, near]
            for entry in range(edges[source], edges[source + 1]):
                column = columns[entry]
                if sums[column] == 0:
                    into[size] = column
                    size += 1
                sums[column] += weights[entry]
        _sort(into, new_weights[image - first], size)
        for place in range(size):
            new_weights[image - first, place] = sums[into[place]] / np.float32(count)
            sums[into[place]] = 0
        sizes[image - first] = size
