"""Intervals over people: by hand, and how often they hold the truth."""

import numpy as np
import pytest
import statistics_studies

from topdb.statistics import (
    checkpoint_difference,
    difference_interval,
    method_interval,
    people_interval,
)

FOUR = np.array([1.0, 1.0, 1.0, 0.0])


def test_an_interval_of_four_people_by_hand():
    """Mean 3/4; without the one at 0 it is 1, without another 2/3: jackknife variance 1/16.

    3/16 of variance within a trial make that 3 trials, t of 3 degrees of freedom is 3.1824, and
    Wilson's interval with it ends at 0.1307 and 0.9836.
    """
    found = people_interval(FOUR, [1, 2, 3, 4])
    assert (found.estimate, found.people) == (0.75, 4)
    assert found.standard_error == pytest.approx(0.25)
    assert (found.low, found.high) == pytest.approx((0.1307, 0.9836), abs=1e-4)
    percent = people_interval(100 * FOUR, [1, 2, 3, 4], whole=100)
    assert (percent.low, percent.high) == pytest.approx((100 * found.low, 100 * found.high))


def test_queries_of_a_person_and_those_without_a_match_add_no_people():
    repeated = people_interval(np.repeat(FOUR, 5), np.repeat([1, 2, 3, 4], 5))
    gaps = people_interval([*FOUR, np.nan], [1, 2, 3, 4, 5])
    once = people_interval(FOUR, [1, 2, 3, 4])
    for found in (repeated, gaps):
        assert vars(found) == pytest.approx(vars(once))


def test_people_who_all_score_alike_leave_room_for_others():
    found = people_interval(np.ones(750), np.arange(750))
    assert found.high == 1.0
    assert 0.99 < found.low < 1.0


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match="outside 0 to 1"):
        people_interval([75.0, 50.0], [1, 2])
    with pytest.raises(ValueError, match="1 persons"):
        people_interval([0.5, 0.5], [1, 1])
    with pytest.raises(ValueError, match="two seeds"):
        method_interval([[0.5, 0.5]], [1, 2])


def test_a_difference_of_two_checkpoints_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt 3, t of 2 degrees of freedom 4.3027."""
    found = checkpoint_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], [1, 2, 3])
    assert found.estimate == pytest.approx(2)
    assert found.high - found.estimate == pytest.approx(4.3027 / np.sqrt(3), abs=1e-4)
    assert found.p_above == pytest.approx(0.0371, abs=1e-4)
    assert found.p_above + found.p_below == pytest.approx(1)
    same = checkpoint_difference(FOUR, FOUR, [1, 2, 3, 4])
    assert (same.low, same.high, same.p_above, same.p_below) == (0, 0, 1, 1)


def test_one_methods_interval_is_that_of_its_difference_from_a_method_without_any_spread():
    rng = np.random.default_rng(3)
    study = statistics_studies.study(statistics_studies.DESIGNS["as trained"], rng)
    scores = np.clip(study.ap_a, 0, 100)
    none = np.zeros_like(scores)
    beside = difference_interval(scores, none, study.people, draws=100, rng=rng)
    found = method_interval(scores, study.people, whole=100)
    assert found.estimate == pytest.approx(beside.estimate)
    assert found.standard_error == pytest.approx(beside.standard_error)


def people_of_a_study(rng, count, kind):
    queries = rng.integers(1, 8, count)
    person = np.repeat(np.arange(count), queries)
    ease = 1.5 * rng.standard_normal(count)
    if kind == "hits":
        return (rng.random(len(person)) < 1 / (1 + np.exp(-3 - ease[person]))).astype(float), person
    eased = 1.5 + ease[person] + rng.standard_normal(len(person))
    return np.minimum(1 / (1 + np.exp(-eased)) + 0.25 * (eased > 2.5), 1), person


def share_covered(kind, count, studies):
    rng = np.random.default_rng(11)
    truth = people_of_a_study(rng, 400_000, kind)[0].mean()
    found = [people_interval(*people_of_a_study(rng, count, kind)) for _ in range(studies)]
    return np.mean([each.low <= truth <= each.high for each in found])


@pytest.mark.parametrize("kind", ["AP", "hits"])
def test_nineteen_of_twenty_intervals_hold_the_truth(kind):
    assert 0.93 <= share_covered(kind, 200, studies=1000) <= 0.97


@pytest.mark.parametrize("kind", ["AP", "hits"])
@pytest.mark.parametrize("count", [50, 100, 750])
def test_they_do_so_with_fewer_and_with_more_people(kind, count, long):
    assert 0.93 <= share_covered(kind, count, studies=4000) <= 0.97


def test_the_test_of_two_checkpoints_keeps_its_level():
    rng = np.random.default_rng(5)
    design = statistics_studies.Design(seed=0, person=8, both=0, seeds_a=1, seeds_b=1)
    found = []
    for _ in range(600):
        study = statistics_studies.study(design, rng)
        each = checkpoint_difference(study.ap_a[0], study.ap_b[0], study.people)
        found.append(each.low <= statistics_studies.DIFFERENCE <= each.high)
    assert 0.93 <= np.mean(found) <= 0.97
