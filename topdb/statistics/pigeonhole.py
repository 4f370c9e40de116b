"""How far apart are two methods, and how sure is that: the pigeonhole bootstrap."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from topdb.statistics.checks import at_least, open_share
from topdb.statistics.people import PersonSums, person_sums
from topdb.statistics.variance import VarianceParts, parts_of_difference

BLOCK = 500


@dataclass(frozen=True)
class DifferenceInterval:
    """A difference of two methods' mAP with its uncertainty over new seeds and new people.

    estimate: mAP of a minus mAP of b, each the mean over its seeds, in the caller's unit
    low, high: ends of the interval, in the caller's unit
    seed_share, people_share, interaction_share: shares of the variance of the estimate; they add
    up to 1, or are NaN where there is no variance. The seed share falls with more seeds, the
    people share with more people, the interaction share (how much a seed's luck differs from
    person to person) with either.
    standard_error: square root of that variance, in the caller's unit
    degrees_of_freedom: how well that variance is known; infinite where there is no variance
    confidence: the share of studies whose interval holds the true difference
    """

    estimate: float
    low: float
    high: float
    seed_share: float
    people_share: float
    interaction_share: float
    standard_error: float
    degrees_of_freedom: float
    confidence: float


def difference_interval(
    ap_a: ArrayLike,
    ap_b: ArrayLike,
    people: ArrayLike,
    *,
    confidence: float = 0.95,
    draws: int = 10_000,
    paired_seeds: bool = False,
    rng: np.random.Generator,
) -> DifferenceInterval:
    """Interval of the difference of two methods' mAP over people x seeds.

    ap_a, ap_b: (seeds, queries) average precision, or any score a query, in one unit of the
    caller's choice; NaN where a query has no valid match; the methods may differ in seeds
    people: (queries,) integers, the person of each query
    draws: bootstrap draws
    paired_seeds: whether row i of both is the same trained network (as for one network ranked
    with and without re-ranking), rather than two independent trainings
    rng: source of the draws

    Each draw takes people with replacement, once for both methods, and seeds with replacement,
    for each method on its own, and every score counts as often as its person times its seed
    (Owen, 2007, "The pigeonhole bootstrap"). The draws give the shape of the interval.

    Their plain percentiles would miss the confidence on both sides. They count the interaction of
    people and seeds three times (Owen, 2007), and they are too narrow by (n - 1) / n
    in variance and by the normal quantile for the t quantile, with the five seeds there are
    (Hesterberg, 2015, "What teachers should know about the bootstrap"). So each
    percentile's distance from the estimate is stretched by one factor: standard error times
    t quantile, over the draws' standard deviation times the normal quantile. The standard error
    is the two-way one of Cameron, Gelbach and Miller (2011, "Robust inference with multiway
    clustering"); the degrees of freedom are Satterthwaite's (1946).

    Raises ValueError for fewer than two seeds or two people, for different query sets, and for
    a missing person.
    """
    open_share("confidence", confidence)
    at_least("draws", draws, 100)
    first, second = _seeds_by_queries("ap_a", ap_a), _seeds_by_queries("ap_b", ap_b)
    sums = person_sums({"ap_a": first, "ap_b": second}, people)
    a, b = sums["ap_a"], sums["ap_b"]
    if paired_seeds:
        if len(first) != len(second):
            raise ValueError(
                f"ap_a has {len(first)} seeds and ap_b {len(second)}, which cannot be paired: give "
                "the same networks in the same order."
            )
        sides = [PersonSums(a.sums - b.sums, a.counts)]
    else:
        sides = [a, PersonSums(-b.sums, b.counts)]
    estimate = float(sum((side.sums.sum(axis=1) / side.counts.sum()).mean() for side in sides))
    # Zero but for the rounding of sums over all the scores.
    scale = float(max(np.abs(a.sums).sum(axis=1).max(), np.abs(b.sums).sum(axis=1).max()))
    parts = parts_of_difference(sides, smallest=(1e-12 * scale / a.counts.sum()) ** 2)
    tail = (1 - confidence) / 2
    low = high = estimate
    if parts.total > 0:
        moved = np.concatenate(list(_pigeonhole(sides, draws, rng))) - estimate
        quantile = float(stdtrit(parts.degrees_of_freedom, 1 - tail))
        stretch = np.sqrt(parts.total) * quantile / (moved.std() * float(ndtri(1 - tail)))
        ends = np.quantile(moved - moved.mean(), [tail, 1 - tail])
        low, high = (float(end) for end in estimate + stretch * ends)
    return _result(parts, estimate, low, high, confidence)


def _result(
    parts: VarianceParts, estimate: float, low: float, high: float, confidence: float
) -> DifferenceInterval:
    whole = parts.total if parts.total > 0 else float("nan")
    return DifferenceInterval(
        estimate=estimate,
        low=low,
        high=high,
        seed_share=parts.seeds / whole,
        people_share=parts.people / whole,
        interaction_share=parts.interaction / whole,
        standard_error=float(np.sqrt(parts.total)),
        degrees_of_freedom=parts.degrees_of_freedom,
        confidence=confidence,
    )


def _seeds_by_queries(name: str, values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2:
        raise ValueError(
            f"{name} has {scores.ndim} dimensions where two are needed: give one row a seed and "
            "one column a query."
        )
    if len(scores) < 2:
        raise ValueError(
            f"{name} has {len(scores)} seeds where an interval over seeds needs at least 2: run "
            "more seeds."
        )
    return scores


def _pigeonhole(
    sides: list[PersonSums], draws: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Bootstrap draws of the difference, block by block."""
    people = len(sides[0].counts)
    columns = np.concatenate([*(side.sums for side in sides), sides[0].counts[np.newaxis]]).T
    for start in range(0, draws, BLOCK):
        block = min(BLOCK, draws - start)
        chosen = rng.integers(0, people, size=(block, people))
        chosen += people * np.arange(block)[:, np.newaxis]
        person_weights = np.bincount(chosen.ravel(), minlength=block * people)
        weighted = person_weights.reshape(block, people).astype(np.float64) @ columns
        seed_weights = np.concatenate(
            [
                rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=block) / seeds
                for seeds in (len(side.sums) for side in sides)
            ],
            axis=1,
        )
        yield (weighted[:, :-1] * seed_weights).sum(axis=1) / weighted[:, -1]
