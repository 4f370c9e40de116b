import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdb.statistics import holm, hommel, intersection_union, union_intersection

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


def test_hommel_of_hand_worked_families():
    assert hommel([0.04, 0.04]) == pytest.approx([0.04, 0.04])
    # Rejected at alpha where every Simes test of a set that holds the claim rejects.
    assert hommel([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert len(hommel([])) == 0
    assert hommel([0.2]) == pytest.approx([0.2])


def closed_simes(p):
    """Hommel's adjusted p values by their definition: the closed test of Simes' inequality."""
    sets = [
        [place for place in range(len(p)) if (number >> place) & 1]
        for number in range(1, 2 ** len(p))
    ]
    local = {
        tuple(own): min(
            len(own) * q / (rank + 1) for rank, q in enumerate(sorted(p[place] for place in own))
        )
        for own in sets
    }
    return [max(q for own, q in local.items() if place in own) for place in range(len(p))]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_hommel_is_the_closed_test_of_simes(p_values):
    assert hommel(p_values) == pytest.approx(closed_simes(p_values))


@given(P_VALUES)
def test_hommel_lies_between_the_raw_p_and_holm(p_values):
    adjusted = hommel(p_values)
    assert (adjusted >= np.asarray(p_values)).all()
    assert (adjusted <= holm(p_values) + 1e-12).all()


def test_hommel_counts_a_missing_comparison_as_1():
    adjusted = hommel([0.01, np.nan, 0.02])
    assert adjusted[[0, 2]] == pytest.approx(hommel([0.01, 1.0, 0.02])[[0, 2]])
    assert np.isnan(adjusted[1])


def test_union_intersection_by_hand():
    assert union_intersection([0.01, 0.5, np.nan]) == pytest.approx(0.03)
    assert union_intersection([0.9, 0.8]) == 1.0
    assert np.isnan(union_intersection([np.nan]))
    with pytest.raises(ValueError, match="empty"):
        union_intersection([])
