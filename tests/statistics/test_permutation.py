from math import comb

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from topdb.statistics import exact_label_permutation, smallest_possible_p

ALTERNATIVES = ("two-sided", "greater", "less")
SCORES = st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=1, max_size=5)


def test_five_clearly_separated_seeds_each_reach_two_of_252():
    found = exact_label_permutation([6, 7, 8, 9, 10], [1, 2, 3, 4, 5])
    assert found.statistic == 5
    assert found.p == found.smallest_possible_p == pytest.approx(2 / 252)
    assert found.permutations == 252
    assert found.exact


def test_three_seeds_each_cannot_go_below_a_tenth():
    found = exact_label_permutation([90.0, 91.0, 92.0], [10.0, 11.0, 12.0])
    assert found.p == found.smallest_possible_p == pytest.approx(0.1)


def test_hand_worked_one_sided_tail():
    found = exact_label_permutation([3, 2], [1, 2.5], alternative="greater")
    assert found.p == pytest.approx(2 / 6)


def test_identical_runs_give_no_evidence():
    found = exact_label_permutation([0.1 + 0.2, 0.3, 0.3], [0.3, 0.1 + 0.2, 0.3])
    assert found.p == 1


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@given(a=SCORES, b=SCORES)
@settings(max_examples=40, deadline=None)
def test_agrees_with_scipy(alternative, a, b):
    assume(len(a) > 1 and len(b) > 1 and abs(np.mean(a) - np.mean(b)) > 1e-6)
    expected = permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        vectorized=True,
        alternative=alternative,
    )
    found = exact_label_permutation(a, b, alternative=alternative)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)


@given(a=SCORES, b=SCORES, shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
@settings(deadline=None)
def test_unit_and_offset_do_not_matter(a, b, shift, scale):
    before = exact_label_permutation(a, b)
    after = exact_label_permutation([scale * x + shift for x in a], [scale * x + shift for x in b])
    assert after.p == before.p


@given(a=SCORES, b=SCORES)
@settings(deadline=None)
def test_methods_can_change_places(a, b):
    forth, back = exact_label_permutation(a, b), exact_label_permutation(b, a)
    assert back.p == forth.p
    assert back.statistic == -forth.statistic
    up = exact_label_permutation(a, b, alternative="greater")
    assert up.p == exact_label_permutation(b, a, alternative="less").p


@given(a=SCORES, b=SCORES)
@settings(deadline=None)
def test_p_is_never_below_the_smallest_possible(a, b):
    for alternative in ALTERNATIVES:
        found = exact_label_permutation(a, b, alternative=alternative)
        assert found.smallest_possible_p <= found.p <= 1


def test_many_seeds_are_sampled_and_never_give_zero():
    rng = np.random.default_rng(0)
    found = exact_label_permutation(np.arange(20) + 100.0, np.arange(20.0), rng=rng, draws=30_000)
    assert not found.exact
    assert found.permutations == 30_000
    assert found.p == found.smallest_possible_p == pytest.approx(2 / 30_001)


def test_sample_comes_close_to_the_t_test():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 15), rng.normal(0, 1, 15)
    found = exact_label_permutation(a, b, rng=rng, draws=40_000)
    assert found.p == pytest.approx(ttest_ind(a, b).pvalue, abs=0.02)


def test_same_generator_gives_the_same_sample():
    a, b = np.arange(15.0), np.arange(15.0) + 2.5
    first, second = (
        exact_label_permutation(a, b, rng=np.random.default_rng(3), draws=1000) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_rejects_five_percent_or_less_without_a_difference(alternative):
    rng = np.random.default_rng(5)
    rejected = [
        exact_label_permutation(*rng.normal(size=(2, 5)), alternative=alternative).p <= 0.05
        for _ in range(2000)
    ]
    # Two thousand tests at a level of 0.05 scatter by 0.005.
    assert np.mean(rejected) <= 0.06


def test_level_is_exact_over_all_labellings_of_one_study():
    from itertools import combinations

    values = np.random.default_rng(6).normal(size=8)
    p = []
    for chosen in combinations(range(8), 4):
        labelled = np.zeros(8, bool)
        labelled[list(chosen)] = True
        p.append(exact_label_permutation(values[labelled], values[~labelled]).p)
    for level in (0.05, 0.1, 0.5):
        assert np.mean(np.asarray(p) <= level) <= level


@given(st.integers(1, 12), st.integers(1, 12))
def test_smallest_possible_p_counts_labellings(a, b):
    assert smallest_possible_p(a, b, "less") == 1 / comb(a + b, a)
    assert smallest_possible_p(a, b) == min(1, 2 / comb(a + b, a))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="a has 0 values"):
        exact_label_permutation([], [1.0])
    with pytest.raises(ValueError, match="b has values that are missing"):
        exact_label_permutation([1.0], [np.nan])
    with pytest.raises(ValueError, match="rng is missing"):
        exact_label_permutation(np.arange(20.0), np.arange(20.0))
    with pytest.raises(ValueError, match="alternative is 'larger'"):
        exact_label_permutation([1.0], [2.0], alternative="larger")
