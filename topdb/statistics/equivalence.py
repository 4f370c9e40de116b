"""Ours against a printed number: summary of seeds, equivalence, prediction, drift."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from topdb.statistics.checks import at_least, finite_values, not_negative, open_share


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


def drift_tolerance(
    reference_sd: float,
    reference_n: int,
    n: int,
    *,
    alpha: float,
    cells: int,
    floor: float,
) -> float:
    """Largest difference between a new mean and its reference that is still no drift.

    reference_sd: standard deviation between the reference's seeds (n - 1 in the denominator), in
    the caller's unit
    reference_n: seeds of the reference, at least 2
    n: seeds of the new mean, at least 1
    alpha: chance that an unchanged program is called in any of the cells
    cells: numbers that are guarded together, which share alpha equally (Bonferroni)
    floor: smallest tolerance, same unit, for drift that is real and does not matter
    returns: max(floor, t quantile at 1 - alpha / (2 cells) with reference_n - 1 degrees of
    freedom x reference_sd x sqrt(1 / reference_n + 1 / n))

    The new runs' own deviation is not used. A fault that makes runs scatter would widen its own
    tolerance, and a single new run has none. Under no drift the new seeds have the reference's
    deviation, hence the false alarm rate holds. Where the new runs use the reference's seeds,
    the two means agree better than independent ones, and the rate is smaller still.

    Source: the prediction interval for the mean of n future observations (Hahn and Meeker, 1991,
    "Statistical intervals", chapter 4).
    Raises ValueError for a reference of fewer than two seeds, or a deviation or floor that is
    missing or negative.
    """
    not_negative("reference_sd", reference_sd)
    not_negative("floor", floor)
    at_least("reference_n", reference_n, 2)
    at_least("n", n, 1)
    open_share("alpha", alpha)
    quantile = float(stdtrit(reference_n - 1, 1 - alpha / (2 * at_least("cells", cells, 1))))
    return max(floor, quantile * reference_sd * float(np.sqrt(1 / reference_n + 1 / n)))


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of our mean against a published number, in the caller's unit.

    difference: our mean minus the published number
    low, high: the 1 - 2 alpha interval of that difference (90 % for alpha 0.05)
    delta: the margin, fixed beforehand
    p: the larger of the two one-sided p values
    equivalent: whether the interval lies inside -delta to +delta, which is p < alpha
    """

    difference: float
    low: float
    high: float
    delta: float
    p: float
    equivalent: bool


@dataclass(frozen=True)
class PredictionInterval:
    """Where one more run of ours would fall, in the caller's unit.

    low, high: ends of the interval, rounding included
    """

    low: float
    high: float

    def contains(self, published: float) -> bool:
        """Whether a published number could be one more run of ours."""
        return self.low <= published <= self.high


def against_published(
    values: ArrayLike, published: float, *, delta: float, alpha: float = 0.05
) -> Equivalence:
    """Test whether our mean equals a published number but for a margin (TOST).

    values: (n,) one score a seed, n >= 2, in the unit of published and delta
    published: the number as printed
    delta: largest difference that still counts as the same, above 0, fixed before the runs
    alpha: chance of calling different numbers equivalent

    The published number is taken as it is printed, without an error of its own. Seeds are taken as
    independent and normal. Where all values are the same, the interval is a point.

    Source: Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability".
    Raises ValueError for fewer than two values, missing ones, and a margin that is not above 0.
    """
    scores = finite_values("values", values, at_least=2)
    if not np.isfinite(published):
        raise ValueError(f"published is {published}: give the number as printed.")
    if not (np.isfinite(delta) and delta > 0):
        raise ValueError(f"delta is {delta}: give a margin above 0.")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}: give a share strictly between 0 and 0.5.")
    freedom = len(scores) - 1
    error = float(np.std(scores, ddof=1) / np.sqrt(len(scores)))
    difference = float(scores.mean()) - published
    reach = float(stdtrit(freedom, 1 - alpha)) * error
    low, high = difference - reach, difference + reach
    room = delta - abs(difference)
    certain = 0.0 if room > 0 else 1.0
    p = float(stdtr(freedom, -room / error)) if error > 0 else certain
    return Equivalence(
        difference=difference,
        low=low,
        high=high,
        delta=delta,
        p=p,
        equivalent=-delta < low and high < delta,
    )


def prediction_interval(
    values: ArrayLike, *, rounding: float, confidence: float = 0.95
) -> PredictionInterval:
    """Interval that holds one more run of ours with the given confidence.

    values: (n,) one score a seed, n >= 2, in the caller's unit
    rounding: half a unit of the published number's last digit, in the same unit (0.05 for percent
    points with one decimal), by which both ends move outward

    A paper's number is one run of unknown variance, rounded. The interval says whether that run
    could have been one of ours. Seeds are taken as independent and normal.

    Source: Hahn and Meeker (1991), "Statistical intervals", chapter 4.
    Raises ValueError for fewer than two values and missing ones.
    """
    scores = finite_values("values", values, at_least=2)
    not_negative("rounding", rounding)
    open_share("confidence", confidence)
    n = len(scores)
    quantile = float(stdtrit(n - 1, (1 + confidence) / 2))
    reach = quantile * float(np.std(scores, ddof=1)) * float(np.sqrt(1 + 1 / n)) + rounding
    mean = float(scores.mean())
    return PredictionInterval(low=mean - reach, high=mean + reach)
