"""CMC, AP and INP from the ranks of the matches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AP_RULES = ("step", "trapezoid")


@dataclass(frozen=True)
class RankingResult:
    """The scores of one evaluation; every share is a fraction in [0, 1].

    ap: (Q,) float64, average precision; NaN where a query has no valid match
    inp: (Q,) float64, inverse negative penalty (Ye et al., 2021); NaN where there is no match
    first_match_rank: (Q,) int64, 1-based rank of the first match; 0 where there is none
    matches: (Q,) int64, valid matches of the query in the gallery
    cmc: (max_rank,) float64, share of evaluated queries with a match at rank 1, 2, ... or before
    mAP, mINP: means over the evaluated queries
    queries: number of evaluated queries
    queries_without_match: number of queries left out, since they have no valid match
    top: (Q, top) int64, gallery rows of the nearest valid images, nearest first, then -1 where
    there are no more; as wide as the ranking was asked for
    """

    ap: NDArray[np.float64]
    inp: NDArray[np.float64]
    first_match_rank: NDArray[np.int64]
    matches: NDArray[np.int64]
    cmc: NDArray[np.float64]
    mAP: float  # noqa: N815
    mINP: float  # noqa: N815
    queries: int
    queries_without_match: int
    top: NDArray[np.int64]


def scores(
    ranks: NDArray[np.int64],
    match_counts: NDArray[np.int64],
    ap_rule: str,
    max_rank: int,
    top: NDArray[np.int64],
) -> RankingResult:
    """Score queries by the 1-based ranks of their matches.

    ranks: (M,) int64, the queries' ranks laid end to end, in any order within a query
    match_counts: (Q,) int64, ranks of each query; at least one is not zero
    ap_rule: `step`, the mean precision at the matches (Zheng et al., 2015, as the re-ID
    toolkits compute it), or `trapezoid`, the mean of the precisions at and just before each
    match (the evaluation code published with Market-1501)
    top: (Q, top) int64, handed on
    """
    counts = match_counts
    query = np.repeat(np.arange(len(counts)), counts)
    ranks = ranks[np.lexsort((ranks, query))]
    first_entry = (np.cumsum(counts) - counts)[counts > 0]
    nth = np.arange(len(ranks)) - np.repeat(first_entry, counts[counts > 0]) + 1
    precision = nth / ranks
    if ap_rule == "trapezoid":
        before = np.ones(len(ranks))
        np.divide(nth - 1, ranks - 1, out=before, where=ranks > 1)
        precision = (before + precision) / 2
    evaluated = counts > 0
    ap = np.full(len(counts), np.nan)
    ap[evaluated] = np.add.reduceat(precision, first_entry) / counts[evaluated]
    last_entry = first_entry + counts[evaluated] - 1
    inp = np.full(len(counts), np.nan)
    inp[evaluated] = counts[evaluated] / ranks[last_entry]
    first = np.zeros(len(counts), np.int64)
    first[evaluated] = ranks[first_entry]
    return RankingResult(
        ap=ap,
        inp=inp,
        first_match_rank=first,
        matches=counts,
        cmc=cumulative_matches(first[evaluated], max_rank) / evaluated.sum(),
        mAP=float(ap[evaluated].mean()),
        mINP=float(inp[evaluated].mean()),
        queries=int(evaluated.sum()),
        queries_without_match=int((~evaluated).sum()),
        top=top,
    )


def cumulative_matches(first_match_rank: NDArray[np.int64], max_rank: int) -> NDArray[np.float64]:
    """How many of the ranks are at most 1, 2, ..., max_rank: (max_rank,) float64."""
    at_rank = np.bincount(np.minimum(first_match_rank, max_rank + 1), minlength=max_rank + 2)
    return np.cumsum(at_rank[1 : max_rank + 1]).astype(np.float64)
