"""Which places methods may have: confidence sets of ranks."""

import numpy as np
from numpy.typing import ArrayLike

from topdb.statistics.checks import open_share
from topdb.statistics.multiplicity import holm


def rank_sets(p_above: ArrayLike, *, confidence: float = 0.95) -> list[tuple[int, int]]:
    """Confidence sets of all ranks at once, the best being rank 1.

    p_above: (k, k), entry [i, j] the one-sided p of the null hypothesis that i is at most as good
    as j; the diagonal is not looked at
    returns: for each its first and its last possible rank; that all k sets hold the true ranks at
    once is true of at least the given share of studies, whatever ties there are

    Of k (k - 1) one-sided hypotheses Holm's method rejects some, with a chance of at most
    1 - confidence of rejecting a true one. Rank i then lies between 1 + those found better and
    k - those found worse. Methods that cannot be told apart share their places.

    Source: Mogstad, Romano, Shaikh and Wilhelm (2024), "Inference for ranks with applications to
    mobility across neighbourhoods and academic achievement across countries"; Klein, Wright and
    Wieczorek (2020), "A joint confidence region for an overall ranking of populations", for the
    sets that follow from simultaneous comparisons. Holm (1979) in place of their bootstrap.
    Raises ValueError for another shape, and for p values outside [0, 1].
    """
    open_share("confidence", confidence)
    p = np.array(p_above, dtype=np.float64)
    if p.ndim != 2 or p.shape[0] != p.shape[1] or not len(p):
        raise ValueError(f"p_above has shape {p.shape}: give a row and a column a method.")
    count = len(p)
    others = ~np.eye(count, dtype=bool)
    adjusted = np.ones_like(p)
    adjusted[others] = holm(p[others])
    better = adjusted <= 1 - confidence
    return [
        (1 + int(better[:, each].sum()), count - int(better[each].sum())) for each in range(count)
    ]
