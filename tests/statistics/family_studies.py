"""Simulated families of claims: one method against three others, two measures, four data sets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from statistics_studies import skewed

from topdb.statistics import (
    ClaimPartEvidence,
    FamilyFinding,
    claim_part_p,
    exact_label_permutation,
    judge_family,
    smallest_possible_p,
    two_way_test,
)
from topdb.statistics.design import PartPlan, Spread, _Draws
from topdb.statistics.multiplicity import hommel_rows
from topdb.statistics.permutation import PermutationTest

OTHERS = ("baseline", "no-drop", "no-reg")
MEASURES = ("mAP", "R1")
DATASETS = ("market", "duke", "labeled", "detected")
CLAIMS = tuple((other, measure) for measure in MEASURES for other in OTHERS)


@dataclass(frozen=True)
class World:
    """Deviations in points: of a training, of a person with a method, of both; sizes."""

    seed: float = 0.3
    person: float = 5.0
    both: float = 6.0
    seeds: int = 5
    people: int = 700


@dataclass(frozen=True)
class Tests:
    """One part's tests: over seeds, and over seeds and people."""

    over_seeds: PermutationTest
    above: float
    below: float


def family(
    world: World, differences: NDArray[np.float64], rng: np.random.Generator
) -> dict[str, list[Tests]]:
    """The tests of every part of six claims.

    differences: (6, 4) true advantage by claim and data set, claims in the order of CLAIMS
    """
    people = np.arange(world.people)
    found: dict[str, list[Tests]] = {f"{other} {measure}": [] for other, measure in CLAIMS}
    for place in range(len(DATASETS)):
        for measure in MEASURES:

            def runs() -> NDArray[np.float64]:
                taste = world.person * skewed(rng, world.people)
                luck = world.seed * rng.standard_normal((world.seeds, 1))
                own = rng.standard_normal((world.seeds, world.people))
                return 70 + taste + luck + world.both * own

            better = runs()
            for other in OTHERS:
                claim = CLAIMS.index((other, measure))
                worse = runs() - differences[claim, place]
                two_way = two_way_test(better, worse, people)
                over_seeds = exact_label_permutation(
                    better.mean(axis=1), worse.mean(axis=1), alternative="greater"
                )
                found[f"{other} {measure}"].append(
                    Tests(over_seeds, two_way.p_above, two_way.p_below)
                )
    return found


def judged(
    tests: dict[str, list[Tests]], world: World, *, people: bool = True, adjust: str = "hommel"
) -> dict[str, FamilyFinding]:
    """The verdicts; people: whether a part's p looks at people too, as `claim_part_p` does.

    The 95 % interval is that of the two-way t test.
    """
    floor = smallest_possible_p(world.seeds, world.seeds, "greater")
    return judge_family(
        {
            name: [
                ClaimPartEvidence(
                    name=dataset,
                    low=0.025 - one.above,
                    high=one.below - 0.025,
                    p_above=(
                        claim_part_p(one.over_seeds.p, one.above) if people else one.over_seeds.p
                    ),
                    p_below=one.below,
                    smallest_p_above=floor,
                )
                for dataset, one in zip(DATASETS, own, strict=True)
            ]
            for name, own in tests.items()
        },
        adjust=adjust,
    )


def false_verdicts(
    differences: NDArray[np.float64], *, studies: int, spread: Spread, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Chances of any false HOLDS, any false FAILS, and either, over many studies of variances.

    The runs' means are drawn, and not each person's scores, so that 20,000 studies take seconds.
    differences: (6, 4) as in `family`
    """
    draws = _Draws(5, studies, rng)
    p_for, p_against, above = [], [], []
    for (other, measure), own in zip(CLAIMS, differences, strict=True):
        found = [
            draws.of(PartPlan(dataset, measure, "full", other, 0.0, 700, spread)).tested(true, 0.0)
            for dataset, true in zip(DATASETS, own.tolist(), strict=True)
        ]
        p_for.append(np.max([np.maximum(one.exact, one.above) for one in found], axis=0))
        p_against.append(np.minimum(4 * np.min([one.below for one in found], axis=0), 1.0))
        above.append(np.all([one.above < 0.025 for one in found], axis=0))
    fails = hommel_rows(np.stack(p_against, axis=1)) <= 0.05
    holds = (hommel_rows(np.stack(p_for, axis=1)) <= 0.05) & np.stack(above, axis=1) & ~fails
    true_claims = (differences > 0).all(axis=1)
    false_holds = (holds & ~true_claims).any(axis=1)
    false_fails = (fails & true_claims).any(axis=1)
    return (
        float(false_holds.mean()),
        float(false_fails.mean()),
        float((false_holds | false_fails).mean()),
    )
