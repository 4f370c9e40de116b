import time

import numpy as np
import pytest
from family_studies import CLAIMS, DATASETS, World, family, judged
from statistics_studies import Design as StudyDesign
from statistics_studies import study

from topdb.statistics import (
    CellPlan,
    CellVerdict,
    ClaimPlan,
    ClaimVerdict,
    PartPlan,
    Spread,
    cell_verdict,
    design,
    measured_spread,
)
from topdb.statistics.design import NO_DIFFERENCE, ONE_RUN, PUBLISHED

SPREAD = Spread(seed_a=0.4, seed_b=0.4, people=7.0, interaction=6.0)


def claim(name="full over baseline", published=1.5, spread=SPREAD, sets=DATASETS, **changed):
    options = {"measure": "mAP", "better": "full", "worse": "baseline"} | changed
    parts = tuple(
        PartPlan(dataset=name, published=published, people=700, spread=spread, **options)
        for name in sets
    )
    return ClaimPlan(name, "streams", parts)


def planned(claims=(), cells=(), **options):
    given = {"seeds": 5, "studies": 2000, "rng": np.random.default_rng(1)} | options
    return design(claims, cells, **given)


def test_a_large_difference_holds_and_a_large_disadvantage_fails():
    found = planned([claim()], stated=(20.0, -20.0))
    name = "full over baseline"
    assert found.chance(name, "+20", ClaimVerdict.HOLDS) == 1
    assert found.chance(name, "-20", ClaimVerdict.FAILS) == 1
    assert found.chance(name, NO_DIFFERENCE, ClaimVerdict.HOLDS) <= 0.01
    assert found.chance(name, NO_DIFFERENCE, ClaimVerdict.FAILS) <= 0.06


def test_chances_add_up_and_grow_with_difference_seeds_and_people():
    found = planned([claim()], stated=(0.5, 1.0, 2.0))
    for row in found.rows:
        assert sum(row.chances.values()) == pytest.approx(1)
        assert all(-1e-12 <= chance <= 1 for chance in row.chances.values())
    holds = [
        found.chance("full over baseline", truth, ClaimVerdict.HOLDS)
        for truth in ("+0.5", "+1", PUBLISHED, "+2")
    ]
    assert holds == sorted(holds)
    more = planned([claim()], seeds=10, stated=(1.0,))
    assert more.chance("full over baseline", "+1", ClaimVerdict.HOLDS) > holds[1]


def test_people_are_part_of_the_chance():
    still = Spread(seed_a=0.4, seed_b=0.4, people=0.0, interaction=0.0)
    with_people = planned([claim()]).chance("full over baseline", PUBLISHED, ClaimVerdict.HOLDS)
    without = planned([claim(spread=still)])
    assert without.chance("full over baseline", PUBLISHED, ClaimVerdict.HOLDS) > with_people + 0.03


def test_three_seeds_never_hold_and_five_paired_ones_can():
    name = "full over baseline"
    three = planned(
        [claim(), claim("other", worse="other")], seeds=3, stated=(20.0,), adjust="holm"
    )
    assert three.chance(name, "+20", ClaimVerdict.HOLDS) == 0
    paired = planned([claim(paired=True)], stated=(20.0,))
    assert paired.chance(name, "+20", ClaimVerdict.HOLDS) == 1
    assert (
        planned([claim(paired=True)], seeds=4, stated=(20.0,)).chance(
            name, "+20", ClaimVerdict.HOLDS
        )
        == 0
    )


def test_no_row_under_a_difference_that_was_not_printed():
    found = planned([claim(published=float("nan"))])
    assert [row.truth for row in found.rows] == [NO_DIFFERENCE]
    with pytest.raises(KeyError):
        found.chance("full over baseline", PUBLISHED, ClaimVerdict.HOLDS)


