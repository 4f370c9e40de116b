import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from topdb.statistics import against_published, prediction_interval

SCORES = st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=2, max_size=8).filter(
    lambda values: len(set(values)) > 1
)


def test_three_seeds_by_hand():
    # Mean 95, deviation 1, standard error 1 / sqrt(3); t of 2 degrees at 0.95 is 2.920.
    found = against_published([94.0, 95.0, 96.0], 95.5, delta=3.0)
    assert found.difference == -0.5
    assert (found.low, found.high) == pytest.approx((-0.5 - 1.6859, -0.5 + 1.6859), abs=1e-3)
    assert found.equivalent
    assert found.p < 0.05


@given(values=SCORES, published=st.floats(0, 100), delta=st.floats(0.1, 20))
@settings(deadline=None)
def test_agrees_with_statsmodels(values, published, delta):
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    described = weightstats.DescrStatsW(np.asarray(values) - published)
    expected = described.ttost_mean(-delta, delta)[0]
    found = against_published(values, published, delta=delta)
    assert found.p == pytest.approx(expected, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(described.tconfint_mean(alpha=0.1))


@given(values=SCORES, published=st.floats(0, 100), delta=st.floats(0.1, 20))
@settings(deadline=None)
def test_interval_and_p_agree(values, published, delta):
    found = against_published(values, published, delta=delta)
    if abs(found.p - 0.05) > 1e-9:
        assert found.equivalent == (found.p < 0.05)


def test_false_equivalence_at_the_margin_is_five_percent_or_less():
    rng = np.random.default_rng(1)
    called = [
        against_published(rng.normal(91, 0.4, 5), 90, delta=1.0).equivalent for _ in range(2000)
    ]
    assert np.mean(called) <= 0.06


def test_seeds_without_spread_give_a_point():
    found = against_published([90.0, 90.0], 90.5, delta=1.0)
    assert (found.low, found.high, found.p, found.equivalent) == (-0.5, -0.5, 0, True)
    assert against_published([90.0, 90.0], 91.0, delta=1.0).p == 1


def test_prediction_interval_by_hand():
    # t of 2 degrees at 0.975 is 4.3027; the factor is sqrt(1 + 1/3).
    found = prediction_interval([94.0, 95.0, 96.0], rounding=0.05)
    reach = 4.3027 * math.sqrt(4 / 3) + 0.05
    assert (found.low, found.high) == pytest.approx((95 - reach, 95 + reach), abs=1e-3)
    assert found.contains(found.low)
    assert not found.contains(found.high + 0.01)


def test_prediction_interval_holds_one_more_run_in_95_percent():
    rng = np.random.default_rng(2)
    runs = rng.normal(90, 0.5, (4000, 6))
    inside = [prediction_interval(row[:5], rounding=0.0).contains(row[5]) for row in runs]
    assert 0.94 <= np.mean(inside) <= 0.96


@given(values=SCORES)
@settings(deadline=None)
def test_prediction_is_wider_than_the_interval_of_the_mean(values):
    mean = t.interval(0.95, len(values) - 1, np.mean(values), np.std(values, ddof=1))
    found = prediction_interval(values, rounding=0.0)
    assert found.low < mean[0]
    assert found.high > mean[1]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="values has 1 values"):
        against_published([90.0], 90, delta=1.0)
    with pytest.raises(ValueError, match="delta is 0"):
        against_published([90.0, 91.0], 90, delta=0)
    with pytest.raises(ValueError, match="published is nan"):
        against_published([90.0, 91.0], math.nan, delta=1)
    with pytest.raises(ValueError, match=r"alpha is 0\.5"):
        against_published([90.0, 91.0], 90, delta=1, alpha=0.5)
    with pytest.raises(ValueError, match="rounding is -1"):
        prediction_interval([90.0, 91.0], rounding=-1)
