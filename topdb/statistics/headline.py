"""The headline of a cell: what its seeds gave, without choosing among them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from topdb.statistics.checks import finite_values


@dataclass(frozen=True)
class Headline:
    """Mean and spread of one cell over its seeds, in the caller's unit.

    mean: mean over all seeds
    sd: standard deviation between seeds with n - 1 in the denominator; NaN for a single seed
    n: number of seeds
    """

    mean: float
    sd: float
    n: int


def headline(values: ArrayLike) -> Headline:
    """Summarise a cell by mean, seed standard deviation and number of seeds.

    values: (n,) one score a seed, n >= 1, in any unit

    Best-of-n and medians are not offered, since both hide how much a single run varies
    (Bouthillier et al., 2021, "Accounting for variance in machine learning benchmarks").
    Raises ValueError for no values, and for missing or infinite ones.
    """
    scores = finite_values("values", values, at_least=1)
    sd = float(np.std(scores, ddof=1)) if len(scores) > 1 else float("nan")
    return Headline(mean=float(np.mean(scores)), sd=sd, n=len(scores))
