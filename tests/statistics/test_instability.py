import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seed_studies import coverage_of_collapsing, false_alarms

from topdb.statistics import pooled_sd, stability


def test_a_collapsed_run_is_named():
    found = stability([85.0, 84.5, 3.0, 85.2, 84.8])
    (run,) = found.runs
    assert (run.place, run.value, run.collapsed) == (2, 3.0, True)
    assert "chance" in run.reason
    assert found.mark() == "one of 5 runs collapsed"


def test_two_collapsed_runs_of_five_are_both_named():
    found = stability([85.0, 2.0, 3.0, 85.2, 84.8])
    assert [run.place for run in found.runs] == [1, 2]
    assert found.mark() == "2 of 5 runs collapsed"


def test_half_is_counted_from_chance():
    values = [70.0, 71.0, 58.0]
    assert stability(values).stable
    assert stability(values, chance=50.0).runs[0].collapsed


def test_an_outlier_that_did_not_collapse():
    found = stability([85.0, 84.9, 85.1, 85.0, 80.0])
    (run,) = found.runs
    assert (run.place, run.collapsed) == (4, False)
    assert found.mark() == "one of 5 runs stands out"
    assert stability([85.0, 84.9, 85.1, 85.0, 80.0], floor=6.0).stable


def test_the_relative_rule_is_grubbs():
    """The farthest of 4 against the other 3: mean 0, deviation 1, t of 2 degrees at 0.01 / 8."""
    from scipy.stats import t

    limit = t.isf(0.01 / 8, 2) * np.sqrt(1 + 1 / 3)
    for distance, stable in ((0.99 * limit, True), (1.01 * limit, False)):
        assert stability([99.0, 100.0, 101.0, 100 + distance], chance=-1e9).stable is stable


def test_three_seeds_need_the_usual_deviation():
    values = [85.0, 84.4, 79.0]
    assert stability(values).stable
    found = stability(values, usual_sd=0.6, usual_freedom=40)
    assert [run.place for run in found.runs] == [2]


def test_fewer_than_three_and_equal_runs_are_stable():
    assert stability([85.0, 1.0]).stable
    assert stability([]).mark() == ""
    assert stability([5.0] * 5).stable
    assert not stability([5.0] * 4 + [6.0]).stable


def test_nothing_collapses_where_the_median_run_is_at_chance():
    assert not any(run.collapsed for run in stability([1.0, 1.0, 0.2], chance=1.0).runs)


@given(st.lists(st.floats(0, 100), min_size=3, max_size=10), st.randoms())
def test_order_does_not_matter(values, random):
    moved = list(values)
    random.shuffle(moved)
    before, after = stability(values), stability(moved)
    assert sorted(run.value for run in before.runs if run.collapsed) == sorted(
        run.value for run in after.runs if run.collapsed
    )
    assert all(moved[run.place] == run.value for run in after.runs)


@given(st.lists(st.floats(0, 100), min_size=3, max_size=10), st.floats(0.001, 0.2))
def test_more_false_alarms_never_find_less(values, rate):
    few, many = stability(values, false_alarm=rate), stability(values, false_alarm=2 * rate)
    assert {run.place for run in few.runs} <= {run.place for run in many.runs}


def test_pooled_sd_is_not_widened_by_one_unstable_cell():
    rng = np.random.default_rng(1)
    cells = [rng.normal(80, 0.5, 5) for _ in range(200)]
    sd, freedom = pooled_sd([*cells, [80.0, 5.0, 81.0, 80.0]])
    assert sd == pytest.approx(0.5, rel=0.05)
    assert freedom == pytest.approx((200 * 4 + 3) / 1.5)
    assert np.isnan(pooled_sd([[1.0]])[0])


@pytest.mark.parametrize("changed", [{"false_alarm": 0.0}, {"lost": 1.0}, {"floor": -1.0}])
def test_bad_input_is_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        stability([1.0, 2.0, 3.0], **changed)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_normal_seeds_are_called_in_one_percent(n):
    assert false_alarms(np.random.default_rng(n), n=n, usual=False, studies=3000) <= 0.016


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("usual", [False, True])
@pytest.mark.parametrize("n", range(3, 13))
def test_false_alarms_of_every_size(n, usual):
    assert false_alarms(np.random.default_rng(n), n=n, usual=usual, studies=20_000) <= 0.013


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_a_collapsed_run_is_seen_and_the_unseen_ones_are_not(seeds):
    found = coverage_of_collapsing(
        np.random.default_rng(9), seeds=seeds, depth=75.0, sd=0.5, studies=4000
    )
    assert found["collapsed and marked"] >= 0.99
    assert found["marked"] == pytest.approx(1 - 0.9**seeds, abs=0.03)
    assert found["all cells, mean over all runs"] < 0.75
    assert found["unmarked cells, mean of runs that do not collapse"] >= 0.93
