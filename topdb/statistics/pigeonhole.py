"""Intervals over seeds and people at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from topdb.statistics.checks import at_least, not_negative, open_share


@dataclass(frozen=True)
class PersonSums:
    """Average precision summed within each person.

    sums: (runs, people) float64, sum over the person's evaluated queries
    counts: (people,) float64, number of the person's evaluated queries, at least 1
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]


def person_sums(runs: dict[str, NDArray[np.float64]], people: ArrayLike) -> dict[str, PersonSums]:
    """Sum each run's scores within people.

    runs: (runs, queries) float64 by name; NaN where a query has no valid match, which must be the
    same queries in every run, since it depends on the labels alone
    people: (queries,) integers, the person of each query
    returns: one PersonSums a name, all with the same people in the same order

    Raises ValueError for other shapes, an infinite score, a missing person, fewer than two people,
    or runs that were not evaluated on the same queries.
    """
    person = _checked_people(people)
    evaluated: NDArray[np.bool_] | None = None
    for name, scores in runs.items():
        if scores.ndim != 2 or scores.shape[1] != len(person):
            raise ValueError(
                f"{name} has shape {scores.shape} where (seeds, {len(person)} queries) is needed: "
                "give one row a seed, with the queries in the order of people."
            )
        if np.isinf(scores).any():
            raise ValueError(f"{name} has infinite scores: give finite ones, or NaN for no match.")
        for row in scores:
            if evaluated is None:
                evaluated = ~np.isnan(row)
            if not np.array_equal(evaluated, ~np.isnan(row)):
                raise ValueError(
                    f"{name} was evaluated on other queries than the run before it: compare runs "
                    "with the same query and gallery sets."
                )
    if evaluated is None:
        raise ValueError("runs has no run at all: give at least one seed.")
    distinct, member = np.unique(person[evaluated], return_inverse=True)
    if len(distinct) < 2:
        raise ValueError(
            f"people has {len(distinct)} persons with an evaluated query where at least 2 are "
            "needed: evaluate on more people."
        )
    counts = np.bincount(member).astype(np.float64)
    return {
        name: PersonSums(
            np.stack([np.bincount(member, weights=row[evaluated]) for row in scores]), counts
        )
        for name, scores in runs.items()
    }


def _checked_people(people: ArrayLike) -> NDArray[np.int64]:
    person = np.asarray(people)
    if person.ndim != 1 or not np.issubdtype(person.dtype, np.integer):
        raise ValueError(
            f"people has shape {person.shape} and type {person.dtype} where one whole number a "
            "query is needed: give the person id of each query."
        )
    if (person < 0).any():
        raise ValueError("people has negative ids: give the person id of each query.")
    return person.astype(np.int64)


@dataclass(frozen=True)
class VarianceParts:
    """The variance of an estimated difference, in the square of the caller's unit.

    seeds: part that only more seeds make smaller
    people: part that only more people make smaller
    interaction: part that either makes smaller
    degrees_of_freedom: Satterthwaite's, of the sum of the three
    """

    seeds: float
    people: float
    interaction: float
    degrees_of_freedom: float

    @property
    def total(self) -> float:
        """The variance of the estimate."""
        return self.seeds + self.people + self.interaction


def parts_of_difference(sides: list[PersonSums], *, smallest: float) -> VarianceParts:
    """Split the variance of a sum of independent sides that share their people.

    sides: for each method its (seeds, people) sums, the second method's with its sign turned;
    at least two seeds and two people each
    smallest: variance at or below which a part is rounding and counts as 0

    A person's part in mAP is a ratio, since people have different numbers of queries, and is
    taken to first order. The variance between seeds' means and the variance between people's
    means each contain the interaction once, so that it is subtracted once from their sum (Cameron,
    Gelbach and Miller, 2011, "Robust inference with multiway clustering"). Where sampling makes
    that negative, the part of the seeds or of the people is 0, for the total is never below either
    variance alone. Each term's degrees of freedom enter as in Satterthwaite (1946).
    """
    people = len(sides[0].counts)
    queries = sides[0].counts.sum()
    between_seeds: list[tuple[float, int]] = []
    interaction = 0.0
    interaction_terms: list[tuple[float, int]] = []
    person = np.zeros(people)
    for side in sides:
        seeds = len(side.sums)
        means = side.sums.sum(axis=1) / queries
        between_seeds.append((float(means.var(ddof=1)) / seeds, seeds - 1))
        parts = (side.sums - means[:, np.newaxis] * side.counts) / queries
        person += parts.mean(axis=0)
        rest = parts - parts.mean(axis=0)
        freedom = (seeds - 1) * (people - 1)
        term = float((rest**2).sum()) / freedom * people / seeds
        interaction_terms.append((term, freedom))
        interaction += term
    between_people = float((person**2).sum()) * people / (people - 1)
    terms = [*between_seeds, (between_people, people - 1), *interaction_terms]
    terms = [(term if term > smallest else 0.0, freedom) for term, freedom in terms]
    of_seeds = sum(term for term, _ in terms[: len(sides)])
    of_people = terms[len(sides)][0]
    of_both = min(sum(term for term, _ in terms[len(sides) + 1 :]), max(of_seeds, of_people))
    seeds_alone, people_alone = max(of_seeds - of_both, 0.0), max(of_people - of_both, 0.0)
    total = seeds_alone + people_alone + of_both
    spread = sum(term**2 / freedom for term, freedom in terms)
    return VarianceParts(
        seeds=seeds_alone,
        people=people_alone,
        interaction=of_both,
        degrees_of_freedom=total**2 / spread if spread > 0 else float("inf"),
    )


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
    sides, estimate, parts = _split(ap_a, ap_b, people, paired_seeds)
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


