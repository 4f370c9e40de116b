import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from topdb.statistics import exact_paired_permutation, smallest_paired_p

SCORES = st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 100.0)), min_size=2, max_size=7)


def test_a_p_worked_out_by_hand():
    # Differences 1, 2, -1: sums of the 8 signs are 4, 0, 2, -2, 2, -2, 0, -4; 5 are at least 2.
    found = exact_paired_permutation([2.0, 4.0, 1.0], [1.0, 2.0, 2.0], alternative="greater")
    assert found.statistic == pytest.approx(2 / 3)
    assert (found.p, found.permutations, found.exact) == (3 / 8, 8, True)
    two_sided = exact_paired_permutation([2.0, 4.0, 1.0], [1.0, 2.0, 2.0])
    assert two_sided.p == 6 / 8


def test_five_seeds_that_agree_reach_one_in_thirty_two():
    found = exact_paired_permutation(np.arange(5) + 1.0, np.arange(5), alternative="greater")
    assert found.p == found.smallest_possible_p == smallest_paired_p(5, "greater") == 1 / 32
    assert smallest_paired_p(5) == 2 / 32
    assert smallest_paired_p(1) == 1.0


@given(SCORES, st.sampled_from(["greater", "less", "two-sided"]))
def test_p_is_that_of_scipy(pairs, alternative):
    a, b = np.array(pairs).T
    rounded_a, rounded_b = np.round(a, 3), np.round(b, 3)
    expected = stats.permutation_test(
        (rounded_a, rounded_b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        alternative=alternative,
        n_resamples=np.inf,
        vectorized=True,
    )
    found = exact_paired_permutation(rounded_a, rounded_b, alternative=alternative)
    assert found.p == pytest.approx(expected.pvalue)


def test_it_rejects_no_more_often_than_its_level_where_nothing_differs():
    rng = np.random.default_rng(3)
    network = rng.normal(size=(2_000, 6))
    rejected = [
        exact_paired_permutation(row + e, row + f, alternative="greater").p <= 0.05
        for row, e, f in zip(network, *rng.normal(size=(2, 2_000, 6)), strict=True)
    ]
    assert np.mean(rejected) <= 0.06  # 3 of 64 signs are allowed: 4.7 %


def test_many_seeds_are_sampled_and_never_give_zero():
    found = exact_paired_permutation(
        np.arange(18) + 1.0,
        np.arange(18),
        alternative="greater",
        rng=np.random.default_rng(1),
        draws=999,
    )
    assert not found.exact
    assert found.permutations == 999
    assert found.p == found.smallest_possible_p == 1 / 1000


def test_a_sample_comes_close_to_the_exact_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.3, 1.0, 17), rng.normal(size=17)
    exact = exact_paired_permutation(a, b)
    assert exact.exact
    # An eighteenth pair that is equal changes no sum, only how many there are.
    sampled = exact_paired_permutation([*a, 1.0], [*b, 1.0], rng=np.random.default_rng(3))
    assert not sampled.exact
    assert sampled.p == pytest.approx(exact.p, abs=0.01)


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        ([1.0, 2.0], [1.0], "cannot be paired"),
        ([], [], "at least 1"),
        ([1.0, float("nan")], [1.0, 2.0], "missing or infinite"),
        ([0.0] * 18, [0.0] * 18, "give a numpy Generator"),
    ],
)
def test_what_cannot_be_tested_is_named(a, b, sentence):
    with pytest.raises(ValueError, match=sentence):
        exact_paired_permutation(a, b)
