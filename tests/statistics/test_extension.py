import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seed_studies import false_holds, false_reproduced, reproduced_at

from topdb.statistics import alpha_at_look, extended


def test_the_planned_look_has_its_share_and_a_study_that_never_grows_has_all():
    assert alpha_at_look(5, planned=5) == pytest.approx(0.04)
    assert alpha_at_look(5, planned=5, most=5) == 0.05
    assert alpha_at_look(5, planned=5, alpha=0.025) == pytest.approx(0.02)


def test_two_looks_by_hand():
    """The second level solves P(first below, second above) = what is left, of two normals."""
    from scipy.stats import multivariate_normal, norm

    second = alpha_at_look(5, planned=4, most=5)
    bounds = norm.isf([0.04, second])
    correlation = np.sqrt(4 / 5)
    both = multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(bounds)
    assert 1 - both == pytest.approx(0.04 + 0.8 * 0.01, abs=2e-5)


@given(planned=st.integers(2, 8), extra=st.integers(0, 12), alpha=st.floats(0.005, 0.1))
def test_levels_are_within_bounds_and_grow_with_alpha(planned, extra, alpha):
    n = planned + min(extra, 3 * planned)
    found = alpha_at_look(n, planned=planned, alpha=alpha)
    assert 0 < found < alpha
    assert found < alpha_at_look(n, planned=planned, alpha=1.5 * alpha)


def test_no_level_is_left_beyond_the_end():
    with pytest.raises(ValueError, match="ends at 20"):
        alpha_at_look(21, planned=5)
    with pytest.raises(ValueError, match="n is 4"):
        alpha_at_look(4, planned=5)
    with pytest.raises(ValueError, match="planned is 1"):
        alpha_at_look(4, planned=1)
    with pytest.raises(ValueError, match="first_share is 1"):
        alpha_at_look(6, planned=5, first_share=1.0)


def test_a_verdict_says_that_it_was_extended():
    assert extended(12, 5) == "extended from 5 to 12 seeds"
    assert extended(5, 5) == ""


@pytest.mark.parametrize(("planned", "most"), [(2, 8), (3, 12), (5, 20)])
def test_false_reproduced_over_all_looks_is_at_most_5_percent(planned, most):
    rng = np.random.default_rng(3)
    assert false_reproduced(rng, planned=planned, most=most, rule=True, studies=20_000) <= 0.051


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize(("planned", "most"), [(2, 8), (3, 12), (4, 16), (5, 20), (10, 40)])
def test_levels_over_all_looks_with_many_studies(planned, most):
    rng = np.random.default_rng(4)
    sizes = {"planned": planned, "most": most, "studies": 100_000}
    assert false_reproduced(rng, rule=True, **sizes) <= 0.051
    assert false_holds(rng, rule=True, **sizes) <= 0.0255


def test_without_the_rule_the_levels_are_lost():
    rng = np.random.default_rng(5)
    sizes = {"planned": 5, "most": 20, "studies": 10_000}
    assert false_reproduced(rng, rule=False, **sizes) > 0.14
    assert false_holds(rng, rule=False, **sizes) > 0.05


def test_what_the_rule_costs_at_the_planned_look():
    rng = np.random.default_rng(6)
    without = reproduced_at(rng, n=5, alpha=0.05, sd=0.5, studies=20_000)
    with_it = reproduced_at(rng, n=5, alpha=alpha_at_look(5, planned=5), sd=0.5, studies=20_000)
    assert without - with_it < 0.05