@dataclass(frozen=True)
class TwoWayTest:
    """One-sided tests of a difference over new seeds and new people at once.

    estimate: mAP of a minus mAP of b, each the mean over its seeds, in the caller's unit
    p_above: p of the null hypothesis that the true difference is at most 0; small is for a > b
    p_below: p of the null hypothesis that it is at least `smallest_advantage`; small is against
    the claim that a is better by as much
    standard_error, degrees_of_freedom: of the estimate, as in `DifferenceInterval`
    """

    estimate: float
    p_above: float
    p_below: float
    standard_error: float
    degrees_of_freedom: float


def two_way_test(
    ap_a: ArrayLike,
    ap_b: ArrayLike,
    people: ArrayLike,
    *,
    smallest_advantage: float = 0.0,
    paired_seeds: bool = False,
) -> TwoWayTest:
    """Test a difference of two methods' mAP against new seeds and new people at once, by t.

    ap_a, ap_b, people, paired_seeds: as `difference_interval` takes them
    smallest_advantage: smallest difference worth the word better, at least 0, in the same unit

    The estimate over its two-way standard error is referred to Student's t with Satterthwaite's
    degrees of freedom; both are those of `difference_interval`. The permutation test over seeds
    takes the people as given. This one counts them as a sample, hence a claim's p that is the
    larger of the two (`claim_part_p`) keeps its level where people's noise dominates.

    Seeds' and people's effects are taken as independent and their means as normal, which with a
    hundred people and more is safe for people, and with five seeds cannot be checked for seeds.
    Without any variance p is 0 or 1, and both are 1 where the estimate is on the border.

    Source: Cameron, Gelbach and Miller (2011), "Robust inference with multiway clustering";
    Satterthwaite (1946), "An approximate distribution of estimates of variance components".
    Raises ValueError as `difference_interval` does, and for a negative smallest advantage.
    """
    not_negative("smallest_advantage", smallest_advantage)
    _, estimate, parts = _split(ap_a, ap_b, people, paired_seeds)
    error = float(np.sqrt(parts.total))

    def lower_tail(excess: float) -> float:
        if error == 0:
            return 0.0 if excess < 0 else 1.0
        return float(stdtr(parts.degrees_of_freedom, excess / error))

    return TwoWayTest(
        estimate=estimate,
        p_above=lower_tail(-estimate),
        p_below=lower_tail(estimate - smallest_advantage),
        standard_error=error,
        degrees_of_freedom=parts.degrees_of_freedom,
    )


def sides_of_difference(
    ap_a: ArrayLike, ap_b: ArrayLike, people: ArrayLike, paired_seeds: bool
) -> tuple[list[PersonSums], float]:
    """Return the sides that `parts_of_difference` takes, and the rounding of sums over scores."""
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
    # Zero but for the rounding of sums over all the scores.
    scale = float(max(np.abs(a.sums).sum(axis=1).max(), np.abs(b.sums).sum(axis=1).max()))
    return sides, (1e-12 * scale / a.counts.sum()) ** 2


def _split(
    ap_a: ArrayLike, ap_b: ArrayLike, people: ArrayLike, paired_seeds: bool
) -> tuple[list[PersonSums], float, VarianceParts]:
    """Return the sides of a difference, its estimate and the parts of its variance."""
    sides, rounding = sides_of_difference(ap_a, ap_b, people, paired_seeds)
    estimate = float(sum((side.sums.sum(axis=1) / side.counts.sum()).mean() for side in sides))
    return sides, estimate, parts_of_difference(sides, smallest=rounding)


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
