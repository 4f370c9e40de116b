"""The nearest valid gallery images of chosen queries, for figures."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval.checks import checked_count, checked_pair
from topdb.retrieval.distances import distance_blocks
from topdb.retrieval.labels import Relevance, checked_labels
from topdb.retrieval.workers import Workers

NO_IMAGE = -1


def top_matches(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    k: int,
    *,
    threads: int | None = None,
) -> NDArray[np.int64]:
    """Gallery rows of the k nearest valid images of each query, nearest first.

    Junk is left out; equal distances are ordered by gallery row. Arguments as in `rank`; give
    the chosen queries alone.

    Returns (Q, k) int64; where fewer than k images are valid, the rest of the row is -1.
    Raises ValueError as `rank` does, but for queries without a match.
    """
    query, gallery = checked_pair(query_features, gallery_features)
    with Workers(threads) as workers:
        return top_of_blocks(
            distance_blocks(query, gallery, workers),
            (len(query), len(gallery)),
            query_pids,
            gallery_pids,
            query_camids,
            gallery_camids,
            k,
        )


def top_of_blocks(
    blocks: Iterable[tuple[int, NDArray[np.floating]]],
    shape: tuple[int, int],
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    k: int,
) -> NDArray[np.int64]:
    """As `top_matches`, from blocks of distances, such as those of a `Reranking`.

    blocks: (first query, distances (rows, G)); shape: (Q, G)
    """
    checked_count("k", k)
    labels = checked_labels(*shape, query_pids, gallery_pids, query_camids, gallery_camids)
    found = np.full((shape[0], k), NO_IMAGE, np.int64)
    for first, block in blocks:
        for row, line in enumerate(block):
            query = first + row
            junk = (labels.gallery_pids == labels.query_pids[query]) & (
                labels.gallery_camids == labels.query_camids[query]
            )
            nearest = nearest_valid(line, np.flatnonzero(junk), k)
            found[query, : len(nearest)] = nearest
    return found


def nearest_valid(
    distances: NDArray[np.floating], junk: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """Rows of the k nearest images that are not junk, in the order of a stable sort.

    distances: (G,); junk: (J,) rows of the gallery. Returns at most k rows, int64.
    """
    enough = k + len(junk)
    if enough < len(distances):
        limit = np.partition(distances, enough - 1)[enough - 1]
        near = np.flatnonzero(distances <= limit)
    else:
        near = np.arange(len(distances))
    nearest = near[np.argsort(distances[near], kind="stable")]
    if len(junk):
        nearest = nearest[~np.isin(nearest, junk)]
    return np.asarray(nearest[:k], np.int64)


def write_nearest(
    distances: NDArray[np.floating],
    relevance: Relevance,
    queries: slice,
    nearest: NDArray[np.int64],
) -> None:
    """Write the nearest valid images of some queries to their rows of `nearest` (Q, k).

    distances: (rows, G), of the queries of that slice
    """
    for query, line in zip(range(queries.start, queries.stop), distances, strict=True):
        junk = relevance.junk[relevance.junk_edges[query] : relevance.junk_edges[query + 1]]
        rows = nearest_valid(line, junk, nearest.shape[1])
        nearest[query, : len(rows)] = rows