def test_cells_agree_with_the_verdicts_of_simulated_runs():
    rng = np.random.default_rng(2)
    found = planned(cells=[CellPlan("cell", 0.8, 1.0)], stated=(2.0,), studies=20_000)
    for truth, shift, printed_sd in ((NO_DIFFERENCE, 0, 0), (ONE_RUN, 0, 0.8), ("+2", 2.0, 0)):
        words = [
            cell_verdict(
                rng.normal(80 + shift, 0.8, 5),
                80 + printed_sd * rng.standard_normal(),
                seeds=5,
                delta=1.0,
                rounding=0.05,
            ).verdict
            for _ in range(1500)
        ]
        for verdict in (CellVerdict.REPRODUCED, CellVerdict.EXCEEDS, CellVerdict.INCONCLUSIVE):
            counted = np.mean([word == verdict for word in words])
            assert found.chance("cell", truth, verdict) == pytest.approx(counted, abs=0.045)


def test_claims_agree_with_studies_of_people():
    """The short way, from variances, against the long one, from people's scores."""
    rng = np.random.default_rng(3)
    world = World(seed=0.4)
    holds = []
    for _ in range(60):
        words = judged(family(world, np.full((6, 4), 1.5), rng), world).values()
        holds.append(np.mean([each.verdict == ClaimVerdict.HOLDS for each in words]))
    spread = Spread(0.48, 0.48, 5 * np.sqrt(2), 6.0)  # a run's mean has the people's luck, too
    claims = [
        claim(f"{other} {measure}", worse=other, measure=measure, spread=spread)
        for other, measure in CLAIMS
    ]
    found = planned(claims)
    chances = [found.chance(each.name, PUBLISHED, ClaimVerdict.HOLDS) for each in claims]
    assert np.mean(chances) == pytest.approx(np.mean(holds), abs=0.12)


def test_measured_spread_finds_what_was_put_in():
    rng = np.random.default_rng(4)
    world = StudyDesign(1.0, 10.0, 10.0, query=0.0, seeds_a=20, seeds_b=20, people=400)
    found = []
    for _ in range(20):
        of = study(world, rng)
        found.append(measured_spread(of.ap_a, of.ap_b, of.people))
    # Per person 1 to 7 queries: the weights' squares add up to 1.25 / people.
    seed = np.sqrt(1 + 1.25 * 100 / 400)
    assert np.mean([each.seed_a for each in found]) == pytest.approx(seed, rel=0.1)
    assert np.mean([each.seed_b for each in found]) == pytest.approx(seed, rel=0.1)
    people = np.sqrt(1.25) * 10
    assert np.mean([each.people for each in found]) == pytest.approx(people, rel=0.1)
    assert np.mean([each.interaction for each in found]) == pytest.approx(people, rel=0.05)


def test_the_table_has_a_row_a_row():
    found = planned([claim()], [CellPlan("cell", 0.5, 1.0)], stated=(1.0,))
    table = found.table()
    assert table[0][:3] == ("kind", "name", "truth")
    assert len(table) == 1 + len(found.rows) == 1 + 3 + 3
    assert {len(row) for row in table} == {10}


def test_the_same_generator_gives_the_same_table():
    assert planned([claim()]).rows == planned([claim()]).rows


def test_a_whole_paper_takes_less_than_a_minute():
    claims = [
        claim(f"{other} {measure}", worse=other, measure=measure) for other, measure in CLAIMS
    ] + [claim(f"rk {measure}", measure=measure, paired=True) for measure in ("mAP", "R1")]
    cells = [CellPlan(str(place), 0.3 + place / 50, 1.0) for place in range(40)]
    start = time.process_time()
    planned(claims, cells, studies=4000, stated=(0.5, 1.0, 2.0))
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 1}, "seeds is 1"),
        ({"adjust": "none"}, "adjust is 'none'"),
        ({"cells": [CellPlan("c", 0.5, 0.0)]}, "delta of c is 0"),
        ({"claims": [claim(spread=Spread(-1, 1, 1, 1))]}, "seed_a is -1"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        planned(**options)
