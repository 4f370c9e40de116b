"""mINP: the mean inverse negative penalty."""

import numpy as np
from numpy.typing import NDArray

from topdb.metrics import MatchRanks, Metric


def inverse_negative_penalty(matches: MatchRanks) -> NDArray[np.float64]:
    """Return the matches of each query divided by the rank of the last one (Ye et al., 2021)."""
    counts = matches.counts[matches.evaluated]
    return matches.column(counts / matches.ranks[matches.lasts], np.nan)


METRICS = (Metric("mINP", "mINP", "inp", of_ranks=inverse_negative_penalty, per_query=np.asarray),)
