"""Where the variance of a difference comes from: seeds, people, and both together."""

from dataclasses import dataclass

import numpy as np

from topdb.statistics.people import PersonSums


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
