import numpy as np
import pytest
from scipy.stats import permutation_test

from topdb.statistics import sign_flip


def test_three_people_by_hand():
    # Differences by person 2, 1, 1 of four queries: of the eight sign choices, two reach |4|.
    ap_a, ap_b = np.array([1.0, 1.0, 1.0, 1.0]), np.zeros(4)
    found = sign_flip(ap_a, ap_b, [7, 7, 8, 9], draws=40_000, rng=np.random.default_rng(0))
    assert found.statistic == 1
    assert found.people == 3
    assert found.p == pytest.approx(2 / 8, abs=0.01)
    assert found.scope == "these checkpoints, not these methods"


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_agrees_with_scipy_where_each_person_has_one_query(alternative):
    rng = np.random.default_rng(1)
    a, b = rng.random(10) + 0.1, rng.random(10)
    expected = permutation_test(
        (a - b,), np.mean, permutation_type="samples", alternative=alternative
    )
    found = sign_flip(a, b, np.arange(10), alternative=alternative, draws=40_000, rng=rng)
    assert found.p == pytest.approx(expected.pvalue, abs=0.01)


def test_same_checkpoint_twice_differs_by_nothing():
    ap = np.random.default_rng(2).random(30)
    found = sign_flip(ap, ap, np.arange(30) // 3, draws=500, rng=np.random.default_rng(2))
    assert (found.statistic, found.p) == (0, 1)


def test_p_is_never_zero():
    people = np.arange(60)
    found = sign_flip(np.ones(60), np.zeros(60), people, draws=999, rng=np.random.default_rng(3))
    assert found.p == 1 / 1000


def test_queries_without_a_match_do_not_count():
    rng = np.random.default_rng(4)
    a, b, people = rng.random(20), rng.random(20), np.arange(20) // 2
    a[3] = b[3] = np.nan
    found = sign_flip(a, b, people, rng=rng)
    assert found.statistic == pytest.approx(np.nanmean(a) - np.nanmean(b))


def test_queries_of_a_person_flip_together():
    # Ten copies of each query hold no more evidence than one.
    rng = np.random.default_rng(5)
    a, b = rng.random((2, 12))
    once = sign_flip(a, b, np.arange(12), rng=np.random.default_rng(6))
    copied = sign_flip(
        np.repeat(a, 10),
        np.repeat(b, 10),
        np.repeat(np.arange(12), 10),
        rng=np.random.default_rng(6),
    )
    assert copied.p == pytest.approx(once.p, abs=1e-3)


def test_rejects_five_percent_or_less_without_a_difference():
    rng = np.random.default_rng(7)
    people = np.arange(90) // 3
    p = []
    for _ in range(1000):
        person = np.repeat(rng.normal(size=30), 3)
        a, b = person + rng.normal(size=90), np.zeros(90)
        p.append(sign_flip(a, b, people, draws=399, rng=rng).p)
    assert 0.03 <= np.mean(np.asarray(p) <= 0.05) <= 0.065


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="other queries"):
        sign_flip([0.1, np.nan, 0.2], [0.1, 0.2, 0.2], [1, 2, 3], rng=rng)
    with pytest.raises(ValueError, match="people has negative ids"):
        sign_flip([0.1, 0.2], [0.1, 0.2], [1, -1], rng=rng)
    with pytest.raises(ValueError, match="alternative is 'more'"):
        sign_flip([0.1, 0.2], [0.1, 0.2], [1, 2], alternative="more", rng=rng)
    with pytest.raises(ValueError, match="draws is 0"):
        sign_flip([0.1, 0.2], [0.1, 0.2], [1, 2], draws=0, rng=rng)
