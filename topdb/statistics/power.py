"""How many seeds a question needs."""

from collections.abc import Callable

import numpy as np
from scipy.special import nctdtr, stdtrit

from topdb.statistics.checks import (
    not_negative,
    open_share,
)

MOST_SEEDS = 1_000


def seeds_to_settle(
    difference: float, sd: float, *, delta: float, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Seeds that settle on which side of a margin our mean lies, if it stays where it is.

    difference: our mean minus the published number, in the caller's unit
    sd: measured standard deviation between seeds, same unit
    delta: the margin of `against_published`
    returns: the smallest number of seeds with which the 1 - 2 alpha interval lies, with the given
    power, wholly inside the margin where the difference is inside, or wholly beyond it where
    the difference is beyond; None where more than 1,000 are needed

    Inside the margin both one-sided tests must reject, which has at least the sum of their powers
    minus 1 (Bonferroni's inequality; close where power is high). Phillips (1990, "Power of the two
    one-sided tests procedure in bioequivalence") treats the exact power.
    Raises ValueError for a negative deviation or margin, or shares outside (0, 1).
    """
    not_negative("sd", sd)
    not_negative("delta", delta)
    open_share("power", power)
    open_share("alpha", alpha)
    gap = delta - abs(difference)
    if gap == 0:
        return None

    def enough(seeds: int) -> bool:
        if sd == 0:
            return True
        error = sd / np.sqrt(seeds)
        critical = float(stdtrit(seeds - 1, 1 - alpha))
        near = _above(critical, seeds - 1, abs(gap) / error)
        if gap < 0:
            return near >= power
        far = _above(critical, seeds - 1, (delta + abs(difference)) / error)
        return near + far - 1 >= power

    return _first(enough)


def seeds_to_exclude(
    difference: float, sd: float, *, rounding: float, power: float = 0.8, confidence: float = 0.95
) -> int | None:
    """Seeds that show a published run to be none of ours, if our mean stays where it is.

    difference: our mean minus the published number, in the caller's unit
    sd: measured standard deviation between seeds, same unit
    rounding, confidence: of `prediction_interval`
    returns: the smallest number of seeds with which that interval leaves out the published number
    with the given power; None where more than 1,000 are needed, for one where the number lies
    within the spread of our own runs, which more of them do not make smaller

    The interval of n seeds leaves out a number below it where their mean D and deviation S have
    D - rounding > t S sqrt(1 + 1/n), which is to say that (D - rounding) sqrt(n) / S, a noncentral
    t, exceeds t sqrt(n + 1).

    Source: Hahn and Meeker (1991), "Statistical intervals", chapter 4, for the interval.
    Raises ValueError for a negative deviation or rounding, or shares outside (0, 1).
    """
    not_negative("sd", sd)
    not_negative("rounding", rounding)
    open_share("power", power)
    tail = (1 + open_share("confidence", confidence)) / 2
    beyond = abs(difference) - rounding
    if beyond <= 0:
        return None

    def enough(seeds: int) -> bool:
        if sd == 0:
            return True
        critical = float(stdtrit(seeds - 1, tail)) * float(np.sqrt(seeds + 1))
        return _above(critical, seeds - 1, beyond / sd * float(np.sqrt(seeds))) >= power

    return _first(enough)


def _above(critical: float, freedom: int, shift: float) -> float:
    """Chance that a noncentral t exceeds the critical value."""
    chance = float(nctdtr(freedom, -shift, -critical))
    # In this mirrored form scipy gives NaN only where the chance is below 1e-16.
    return 0.0 if np.isnan(chance) else chance


def _first(enough: Callable[[int], bool]) -> int | None:
    """The smallest number of seeds, from 2, that is enough, by doubling and then halving."""
    high = 2
    while not enough(high):
        if high >= MOST_SEEDS:
            return None
        high = min(2 * high, MOST_SEEDS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return max(high, 2)
