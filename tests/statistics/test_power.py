import math

import numpy as np
import pytest

from topdb.statistics import (
    against_published,
    prediction_interval,
    seeds_to_exclude,
    seeds_to_settle,
)


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
    with pytest.raises(ValueError, match="sd is nan"):
        seeds_to_settle(1.0, math.nan, delta=1.0)
    with pytest.raises(ValueError, match="power is 1"):
        seeds_to_settle(0.5, 1.0, delta=1.0, power=1)


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
