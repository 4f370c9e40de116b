"""k-reciprocal re-ranking without a matrix over all pairs of images.

Source: Zhong et al., Re-ranking person re-identification with k-reciprocal encoding, CVPR 2017.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.metrics import APRule
from topdb.retrieval.checks import (
    Features,
    checked_choice,
    checked_pair,
    relevance,
)
from topdb.retrieval.compiling import (
    Floats,
    Ints,
    OutFloatRows,
    OutFloats,
    OutInts,
    OutPlaces,
    Places,
    compiled,
)
from topdb.retrieval.distances import DEVICES, Block, distance_blocks
from topdb.retrieval.encoding import (
    Encoding,
    expanded_encoding,
    half_list,
    k_reciprocal_encoding,
)
from topdb.retrieval.machine import Progress, Workers, silent
from topdb.retrieval.neighbours import nearest_neighbours
from topdb.retrieval.parameters import Parameters
from topdb.retrieval.ranking import RankingResult, Scoring, SingleGalleryShot, score_blocks


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
        encodings = (
            self.query_encoding.edges,
            self.query_encoding.columns,
            self.query_encoding.weights,
            self.gallery_by_column.edges,
            self.gallery_by_column.columns,
            self.gallery_by_column.weights,
        )
        power = self.parameters.power_of_distances(self.query)
        weight = np.float32(self.parameters.lambda_)
        for first, block in distance_blocks(self.query, self.gallery, workers, self.device):
            arguments = first, *encodings, self.farthest, power, weight, block
            workers.over(len(block), reranked_distances, *arguments)
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
    k1, k2, power = parameters.k1, parameters.k2, parameters.power_of_distances(query)
    count = max(k1 + 1, k2, half_list(k1))
    neighbours = nearest_neighbours(query, gallery, count, workers, progress, device)
    encoding = k_reciprocal_encoding(neighbours, query, gallery, k1, power, workers, progress)
    encoding = expanded_encoding(encoding, neighbours, k2, workers, progress)
    queries = len(query)
    return Reranking(
        query,
        gallery,
        _rows_before(encoding, queries),
        _by_column_after(encoding, queries),
        neighbours.farthest[:queries],
        parameters,
        device,
    )


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


def rank_reranked(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    variant: str = "torchreid",
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    ap_rule: APRule = "step",
    max_rank: int = 20,
    top: int = 0,
    single_gallery_shot: SingleGalleryShot | None = None,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> RankingResult:
    """Re-rank as `rerank` does and score the ranking as `rank` does, a block at a time.

    Arguments, dtypes and errors are theirs.
    """
    parameters = Parameters(variant, k1, k2, lambda_)
    scoring = Scoring(ap_rule, max_rank, top, single_gallery_shot)
    query, gallery = checked_pair(query_features, gallery_features)
    shape = len(query), len(gallery)
    found = relevance(shape, query_pids, gallery_pids, query_camids, gallery_camids)
    with Workers(threads) as workers:
        reranking = prepare(query, gallery, parameters, workers, device, progress or silent)
        blocks = reranking.blocks_by(workers)
        return score_blocks(blocks, found, scoring, workers, progress or silent)


def _rows_before(encoding: Encoding, row: int) -> Encoding:
    end = encoding.edges[row]
    return Encoding(encoding.edges[: row + 1], encoding.columns[:end], encoding.weights[:end])


def _by_column_after(encoding: Encoding, row: int) -> Encoding:
    start = encoding.edges[row]
    columns, weights = encoding.columns[start:], encoding.weights[start:]
    edges = np.zeros(len(encoding.edges), np.int64)
    rows, values = np.empty_like(columns), np.empty_like(weights)
    invert(encoding.edges[row:] - start, columns, weights, edges, rows, values)
    return Encoding(edges, rows, values)


@compiled()
def invert(
    edges: Places,
    columns: Ints,
    weights: Floats,
    list_edges: OutPlaces,
    list_rows: OutInts,
    list_weights: OutFloats,
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


@compiled()
def reranked_distances(
    first: int,
    last: int,
    first_query: int,
    edges: Places,
    columns: Ints,
    weights: Floats,
    list_edges: Places,
    list_rows: Ints,
    list_weights: Floats,
    farthest: Floats,
    power: int,
    lambda_: np.float32,
    distances: OutFloatRows,
) -> None:
    """Turn rows [first, last) of distances into re-ranked ones, in place (equation 12).

    Encodings add up to 1, so that with m the sum of the smaller weights the Jaccard distance is
    1 - m / (2 - m).

    edges, columns, weights: the encodings of the queries; list_*: those of the gallery, by column
    power: 1, 2 or 4, of the distances given, after their division by the farthest one
    distances: (R, G), of queries first_query + r
    """
    gallery = distances.shape[1]
    shared = np.zeros(gallery, np.float32)
    rest = np.float32(1) - lambda_
    for row in range(first, last):
        query = first_query + row
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
