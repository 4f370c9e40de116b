"""The k-reciprocal encodings of all images, as a sparse matrix.

Source: Zhong et al., CVPR 2017, sections 3.2 to 3.4.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numba
import numpy as np
from numba import float32
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.compiling import (
    FloatRows,
    Floats,
    IntRows,
    Ints,
    Kernel,
    OutFloatRows,
    OutIntRows,
    OutInts,
    Places,
    compiled,
    read,
)
from topdb.retrieval.machine import Progress, Workers
from topdb.retrieval.neighbours import Neighbours

SCRATCH_BYTES = 16 * 2**20

# Features (N, D) or (N, parts, D), and their squared lengths (N,) or (parts, N).
_Values = Annotated[NDArray[np.float32], read(float32, 2), read(float32, 3)]
_Lengths = Annotated[NDArray[np.float32], read(float32, 1), read(float32, 2)]


@dataclass(frozen=True)
class Encoding:
    """A sparse matrix by rows: row i holds columns[edges[i]:edges[i + 1]], ascending.

    edges: (N + 1,) int64; columns: int32; weights: float32
    """

    edges: NDArray[np.int64]
    columns: NDArray[np.int32]
    weights: NDArray[np.float32]


def k_reciprocal_encoding(
    neighbours: Neighbours,
    query: Features,
    gallery: Features,
    k1: int,
    power: int,
    workers: Workers,
    progress: Progress,
) -> Encoding:
    """Weights over the expanded k1-reciprocal set of each image (Zhong et al., equations 3 to 7).

    power: of the neighbours' distances, after their division by the farthest image's
    """
    images = len(neighbours.indices)
    half = half_list(k1)
    arguments = (
        neighbours.indices,
        neighbours.distances,
        neighbours.farthest,
        *_reciprocal_sets(neighbours, k1 + 1, workers),
        *_reciprocal_sets(neighbours, half, workers),
        query.values,
        gallery.values,
        query.squared_lengths,
        gallery.squared_lengths,
        power,
    )
    widest = np.full(images, min(images, (k1 + 1) * (1 + half)))
    return _collect(widest, encode, arguments, workers, progress, "encoding")


def expanded_encoding(
    encoding: Encoding, neighbours: Neighbours, k2: int, workers: Workers, progress: Progress
) -> Encoding:
    """The mean of the encodings of each image's k2 nearest (equation 11); the same for k2 = 1."""
    if k2 == 1:
        return encoding
    sizes = np.diff(encoding.edges)
    widest = np.minimum(sizes[neighbours.indices[:, :k2]].sum(axis=1), len(sizes))
    arguments = neighbours.indices, k2, encoding.edges, encoding.columns, encoding.weights
    return _collect(widest, expand, arguments, workers, progress, "query expansion")


def half_list(k1: int) -> int:
    """Length of the half-size neighbour list: k1 / 2 rounded half to even, and the image."""
    return int(np.around(k1 / 2)) + 1


def _reciprocal_sets(
    neighbours: Neighbours, count: int, workers: Workers
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    images = len(neighbours.indices)
    members = np.empty((images, count), np.int32)
    sizes = np.empty(images, np.int32)
    workers.over(images, reciprocal_sets, neighbours.indices, count, members, sizes)
    return members, sizes


def _collect(
    widest: NDArray[np.int64],
    fill: Kernel,
    arguments: tuple[Any, ...],
    workers: Workers,
    progress: Progress,
    stage: str,
) -> Encoding:
    """Fill chunks of rows, of at most `widest` (N,) entries each, and lay them end to end."""
    images = len(widest)
    rows = int(max(1, min(images, SCRATCH_BYTES // (8 * max(1, widest.max())))))
    all_sizes, all_columns, all_weights = [], [], []
    for start in range(0, images, rows):
        stop = min(start + rows, images)
        width = int(max(1, widest[start:stop].max()))
        columns = np.empty((stop - start, width), np.int32)
        weights = np.empty((stop - start, width), np.float32)
        sizes = np.empty(stop - start, np.int32)
        workers.over(stop - start, fill, start, *arguments, columns, weights, sizes)
        filled = np.arange(width) < sizes[:, None]
        all_sizes.append(sizes)
        all_columns.append(columns[filled])
        all_weights.append(weights[filled])
        progress(stage, stop / images)
    edges = np.zeros(images + 1, np.int64)
    np.cumsum(np.concatenate(all_sizes), out=edges[1:])
    return Encoding(edges, np.concatenate(all_columns), np.concatenate(all_weights))


@compiled()
def reciprocal_sets(
    first: int, last: int, neighbours: IntRows, count: int, members: OutIntRows, sizes: OutInts
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


@compiled()
def encode(
    first: int,
    last: int,
    start: int,
    neighbours: IntRows,
    distances: FloatRows,
    farthest: Floats,
    reciprocal: IntRows,
    reciprocal_sizes: Ints,
    half: IntRows,
    half_sizes: Ints,
    query: _Values,
    gallery: _Values,
    query_lengths: _Lengths,
    gallery_lengths: _Lengths,
    power: int,
    columns: OutIntRows,
    weights: OutFloatRows,
    sizes: OutInts,
) -> None:
    """Encode images start + [first, last) as weights over their expanded reciprocal sets.

    The reciprocal set grows by the half-size set of each member, where more than two thirds of
    that set lie in the unexpanded one. The weight of a member at normalised distance d is
    exp(-d), and an image's weights add up to 1 (equations 4 and 7).

    distances, farthest: squared for features (N, D), summed for features (N, parts, D)
    power: of the distance, after its division by the farthest one
    columns, weights: (R, C), filled to sizes (R,); row r is image start + r, columns ascend
    """
    mark = np.full(len(neighbours), -1, np.int32)
    for row in range(first, last):
        image = start + row
        inside, added = 2 * image, 2 * image + 1
        into = columns[row]
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
        _sort(into, weights[row], size)
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
            weights[row, place] = weight
            total += weight
        for place in range(size):
            weights[row, place] /= total
        sizes[row] = size


@compiled()
def expand(
    first: int,
    last: int,
    start: int,
    neighbours: IntRows,
    count: int,
    edges: Places,
    columns: Ints,
    weights: Floats,
    new_columns: OutIntRows,
    new_weights: OutFloatRows,
    sizes: OutInts,
) -> None:
    """Local query expansion: the mean encoding of an image's `count` nearest (equation 11).

    edges (N + 1,), columns, weights: the encodings as rows of a sparse matrix
    new_columns, new_weights: (R, C), filled to sizes (R,); row r is image start + r, and rows
    [first, last) are written
    """
    sums = np.zeros(len(neighbours), np.float32)
    for row in range(first, last):
        into = new_columns[row]
        size = 0
        for near in range(count):
            source = neighbours[start + row, near]
            for entry in range(edges[source], edges[source + 1]):
                column = columns[entry]
                if sums[column] == 0:
                    into[size] = column
                    size += 1
                sums[column] += weights[entry]
        _sort(into, new_weights[row], size)
        for place in range(size):
            new_weights[row, place] = sums[into[place]] / np.float32(count)
            sums[into[place]] = 0
        sizes[row] = size
