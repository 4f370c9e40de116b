"""mAP: the mean average precision."""

import numpy as np
from numpy.typing import NDArray

from topdb.metrics import MatchRanks, Metric


def average_precision(matches: MatchRanks) -> NDArray[np.float64]:
    """Return the average precision of each query.

    By the rule `step` it is the mean of the precisions at the matches (Zheng et al., 2015, as the
    re-ID toolkits compute it). By `trapezoid` it is the mean of the precisions at and just before
    each match (the evaluation code published with Market-1501).
    """
    ranks, counts = matches.ranks, matches.counts[matches.evaluated]
    nth = np.arange(len(ranks)) - np.repeat(matches.firsts, counts) + 1
    precision = nth / ranks
    if matches.ap_rule == "trapezoid":
        before = np.ones(len(ranks))
        np.divide(nth - 1, ranks - 1, out=before, where=ranks > 1)
        precision = (before + precision) / 2
    return matches.column(np.add.reduceat(precision, matches.firsts) / counts, np.nan)


METRICS = (Metric("mAP", "mAP", "ap", of_ranks=average_precision, per_query=np.asarray),)
