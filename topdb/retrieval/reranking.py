"""k-reciprocal re-ranking without a matrix over all pairs of images.

Source: Zhong et al., Re-ranking person re-identification with k-reciprocal encoding, CVPR 2017.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval import small_reranking
from topdb.retrieval.checks import Features, checked_choice, checked_count, checked_pair
from topdb.retrieval.distances import DEVICES, Block, distance_blocks
from topdb.retrieval.encoding import (
    Encoding,
    expanded_encoding,
    half_list,
    k_reciprocal_encoding,
)
from topdb.retrieval.neighbours import nearest_neighbours
from topdb.retrieval.progress import Progress, silent
from topdb.retrieval.workers import Workers

# What the squared Euclidean distance is raised to before its normalisation. torchreid's code
# squares the squared distances that it is given; the authors' own squares plain distances once.
# The distance that is summed over parts is raised to twice as much, since it is not squared.
POWER_OF_SQUARED_DISTANCE = {"torchreid": 2, "zhong2017": 1}
VARIANTS = tuple(POWER_OF_SQUARED_DISTANCE)


@dataclass(frozen=True)
class Parameters:
    """The variant of re-ranking and its constants; see `rerank`.

    Raises ValueError for one that can be right for no gallery.
    """

    variant: str = "torchreid"
    k1: int = 20
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        checked_choice("variant", self.variant, VARIANTS)
        checked_count("k1", self.k1)
        checked_count("k2", self.k2)
        if not 0 <= self.lambda_ <= 1:
            raise ValueError(f"lambda_ is {self.lambda_}; give a number in [0, 1].")

    @property
    def power(self) -> int:
        """What the squared distance is raised to before its normalisation."""
        return POWER_OF_SQUARED_DISTANCE[self.variant]

    def power_of_distances(self, features: Features) -> int:
        """What the distances that such features are ranked by are raised to."""
        return self.power if features.parts is None else 2 * self.power


@dataclass(frozen=True)
class Reranking:
    """Re-ranked distances of all queries, computed a block of queries at a time on demand.

    It holds the features, the sparse encodings of the queries, and those of the gallery by
    column, so that its size grows with the number of images and not with its square.
    """

    query: Features
    gallery: Features
    query_encoding: Encoding
    gallery_by_column: Encoding
    farthest: NDArray[np.float32]
    parameters: Parameters
    device: str

    def blocks(self, threads: int | None = None) -> Iterator[Block]:
        """First query and re-ranked distances (rows, G) float32 of each block, in order.

        The memory of a block is reused for the next one: copy what you keep.
        """
        with Workers(threads) as workers:
            yield from self.blocks_by(workers)

    def blocks_by(self, workers: Workers) -> Iterator[Block]:
        """The blocks, computed by the given workers."""
        images = len(self.query) + len(self.gallery)
        reranked_distances = _jaccard_functions(images).reranked_distances
        power = self.parameters.power_of_distances(self.query)
        for first, block in distance_blocks(self.query, self.gallery, workers, self.device):

            def finish(
                low: int, high: int, first: int = first, block: NDArray[np.float32] = block
            ) -> None:
                reranked_distances(
                    first + low,
                    self.query_encoding.edges,
                    self.query_encoding.columns,
                    self.query_encoding.weights,
                    self.gallery_by_column.edges,
                    self.gallery_by_column.columns,
                    self.gallery_by_column.weights,
                    self.farthest,
                    power,
                    np.float32(self.parameters.lambda_),
                    block[low:high],
                    np.zeros(len(self.gallery), np.float32),
                )

            workers.over(len(block), finish)
            yield first, block

    def distances(self, threads: int | None = None) -> NDArray[np.float32]:
        """The whole (Q, G) float32 matrix of re-ranked distances."""
        out = np.empty((len(self.query), len(self.gallery)), np.float32)
        for first, block in self.blocks(threads):
            out[first : first + len(block)] = block
        return out


def rerank(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    *,
    variant: str = "torchreid",
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Reranking:
    """Prepare k-reciprocal re-ranking of query against gallery.

    The re-ranked distance is (1 - lambda_) Jaccard + lambda_ original, where the original
    distance is a power of the Euclidean one, divided by its maximum over query and gallery
    together. Equally near neighbours are ordered by row, query before gallery.

    For features with parts, the sum over the parts of Euclidean distances takes the place of the
    Euclidean distance throughout, and the variant's power is that of the sum. A single part gives
    the numbers of features without parts, to float32's rounding.

    query_features: (Q, D), gallery_features: (G, D), or with parts (Q, parts, D) and
    (G, parts, D), float32
    variant: `torchreid`, the distance to the fourth power, which is the squared distance squared
    again (the numbers of that library and of the papers that used it), or `zhong2017`, the
    distance squared
    k1: neighbours whose reciprocity counts; k2: neighbours of the query expansion (1: none);
    lambda_: share of the original distance, in [0, 1]
    threads, device, progress: as in `rank`

    Raises ValueError for bad features, k1 or k2 below 1 or above the gallery's size, lambda_
    outside [0, 1], or an unknown variant.
    """
    parameters = Parameters(variant, k1, k2, lambda_)
    query, gallery = checked_pair(query_features, gallery_features)
    with Workers(threads) as workers:
        return prepare(query, gallery, parameters, workers, device, progress or silent)


def prepare(
    query: Features,
    gallery: Features,
    parameters: Parameters,
    workers: Workers,
    device: str,
    progress: Progress,
) -> Reranking:
    """As `rerank`, for features that have been checked."""
    for name, value in (("k1", parameters.k1), ("k2", parameters.k2)):
        if value > len(gallery):
            raise ValueError(
                f"{name} is {value} and gallery_features has only {len(gallery)} rows; "
                f"give a {name} of at most the size of the gallery."
            )
    checked_choice("device", device, DEVICES)
    encoding, farthest = _encode(query, gallery, parameters, workers, device, progress)
    return Reranking(
        query,
        gallery,
        _rows_before(encoding, len(query)),
        _by_column_after(encoding, len(query)),
        farthest[: len(query)],
        parameters,
        device,
    )


def _encode(
    query: Features,
    gallery: Features,
    parameters: Parameters,
    workers: Workers,
    device: str,
    progress: Progress,
) -> tuple[Encoding, NDArray[np.float32]]:
    """Expanded encodings of all images, and the largest distance of each."""
    k1, k2, power = parameters.k1, parameters.k2, parameters.power_of_distances(query)
    count = max(k1 + 1, k2, half_list(k1))
    if device == "cuda":
        from topdb.retrieval.cuda import cuda_nearest_neighbours

        neighbours = cuda_nearest_neighbours(query, gallery, count, progress)
    elif small_reranking.is_small(len(query) + len(gallery)):
        found = small_reranking.expanded_encoding(query, gallery, k1, k2, power)
        progress("encoding", 1.0)
        return found
    else:
        neighbours = nearest_neighbours(query, gallery, count, workers, progress)
    encoding = k_reciprocal_encoding(neighbours, query, gallery, k1, power, workers, progress)
    encoding = expanded_encoding(encoding, neighbours, k2, workers, progress)
    return encoding, neighbours.farthest


def _jaccard_functions(images: int) -> ModuleType:
    if small_reranking.is_small(images):
        return small_reranking
    # numba is imported by the work that pays for it.
    from topdb.retrieval import jaccard_kernels

    return jaccard_kernels


def rerank_distances(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    *,
    variant: str = "torchreid",
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The (Q, G) float32 matrix of re-ranked distances; arguments and errors as in `rerank`."""
    reranking = rerank(
        query_features,
        gallery_features,
        variant=variant,
        k1=k1,
        k2=k2,
        lambda_=lambda_,
        threads=threads,
        device=device,
        progress=progress,
    )
    return reranking.distances(threads)


def _rows_before(encoding: Encoding, row: int) -> Encoding:
    end = encoding.edges[row]
    return Encoding(encoding.edges[: row + 1], encoding.columns[:end], encoding.weights[:end])


def _by_column_after(encoding: Encoding, row: int) -> Encoding:
    start = encoding.edges[row]
    columns, weights = encoding.columns[start:], encoding.weights[start:]
    edges = np.zeros(len(encoding.edges), np.int64)
    rows, values = np.empty_like(columns), np.empty_like(weights)
    invert = _jaccard_functions(len(encoding.edges) - 1).invert
    invert(encoding.edges[row:] - start, columns, weights, edges, rows, values)
    return Encoding(edges, rows, values)
