"""Simulated studies: two methods, their seeds, people with unequal numbers of queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIFFERENCE = 1.3


@dataclass(frozen=True)
class Design:
    """Standard deviations in percent points of AP, and sizes.

    seed: a training's luck, shared by all people
    person: how much the methods' difference varies between people
    both: a training's luck with one person
    query: what is left within a person
    """

    seed: float
    person: float
    both: float
    query: float = 10.0
    seeds_a: int = 5
    seeds_b: int = 5
    people: int = 150


DESIGNS = {
    "as trained": Design(seed=0.4, person=8.0, both=6.0),
    "seeds dominate": Design(seed=1.5, person=2.0, both=2.0),
    "people dominate": Design(seed=0.05, person=15.0, both=1.0),
    "large interaction": Design(seed=0.3, person=4.0, both=12.0),
    "three seeds": Design(seed=0.6, person=8.0, both=6.0, seeds_a=3, seeds_b=3),
    "five against three": Design(seed=0.6, person=6.0, both=6.0, seeds_a=5, seeds_b=3),
    "few people": Design(seed=0.4, person=8.0, both=6.0, people=40),
}

ONLY_INTERACTION = Design(seed=0.0, person=0.0, both=12.0)


@dataclass(frozen=True)
class Study:
    ap_a: NDArray[np.float64]
    ap_b: NDArray[np.float64]
    people: NDArray[np.int64]


def skewed(rng: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """Mean 0, standard deviation 1, with AP's long tail towards the hard side."""
    return np.asarray(2 - rng.gamma(4.0, 0.5, size=shape))


def study(design: Design, rng: np.random.Generator) -> Study:
    """A study whose true difference is DIFFERENCE percent points."""
    queries = rng.integers(1, 8, size=design.people)
    person = np.repeat(np.arange(design.people), queries)
    hardness = 20 * skewed(rng, design.people)
    preference = design.person * skewed(rng, design.people) / 2

    def method(sign: int, seeds: int) -> NDArray[np.float64]:
        at_person = 70 + sign * (DIFFERENCE / 2 + preference) + hardness
        at_person = at_person + design.seed * rng.standard_normal((seeds, 1))
        at_person = at_person + design.both * skewed(rng, seeds, design.people)
        query = design.query * skewed(rng, len(person))
        return at_person[:, person] + query

    return Study(method(1, design.seeds_a), method(-1, design.seeds_b), person)


def bounded_study(rng: np.random.Generator) -> Study:
    """A study in [0, 1], many queries at the ceiling, of two methods without a difference."""
    people = 150
    queries = rng.integers(1, 8, size=people)
    person = np.repeat(np.arange(people), queries)
    ease = 1.5 + 1.5 * rng.standard_normal(people)

    def method() -> NDArray[np.float64]:
        taste = 0.5 * rng.standard_normal(people)
        seed = 0.05 * rng.standard_normal((5, 1))
        both = 0.4 * rng.standard_normal((5, people))
        logit = (ease + taste + seed + both)[:, person]
        logit = logit + 0.5 * rng.standard_normal((5, len(person)))
        return np.asarray(np.minimum(1.2 / (1 + np.exp(-logit)), 1.0))

    return Study(method(), method(), person)
