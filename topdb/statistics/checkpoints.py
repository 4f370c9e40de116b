"""Intervals over people: of one checkpoint, of two, and of one method's seeds and people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from topdb.statistics.checks import open_share
from topdb.statistics.pigeonhole import PersonSums, parts_of_difference, person_sums


@dataclass(frozen=True)
class MeanInterval:
    """A mean over queries with its uncertainty, in the caller's unit.

    estimate: the mean over the evaluated queries, and over the runs where there are several
    low, high: ends of the interval
    standard_error: of the estimate
    people: number of people with an evaluated query
    confidence: the share of studies whose interval holds the mean over all people (and seeds)
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    people: int
    confidence: float


def people_interval(
    scores: ArrayLike, people: ArrayLike, *, whole: float = 1.0, confidence: float = 0.95
) -> MeanInterval:
    """Interval over people of one checkpoint's mAP, rank-1, or another mean of shares.

    scores: (queries,) shares of `whole`, for instance AP; NaN where a query has no valid match
    people: (queries,) integers, the person of each query
    whole: the largest score: 1 for fractions, 100 for percent

    People are a sample, and all queries of a person come with it. The variance of the mean is the
    jackknife's over people. It makes the effective number of trials of Wilson's interval, with
    Student's t of people - 1 degrees of freedom, so that the ends never leave 0 to `whole` and
    lean to the side where there is room. Where all people score alike, as many trials as people
    are counted. The seed of training is held fixed: it is about this checkpoint, not its method.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference";
    Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", for the effective number; Efron and Stein (1981),
    "The jackknife estimate of variance".
    Raises ValueError as `person_sums` does, and for scores outside 0 to `whole`.
    """
    open_share("confidence", confidence)
    shares = np.asarray(scores, dtype=np.float64)[np.newaxis] / whole
    side = person_sums({"scores": shares}, people)["scores"]
    if np.nanmin(shares) < 0 or np.nanmax(shares) > 1:
        raise ValueError(f"scores has values outside 0 to {whole:g}: give shares of {whole:g}.")
    mean, variance, number = _mean_over_people(side)
    within = mean * (1 - mean)
    trials = within / variance if within > 0 and variance > 1e-24 else float(number)
    quantile = float(stdtrit(number - 1, (1 + confidence) / 2))
    pull = quantile**2 / trials
    centre = (mean + pull / 2) / (1 + pull)
    reach = np.sqrt(pull * within + pull**2 / 4) / (1 + pull)
    return MeanInterval(
        estimate=whole * mean,
        low=whole * max(0.0, float(centre - reach)),
        high=whole * min(1.0, float(centre + reach)),
        standard_error=whole * float(np.sqrt(variance)),
        people=number,
        confidence=confidence,
    )


def method_interval(
    scores: ArrayLike, people: ArrayLike, *, whole: float = 1.0, confidence: float = 0.95
) -> MeanInterval:
    """Interval over new seeds and new people of one method's mean.

    scores: (seeds, queries) shares of `whole`, at least two seeds; else as `people_interval`

    The two-way standard error and degrees of freedom of `difference_interval`, of one side alone,
    and Student's t; ends beyond 0 or `whole` are cut off.
    Raises ValueError as `person_sums` does, and for fewer than two seeds.
    """
    open_share("confidence", confidence)
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError("scores needs two seeds or more, one a row: run more seeds.")
    side = person_sums({"scores": values}, people)["scores"]
    estimate = float((side.sums.sum(axis=1) / side.counts.sum()).mean())
    parts = parts_of_difference([side], smallest=(1e-12 * whole) ** 2)
    error = float(np.sqrt(parts.total))
    freedom = parts.degrees_of_freedom
    reach = error * float(stdtrit(freedom, (1 + confidence) / 2)) if error else 0.0
    low, high = max(0.0, estimate - reach), min(whole, estimate + reach)
    return MeanInterval(estimate, low, high, error, len(side.counts), confidence)


@dataclass(frozen=True)
class CheckpointDifference(MeanInterval):
    """The difference of two checkpoints over people.

    p_above: one-sided p of the null hypothesis that the true difference is at most 0
    p_below: of that it is at least 0
    """

    p_above: float
    p_below: float


def checkpoint_difference(
    scores_a: ArrayLike, scores_b: ArrayLike, people: ArrayLike, *, confidence: float = 0.95
) -> CheckpointDifference:
    """Interval over people of the difference a minus b of two checkpoints on the same queries.

    scores_a, scores_b: (queries,) in one unit; NaN where a query has no valid match
    people: (queries,) integers, the person of each query

    All queries of a person come with it: the jackknife's variance over people, and Student's t of
    people - 1 degrees of freedom. Seeds are held fixed: it is about these checkpoints, not about
    their methods. The two p values are of the same t; without any variance they are 0 or 1.
    Source: Efron and Stein (1981), "The jackknife estimate of variance".
    Raises ValueError as `person_sums` does.
    """
    open_share("confidence", confidence)
    sides = {"scores_a": np.atleast_2d(scores_a), "scores_b": np.atleast_2d(scores_b)}
    sums = person_sums({name: np.asarray(each, np.float64) for name, each in sides.items()}, people)
    a, b = sums["scores_a"], sums["scores_b"]
    scale = float(np.abs(a.sums).sum() + np.abs(b.sums).sum()) / float(a.counts.sum())
    mean, variance, number = _mean_over_people(PersonSums(a.sums - b.sums, a.counts))
    error = float(np.sqrt(variance)) if variance > (1e-12 * scale) ** 2 else 0.0
    reach = error * float(stdtrit(number - 1, (1 + confidence) / 2))

    def tail(excess: float) -> float:
        if error == 0:
            return 0.0 if excess < 0 else 1.0
        return float(stdtr(number - 1, excess / error))

    ends = mean - reach, mean + reach
    return CheckpointDifference(mean, *ends, error, number, confidence, tail(-mean), tail(mean))


def _mean_over_people(side: PersonSums) -> tuple[float, float, int]:
    """Return the mean of one run, its variance over people, and how many people there are.

    The variance is the jackknife's: `moved` is how far the mean moves without each person.
    """
    people, queries = len(side.counts), float(side.counts.sum())
    mean = float(side.sums.sum()) / queries
    moved: NDArray[np.float64] = (side.sums[0] - mean * side.counts) / (queries - side.counts)
    return mean, float((moved**2).sum()) * (people - 1) / people, people
