"""How many seeds a question needs."""

from collections.abc import Callable

import numpy as np
from scipy.special import nctdtr, stdtrit

from topdb.statistics.checks import (
    Alternative,
    at_least,
    known_alternative,
    not_negative,
    open_share,
)
from topdb.statistics.permutation import smallest_possible_p

MOST_SEEDS = 1_000


def power_of_difference(
    difference: float,
    sd_a: float,
    sd_b: float,
    seeds: int,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    """Chance that a t test of two methods with this many seeds each sees a true difference.

    difference: true mean of a minus true mean of b, in the caller's unit
    sd_a, sd_b: standard deviations between seeds, above 0 in at least one, same unit
    seeds: seeds of each method, at least 2

    Unequal deviations enter by their mean square, as in the pooled t test with equal seeds.
    Source: Cohen (1988), "Statistical power analysis for the behavioral sciences", chapter 2; the
    noncentral t distribution.
    Raises ValueError for no deviation at all, fewer than two seeds, or an unknown alternative.
    """
    known_alternative(alternative)
    at_least("seeds", seeds, 2)
    if not (not_negative("sd_a", sd_a) or not_negative("sd_b", sd_b)):
        raise ValueError("sd_a and sd_b are both 0: give the deviation between seeds.")
    freedom = 2 * (seeds - 1)
    shift = difference / np.sqrt((sd_a**2 + sd_b**2) / seeds)
    if alternative == "two-sided":
        critical = float(stdtrit(freedom, 1 - alpha / 2))
        return _above(critical, freedom, shift) + _above(critical, freedom, -shift)
    critical = float(stdtrit(freedom, 1 - alpha))
    return _above(critical, freedom, shift if alternative == "greater" else -shift)


def seeds_to_see(
    difference: float,
    sd_a: float,
    sd_b: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    comparisons: int = 1,
    alternative: Alternative = "two-sided",
) -> int | None:
    """Seeds of each method that show a difference of this size with the given power.

    difference: for instance the published one, in the caller's unit
    sd_a, sd_b: measured standard deviations between seeds, in the same unit
    comparisons: size of the declared family; Holm's first step tests at alpha / comparisons
    returns: the smallest such number, or None where more than 1,000 are needed

    Never fewer than the exact permutation test needs to reach alpha / comparisons at all: 4 seeds
    each for a two-sided 0.05. The power is that of the t test, which the permutation test comes
    close to.
    Raises ValueError for a negative deviation, or shares outside (0, 1).
    """
    not_negative("sd_a", sd_a)
    not_negative("sd_b", sd_b)
    open_share("power", power)
    known_alternative(alternative)
    level = open_share("alpha", alpha) / at_least("comparisons", comparisons, 1)
    noiseless = sd_a == 0 and sd_b == 0
    towards = {"two-sided": difference != 0, "greater": difference > 0, "less": difference < 0}
    if not towards[alternative]:
        return None

    def enough(seeds: int) -> bool:
        if smallest_possible_p(seeds, seeds, alternative) > level:
            return False
        if noiseless:
            return True
        found = power_of_difference(
            difference, sd_a, sd_b, seeds, alpha=level, alternative=alternative
        )
        return found >= power

    return _first(enough)


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
