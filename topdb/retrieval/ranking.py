"""CMC, AP and INP of queries against a gallery."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval import small_ranking
from topdb.retrieval.checks import (
    checked_choice,
    checked_count,
    checked_distances,
    checked_pair,
)
from topdb.retrieval.distances import block_rows, distance_blocks
from topdb.retrieval.labels import Labels, Relevance, checked_labels, relevance
from topdb.retrieval.progress import Progress, silent
from topdb.retrieval.scores import AP_RULES, RankingResult, scores
from topdb.retrieval.single_shot import SingleGalleryShot, SingleShotCounter
from topdb.retrieval.top_matches import NO_IMAGE, write_nearest
from topdb.retrieval.workers import Workers


def rank(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    ap_rule: str = "step",
    max_rank: int = 20,
    top: int = 0,
    single_gallery_shot: SingleGalleryShot | None = None,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> RankingResult:
    """Rank the gallery for each query by the distance of features, and score the ranking.

    The distance is the squared Euclidean one, whose order is that of the Euclidean distance. For
    features with parts it is the sum over the parts of Euclidean distances, not squared.
    Gallery images of the query's person under its own camera are junk and leave the list;
    person 0 is a distractor and always wrong; equal distances are ordered by gallery row; a
    query without a valid match is left out and counted. Blocks of queries are ranked one after
    another, so that the matrix of distances is never in memory.

    query_features: (Q, D), gallery_features: (G, D), or with parts (Q, parts, D) and
    (G, parts, D), float32 (a memory map is not copied); `feature_distances` gives their distances
    query_pids, query_camids: (Q,), gallery_pids, gallery_camids: (G,), whole numbers
    ap_rule: `step` (torchreid, fast-reid) or `trapezoid` (Market-1501's own evaluation)
    max_rank: length of the CMC curve; it may exceed the gallery
    top: nearest valid images of each query to return
    single_gallery_shot: CMC by CUHK03's classic protocol in place of the whole gallery's
    threads: threads of the kernels; default: all that the process may use (BLAS has its own)
    device: `cpu`, or `cuda` for the products of features on a GPU through torch
    progress: called with the stage and the share done

    Raises ValueError for input that has no score: empty, of unequal lengths, parts or
    dimensions, not finite, without a valid match, or with an unknown option.
    Source: Zheng et al., Scalable person re-identification: a benchmark, ICCV 2015.
    """
    check_options(ap_rule, max_rank, top)
    query, gallery = checked_pair(query_features, gallery_features)
    labels = checked_labels(
        len(query), len(gallery), query_pids, gallery_pids, query_camids, gallery_camids
    )
    found = relevance(labels)
    with Workers(threads) as workers:
        blocks = distance_blocks(query, gallery, workers, device)
        return score_blocks(
            blocks,
            labels,
            found,
            workers,
            ap_rule,
            max_rank,
            top,
            single_gallery_shot,
            progress or silent,
        )


def rank_distances(
    distances: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    ap_rule: str = "step",
    max_rank: int = 20,
    top: int = 0,
    single_gallery_shot: SingleGalleryShot | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> RankingResult:
    """Score the ranking that a given matrix of distances makes; the rules are those of `rank`.

    distances: (Q, G), finite; float32 and float64 are ordered as they are, other types as
    float64.

    Raises ValueError as `rank` does.
    """
    check_options(ap_rule, max_rank, top)
    matrix = checked_distances(distances)
    labels = checked_labels(
        len(matrix), matrix.shape[1], query_pids, gallery_pids, query_camids, gallery_camids
    )
    found = relevance(labels)
    rows = block_rows(matrix.shape[1])
    blocks = ((first, matrix[first : first + rows]) for first in range(0, len(matrix), rows))
    with Workers(threads) as workers:
        return score_blocks(
            blocks,
            labels,
            found,
            workers,
            ap_rule,
            max_rank,
            top,
            single_gallery_shot,
            progress or silent,
        )


def score_blocks(
    blocks: Iterable[tuple[int, NDArray[np.floating]]],
    labels: Labels,
    found: Relevance,
    workers: Workers,
    ap_rule: str,
    max_rank: int,
    top: int,
    single_gallery_shot: SingleGalleryShot | None,
    progress: Progress,
) -> RankingResult:
    """Score a ranking from blocks of distances that together cover all queries in order."""
    ranks_of_matches = _counting_function(labels, len(found.matches))
    ranks = np.empty(len(found.matches), np.int64)
    nearest = np.full((len(labels.query_pids), top), NO_IMAGE, np.int64)
    counter = None
    if single_gallery_shot is not None:
        counter = SingleShotCounter(single_gallery_shot, labels, found, max_rank)
    for first, block in blocks:

        def count(
            low: int, high: int, first: int = first, block: NDArray[np.floating] = block
        ) -> None:
            ranks_of_matches(
                block[low:high],
                first + low,
                found.match_edges,
                found.matches,
                found.junk_edges,
                found.junk,
                ranks,
            )
            if top:
                queries = slice(first + low, first + high)
                write_nearest(block[low:high], found, queries, nearest)

        workers.over(len(block), count)
        if counter is not None:
            counter.add(first, block)
        progress("ranking", (first + len(block)) / len(labels.query_pids))
    result = scores(ranks, found.match_counts, ap_rule, max_rank, nearest)
    return result if counter is None else replace(result, cmc=counter.cmc())


def check_options(ap_rule: str, max_rank: int, top: int) -> None:
    """Raise ValueError for an unknown AP rule, a CMC without a rank, or a negative `top`."""
    checked_choice("ap_rule", ap_rule, AP_RULES)
    checked_count("max_rank", max_rank)
    if top:
        checked_count("top", top)


def _counting_function(labels: Labels, matches: int) -> Callable[..., None]:
    if small_ranking.is_small(len(labels.query_pids), len(labels.gallery_pids), matches):
        return small_ranking.ranks_of_matches
    # numba is imported by the work that pays for it.
    from topdb.retrieval import ranking_kernels

    return ranking_kernels.ranks_of_matches
