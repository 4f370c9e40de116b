"""CMC, AP and INP of queries against a gallery, and the nearest images of each query."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.metrics import APRule, MatchRanks, columns, metric
from topdb.retrieval.checks import (
    Relevance,
    checked_choice,
    checked_count,
    checked_distances,
    checked_pair,
    relevance,
)
from topdb.retrieval.distances import block_rows, distance_blocks
from topdb.retrieval.machine import Progress, Workers, kernels_for, silent

AP_RULES: tuple[APRule, ...] = get_args(APRule)
NO_IMAGE = -1
_Blocks = Iterable[tuple[int, NDArray[np.floating]]]


@dataclass(frozen=True)
class SingleGalleryShot:
    """One random valid gallery image a person, drawn anew for each query and repeat.

    The protocol of Li et al. (CVPR 2014). CMC alone is single-shot: AP and INP, which need all
    matches, stay those of the whole gallery. The draws of a query depend on the seed and on the
    query's row alone. Distractors count as one person.
    """

    repeats: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checked_count("repeats", self.repeats)
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give a whole number of at least 0.")


@dataclass(frozen=True)
class Scoring:
    """How a ranking is scored; see `rank`. Raises ValueError for an option that cannot be."""

    ap_rule: APRule = "step"
    max_rank: int = 20
    top: int = 0
    single_gallery_shot: SingleGalleryShot | None = None

    def __post_init__(self) -> None:
        checked_choice("ap_rule", self.ap_rule, AP_RULES)
        checked_count("max_rank", self.max_rank)
        if self.top:
            checked_count("top", self.top)


@dataclass(frozen=True)
class RankingResult:
    """The scores of one evaluation; every share is a fraction in [0, 1].

    columns: (Q,) arrays, what `topdb.metrics` keep of each query: `ap`, `inp`, `first_match_rank`
    and those of metrics that were added
    matches: (Q,) int64, valid matches of the query in the gallery
    cmc: (max_rank,) float64, share of evaluated queries with a match at rank 1, 2, ... or before
    top: (Q, top) int64, gallery rows of the nearest valid images, nearest first, then -1 where
    there are no more; as wide as the ranking was asked for
    """

    columns: dict[str, NDArray[Any]]
    matches: NDArray[np.int64]
    cmc: NDArray[np.float64]
    top: NDArray[np.int64]

    @property
    def ap(self) -> NDArray[np.float64]:
        """(Q,) average precision; NaN where a query has no valid match."""
        return self.columns["ap"]

    @property
    def inp(self) -> NDArray[np.float64]:
        """(Q,) inverse negative penalty (Ye et al., 2021); NaN where there is no match."""
        return self.columns["inp"]

    @property
    def first_match_rank(self) -> NDArray[np.int64]:
        """(Q,) rank of the first match, from 1; 0 where there is none."""
        return self.columns["first_match_rank"]

    @property
    def mAP(self) -> float:  # noqa: N802
        """Mean AP over the evaluated queries."""
        return self.summary("mAP")

    @property
    def mINP(self) -> float:  # noqa: N802
        """Mean INP over the evaluated queries."""
        return self.summary("mINP")

    @property
    def queries(self) -> int:
        """Number of evaluated queries."""
        return int((self.matches > 0).sum())

    @property
    def queries_without_match(self) -> int:
        """Number of queries left out, since they have no valid match."""
        return len(self.matches) - self.queries

    def summary(self, name: str) -> float:
        """Return the mean of a metric over the evaluated queries. Raises KeyError for another."""
        wanted = metric(name)
        return wanted.summary(self.columns[wanted.column])


def rank(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    ap_rule: APRule = "step",
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
    scoring = Scoring(ap_rule, max_rank, top, single_gallery_shot)
    query, gallery = checked_pair(query_features, gallery_features)
    shape = len(query), len(gallery)
    found = relevance(shape, query_pids, gallery_pids, query_camids, gallery_camids)
    with Workers(threads) as workers:
        blocks = distance_blocks(query, gallery, workers, device)
        return score_blocks(blocks, found, scoring, workers, progress or silent)


def rank_distances(
    distances: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    ap_rule: APRule = "step",
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
    scoring = Scoring(ap_rule, max_rank, top, single_gallery_shot)
    matrix = checked_distances(distances)
    shape = len(matrix), matrix.shape[1]
    found = relevance(shape, query_pids, gallery_pids, query_camids, gallery_camids)
    rows = block_rows(matrix.shape[1])
    blocks = ((first, matrix[first : first + rows]) for first in range(0, len(matrix), rows))
    with Workers(threads) as workers:
        return score_blocks(blocks, found, scoring, workers, progress or silent)


def score_blocks(
    blocks: _Blocks, found: Relevance, scoring: Scoring, workers: Workers, progress: Progress
) -> RankingResult:
    """Score a ranking from blocks of distances that together cover all queries in order."""
    queries, shot = len(found.query_pids), scoring.single_gallery_shot
    ranks_of_matches = kernels_for(queries * len(found.gallery_pids)).ranks_of_matches
    edges = found.match_edges, found.matches, found.junk_edges, found.junk
    ranks = np.empty(len(found.matches), np.int64)
    nearest = np.full((queries, scoring.top), NO_IMAGE, np.int64)
    counter = _SingleShotCounter(shot, found, scoring.max_rank) if shot else None
    for first, block in blocks:
        workers.over(len(block), ranks_of_matches, block, first, *edges, ranks)
        if scoring.top:
            workers.over(len(block), _write_nearest, block, first, found, nearest)
        if counter is not None:
            counter.add(first, block)
        progress("ranking", (first + len(block)) / queries)
    counts = np.diff(found.match_edges)
    in_order = np.lexsort((ranks, np.repeat(np.arange(queries), counts)))
    matches = MatchRanks(ranks[in_order], counts, scoring.ap_rule)
    kept = columns(matches)
    if counter is not None:
        cmc = counter.cmc()
    else:
        first_ranks = matches.ranks[matches.firsts]
        cmc = _cumulative_matches(first_ranks, scoring.max_rank) / len(first_ranks)
    return RankingResult(kept, counts, cmc, nearest)


def _cumulative_matches(first_match_rank: NDArray[np.int64], max_rank: int) -> NDArray[np.float64]:
    """How many of the ranks are at most 1, 2, ..., max_rank: (max_rank,) float64."""
    at_rank = np.bincount(np.minimum(first_match_rank, max_rank + 1), minlength=max_rank + 2)
    return np.cumsum(at_rank[1 : max_rank + 1]).astype(np.float64)


class _SingleShotCounter:
    """Adds up the single-shot CMC while blocks of distances pass by."""

    def __init__(self, protocol: SingleGalleryShot, found: Relevance, max_rank: int) -> None:
        self._protocol = protocol
        self._found = found
        self._max_rank = max_rank
        self._by_person = np.argsort(found.gallery_pids, kind="stable")
        self._persons, self._starts, self._sizes = np.unique(
            found.gallery_pids[self._by_person], return_index=True, return_counts=True
        )
        self._hits = np.zeros(max_rank)
        self._queries = 0

    def add(self, first: int, distances: NDArray[np.floating]) -> None:
        """Count the queries of one block; row r is query first + r."""
        for row, line in enumerate(distances):
            edges = self._found.match_edges[first + row : first + row + 2]
            matches = self._found.matches[edges[0] : edges[1]]
            if len(matches):
                ranks = self._first_match_ranks(first + row, line, matches)
                self._hits += _cumulative_matches(ranks, self._max_rank) / len(ranks)
                self._queries += 1

    def cmc(self) -> NDArray[np.float64]:
        """Mean CMC over the repeats and the evaluated queries, (max_rank,) float64."""
        return self._hits / self._queries

    def _first_match_ranks(
        self, query: int, line: NDArray[np.floating], matches: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        random = np.random.default_rng([self._protocol.seed, query])
        share = random.random((self._protocol.repeats, len(self._persons)))
        drawn = self._by_person[self._starts + (share * self._sizes).astype(np.int64)]
        own = int(np.searchsorted(self._persons, self._found.query_pids[query]))
        match = matches[(share[:, own] * len(matches)).astype(np.int64)]
        drawn[:, own] = match
        others, wanted = line[drawn], line[match][:, None]
        before = (others < wanted) | ((others == wanted) & (drawn < match[:, None]))
        return np.asarray(before.sum(axis=1) + 1, np.int64)


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
    labels = query_pids, gallery_pids, query_camids, gallery_camids
    with Workers(threads) as workers:
        blocks = distance_blocks(query, gallery, workers)
        return top_of_blocks(blocks, (len(query), len(gallery)), *labels, k)


def top_of_blocks(
    blocks: _Blocks,
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
    labels = query_pids, gallery_pids, query_camids, gallery_camids
    found = relevance(shape, *labels, matched=False)
    nearest = np.full((shape[0], k), NO_IMAGE, np.int64)
    for first, block in blocks:
        _write_nearest(0, len(block), block, first, found, nearest)
    return nearest


def _write_nearest(
    first: int,
    last: int,
    distances: NDArray[np.floating],
    first_query: int,
    found: Relevance,
    nearest: NDArray[np.int64],
) -> None:
    """Write the nearest valid images, in the order of a stable sort, to rows of `nearest` (Q, k).

    distances: (R, G), of queries first_query + r, r in [first, last)
    """
    k = nearest.shape[1]
    for row in range(first, last):
        query, line = first_query + row, distances[row]
        junk = found.junk[found.junk_edges[query] : found.junk_edges[query + 1]]
        enough = k + len(junk)
        if enough < len(line):
            limit = np.partition(line, enough - 1)[enough - 1]
            near = np.flatnonzero(line <= limit)
        else:
            near = np.arange(len(line))
        images = near[np.argsort(line[near], kind="stable")]
        if len(junk):
            images = images[~np.isin(images, junk)]
        nearest[query, : min(k, len(images))] = images[:k]
