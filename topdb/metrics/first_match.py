"""R1, R5, R10, R20: whether the first match of a query has at most this rank."""

import numpy as np
from numpy.typing import NDArray

from topdb.metrics import MatchRanks, Metric


def first_match_rank(matches: MatchRanks) -> NDArray[np.int64]:
    """Return the rank of the first match of each query; 0 where there is none."""
    return matches.column(matches.ranks[matches.firsts], 0)


def _within(last: int) -> Metric:
    def hits(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(ranks < 1, np.nan, ranks <= last)

    return Metric(f"R{last}", f"R{last}", "first_match_rank", first_match_rank, hits)


METRICS = tuple(map(_within, (1, 5, 10, 20)))
