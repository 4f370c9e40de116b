"""Seeds added after the first look: the level that is left for each look."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from topdb.statistics.checks import at_least, open_share

FIRST_SHARE = 0.8
"""Share of alpha that the planned look gets; the rest is for extensions."""

LONGEST = 4
"""A study may grow to so many times its planned seeds."""

POINTS = 400


def alpha_at_look(
    n: int,
    *,
    planned: int,
    alpha: float = 0.05,
    most: int | None = None,
    first_share: float = FIRST_SHARE,
) -> float:
    """The level at which a study of n seeds is tested, if it was planned with fewer.

    n: seeds there are now
    planned: seeds that were planned, and recorded, before the first run; at least 2
    alpha: chance of a false verdict over all looks together
    most: seeds at which extending ends; None is four times the planned ones
    first_share: share of alpha that the look at the planned seeds gets
    returns: the level for this look alone, to be compared with this look's own p, or used as the
    one-sided level of this look's interval

    One look is taken to follow each added seed, whether it was made or not, so that the level is
    kept however often somebody looked. The chance spent until n seeds is
    alpha (s + (1 - s) (n - planned) / (most - planned)), s the first share (Lan and DeMets, 1983,
    "Discrete sequential boundaries for clinical trials"). The level of each look follows from the
    joint normal distribution of the looks by recursive integration (Armitage, McPherson and Rowe,
    1969), and is applied to t, permutation and two-way tests as a significance level (Jennison and
    Turnbull, 2000, "Group sequential methods", section 3.8). With n = planned = most, a study that
    will never grow, the level is alpha. A fifth of what extensions could
    spend is kept back, and half of it below four planned seeds, since few degrees of freedom make
    the approximation too generous.

    Raises ValueError for fewer seeds than planned or more than most: beyond these there is no
    level left, and a new study has to be planned.
    """
    open_share("alpha", alpha)
    open_share("first_share", first_share)
    at_least("planned", planned, 2)
    end = LONGEST * planned if most is None else at_least("most", most, planned)
    at_least("n", n, planned)
    if n > end:
        raise ValueError(
            f"n is {n}, but a study of {planned} planned seeds ends at {end}: plan a new study of "
            "that many seeds, with new seeds alone."
        )
    return _levels(planned, end, alpha, first_share)[n - planned]


@lru_cache(maxsize=64)
def _levels(planned: int, most: int, alpha: float, first_share: float) -> tuple[float, ...]:
    """The level of each look from planned to most seeds."""
    if planned == most:
        return (alpha,)
    rest = (1 - first_share) * alpha * (0.5 if planned < 4 else 0.8)
    step = rest / (most - planned)
    levels = [first_share * alpha]
    bound = -float(ndtri(levels[0])) * math.sqrt(planned)
    sums, weights = _points(planned, bound)
    density = np.exp(-(sums**2) / (2 * planned)) / math.sqrt(2 * math.pi * planned)
    for n in range(planned + 1, most + 1):
        mass = density * weights
        low, high = 0.0, 12.0
        for _ in range(60):
            middle = (low + high) / 2
            if float(mass @ ndtr(sums - middle * math.sqrt(n))) > step:
                low = middle
            else:
                high = middle
        levels.append(float(ndtr(-high)))
        grown, grown_weights = _points(n, high * math.sqrt(n))
        density = np.exp(-((grown[:, np.newaxis] - sums) ** 2) / 2) @ mass / math.sqrt(2 * math.pi)
        sums, weights = grown, grown_weights
    return tuple(levels)


def _points(n: int, bound: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and trapezoidal weights over sums of n seeds that did not cross the bound."""
    points = np.linspace(-9 * math.sqrt(n), bound, POINTS)
    weights = np.full(POINTS, points[1] - points[0])
    weights[[0, -1]] /= 2
    return points, weights


def extended(n: int, planned: int) -> str:
    """What a verdict on more seeds than were planned says beside it; empty for the planned ones."""
    return f"extended from {planned} to {n} seeds" if n > planned else ""
