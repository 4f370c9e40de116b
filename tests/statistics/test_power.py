import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.statistics import (
    against_published,
    power_of_difference,
    prediction_interval,
    seeds_to_exclude,
    seeds_to_see,
    seeds_to_settle,
    smallest_possible_p,
)


@pytest.mark.parametrize(("ours", "theirs"), [("two-sided", "two-sided"), ("greater", "larger")])
@pytest.mark.parametrize("effect", [0.3, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("seeds", [2, 5, 20])
def test_power_agrees_with_statsmodels(ours, theirs, effect, seeds):
    statsmodels = pytest.importorskip("statsmodels.stats.power")
    expected = statsmodels.TTestIndPower().power(effect, seeds, 0.05, alternative=theirs)
    found = power_of_difference(0.4 * effect, 0.4, 0.4, seeds, alternative=ours)
    assert found == pytest.approx(expected, abs=1e-6)


def test_power_stays_a_probability_in_the_far_tails():
    freedoms, shifts = (2, 5, 20, 100, 1000), np.linspace(-20, 20, 41)
    found = [
        power_of_difference(shift, 1.0, 1.0, seeds, alternative="greater")
        for seeds in freedoms
        for shift in shifts
    ]
    rows = np.reshape(found, (len(freedoms), -1))
    assert (rows >= 0).all()
    assert (np.diff(rows, axis=1) >= -1e-9).all()
    assert rows[:, 0] == pytest.approx(0)
    assert rows[:, -1] == pytest.approx(1)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 1.5])
def test_seeds_agree_with_statsmodels(effect):
    statsmodels = pytest.importorskip("statsmodels.stats.power")
    expected = statsmodels.TTestIndPower().solve_power(effect, alpha=0.05, power=0.8)
    assert seeds_to_see(effect, 1.0, 1.0) == math.ceil(expected)


def test_never_fewer_seeds_than_the_permutation_test_needs():
    assert seeds_to_see(100.0, 0.1, 0.1) == 4
    assert seeds_to_see(100.0, 0.0, 0.0, comparisons=12, alternative="greater") == 5
    assert smallest_possible_p(5, 5, "greater") <= 0.05 / 12 < smallest_possible_p(4, 4, "greater")


def test_no_number_of_seeds_shows_what_is_not_there():
    assert seeds_to_see(0.0, 0.5, 0.5) is None
    assert seeds_to_see(-1.0, 0.5, 0.5, alternative="greater") is None
    assert seeds_to_see(0.01, 5.0, 5.0) is None


@given(st.floats(0.2, 3), st.floats(0.05, 1), st.floats(1.1, 3))
@settings(max_examples=30, deadline=None)
def test_more_noise_needs_no_fewer_seeds(difference, sd, factor):
    quiet = seeds_to_see(difference, sd, sd)
    noisy = seeds_to_see(difference, factor * sd, factor * sd)
    assert quiet is not None
    assert noisy is None or noisy >= quiet


@pytest.mark.parametrize(("difference", "sd"), [(0.0, 0.6), (0.4, 0.5), (1.6, 0.5), (-0.7, 0.3)])
def test_as_many_seeds_as_promised_settle_a_cell(difference, sd):
    seeds = seeds_to_settle(difference, sd, delta=1.0)
    assert seeds is not None

    def settled(number):
        rng = np.random.default_rng(3)
        found = [
            against_published(rng.normal(90 + difference, sd, number), 90, delta=1.0)
            for _ in range(1000)
        ]
        inside = abs(difference) < 1
        return np.mean(
            [one.equivalent if inside else one.low > 1 or one.high < -1 for one in found]
        )

    assert settled(seeds) >= 0.77
    assert settled(seeds - 1) < 0.83


def test_mean_on_the_margin_is_never_settled():
    assert seeds_to_settle(1.0, 0.3, delta=1.0) is None
    assert seeds_to_settle(0.999, 0.3, delta=1.0) is None


def test_noiseless_seeds_settle_at_once():
    assert seeds_to_settle(0.5, 0.0, delta=1.0) == 2


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="sd_a is -1"):
        seeds_to_see(1.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="sd is nan"):
        seeds_to_settle(1.0, math.nan, delta=1.0)
    with pytest.raises(ValueError, match="power is 1"):
        seeds_to_see(1.0, 1.0, 1.0, power=1)


@pytest.mark.parametrize(("difference", "sd"), [(3.0, 1.0), (-2.5, 1.0), (0.9, 0.2)])
def test_that_many_seeds_exclude_the_published_run_in_four_studies_of_five(difference, sd):
    seeds = seeds_to_exclude(difference, sd, rounding=0.05)
    rng = np.random.default_rng(5)
    excluded = {
        n: np.mean(
            [
                not prediction_interval(runs, rounding=0.05).contains(0.0)
                for runs in rng.normal(difference, sd, (4_000, n))
            ]
        )
        for n in (seeds - 1, seeds)
    }
    assert excluded[seeds - 1] < 0.82
    assert excluded[seeds] > 0.78


def test_no_number_of_seeds_excludes_a_run_within_their_spread():
    assert seeds_to_exclude(1.95, 1.0, rounding=0.0) is None
    assert seeds_to_exclude(2.1, 1.0, rounding=0.0) is not None
    assert seeds_to_exclude(2.1, 1.0, rounding=0.2) is None
    assert seeds_to_exclude(0.04, 0.0, rounding=0.05) is None
    assert seeds_to_exclude(0.06, 0.0, rounding=0.05) == 2
