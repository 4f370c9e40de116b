"""Confidence sets of ranks: by hand, and how often all of them hold the truth."""

import numpy as np
import pytest
import statistics_studies

from topdb.statistics import rank_sets, two_way_test

NAN = np.nan


def test_sets_by_hand():
    """The first is better than both others, and those two cannot be told apart."""
    p = [[NAN, 0.001, 0.002], [0.999, NAN, 0.3], [0.998, 0.7, NAN]]
    assert rank_sets(p) == [(1, 1), (2, 3), (2, 3)]


def test_holm_counts_both_directions_of_every_pair():
    """Two methods are two hypotheses: p 0.024 doubled is below 0.05, and 0.026 is not."""
    assert rank_sets([[NAN, 0.024], [0.976, NAN]]) == [(1, 1), (2, 2)]
    assert rank_sets([[NAN, 0.026], [0.974, NAN]]) == [(1, 2), (1, 2)]


def test_one_method_has_one_place_and_bad_shapes_are_refused():
    assert rank_sets([[NAN]]) == [(1, 1)]
    with pytest.raises(ValueError, match="a row and a column"):
        rank_sets([[0.5, 0.5]])


def share_covered(gaps, studies, seed=7):
    """How often the sets of methods, whose true means are these, hold all true ranks at once."""
    rng = np.random.default_rng(seed)
    true = np.array(gaps)
    first = 1 + (true[:, None] < true).sum(axis=1)
    last = len(true) - (true[:, None] > true).sum(axis=1)
    held = 0
    for _ in range(studies):
        people = np.repeat(np.arange(100), 3)
        hardness = 15 * statistics_studies.skewed(rng, 100)
        scores = []
        for mean in gaps:
            taste = 5 * statistics_studies.skewed(rng, 100)
            luck = 0.5 * rng.standard_normal((3, 1)) + 4 * rng.standard_normal((3, 100))
            noise = 8 * rng.standard_normal((3, 300))
            scores.append((60 + mean + hardness + taste + luck)[:, people] + noise)
        p = np.full((len(gaps), len(gaps)), NAN)
        for one in range(len(gaps)):
            for other in range(one):
                found = two_way_test(scores[one], scores[other], people)
                p[one, other], p[other, one] = found.p_above, found.p_below
        sets = rank_sets(p)
        # Tied methods share all their places, and the set of each holds them all.
        held += all(
            low <= early and high >= late
            for (low, high), early, late in zip(sets, first, last, strict=True)
        )
    return held / studies


@pytest.mark.parametrize("gaps", [(0, 0, 0, 0), (0, 0, 1, 3)])
def test_all_sets_hold_the_truth_in_nineteen_of_twenty_studies(gaps):
    assert share_covered(gaps, studies=150) >= 0.93


@pytest.mark.parametrize("gaps", [(0, 0, 0, 0), (0, 1, 2, 3), (0, 0, 4, 4, 4)])
def test_they_do_so_in_many_studies(gaps, long):
    assert share_covered(gaps, studies=3000) >= 0.95
