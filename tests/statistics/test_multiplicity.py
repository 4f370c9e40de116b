import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdb.statistics import holm, intersection_union

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_hand_worked_family():
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_missing_comparison_keeps_its_place_in_the_family():
    adjusted = holm([0.01, np.nan, 0.02])
    assert adjusted[[0, 2]] == pytest.approx([0.03, 0.04])
    assert np.isnan(adjusted[1])


def test_empty_family():
    assert len(holm([])) == 0


@given(P_VALUES)
def test_agrees_with_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(expected)


@given(P_VALUES)
def test_never_below_the_raw_p_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= np.asarray(p_values)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


def test_claim_of_parts_is_as_sure_as_its_least_sure_part():
    assert intersection_union([0.01, 0.2, 0.03]) == 0.2
    assert np.isnan(intersection_union([0.01, np.nan]))


@pytest.mark.parametrize("p_values", [[-0.1], [1.1], [[0.1]]])
def test_values_that_are_no_p_values_are_refused(p_values):
    with pytest.raises(ValueError, match="p_values has"):
        holm(p_values)


def test_claim_without_parts_is_refused():
    with pytest.raises(ValueError, match="p_values is empty"):
        intersection_union([])
