import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_studies import (
    DESIGNS,
    DIFFERENCE,
    ONLY_INTERACTION,
    Design,
    Study,
    bounded_study,
    study,
)

from topdb.statistics import DifferenceInterval, difference_interval


def interval(of: Study, seed: int = 0, **options) -> DifferenceInterval:
    rng = np.random.default_rng(seed)
    return difference_interval(of.ap_a, of.ap_b, of.people, rng=rng, **options)


@pytest.fixture
def example() -> Study:
    return study(DESIGNS["as trained"], np.random.default_rng(1))


def coverage(studies, truth: float) -> float:
    rng = np.random.default_rng(11)
    hits = [
        found.low <= truth <= found.high
        for found in (
            difference_interval(one.ap_a, one.ap_b, one.people, draws=300, rng=rng)
            for one in studies
        )
    ]
    return float(np.mean(hits))


@pytest.mark.parametrize("name", DESIGNS)
def test_95_percent_interval_covers_93_to_97_percent(name):
    rng = np.random.default_rng(10)
    found = coverage((study(DESIGNS[name], rng) for _ in range(1000)), DIFFERENCE)
    assert 0.93 <= found <= 0.97


def test_coverage_of_scores_with_a_ceiling():
    rng = np.random.default_rng(12)
    found = coverage((bounded_study(rng) for _ in range(1000)), 0.0)
    assert 0.93 <= found <= 0.97


def test_interval_is_only_a_little_conservative_where_all_noise_is_interaction():
    rng = np.random.default_rng(13)
    found = coverage((study(ONLY_INTERACTION, rng) for _ in range(500)), DIFFERENCE)
    assert 0.93 <= found <= 0.99


def test_seeds_alone_agree_with_welch():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(2)
    a, b = rng.normal(91, 0.5, 5), rng.normal(90, 0.5, 5)
    people = np.arange(200) // 4
    of = Study(np.tile(a[:, None], 200), np.tile(b[:, None], 200), people)
    found = interval(of, draws=20_000)
    expected = ttest_ind(a, b, equal_var=False).confidence_interval()
    assert found.degrees_of_freedom == pytest.approx(ttest_ind(a, b, equal_var=False).df)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.1)
    assert (found.seed_share, found.people_share, found.interaction_share) == (1, 0, 0)


def test_people_alone_agree_with_the_paired_t_test():
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(3)
    a, b = rng.normal(90, 10, (2, 120))
    of = Study(np.tile(a, (5, 1)), np.tile(b, (5, 1)), np.arange(120))
    found = interval(of, draws=20_000)
    expected = ttest_1samp(a - b, 0).confidence_interval()
    assert found.degrees_of_freedom == pytest.approx(119)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.1)
    assert (found.seed_share, found.people_share, found.interaction_share) == (0, 1, 0)


def test_variance_parts_are_found_where_they_were_put():
    design = Design(seed=1.0, person=10.0, both=10.0, query=0.0, seeds_a=20, seeds_b=20, people=400)
    rng = np.random.default_rng(4)
    found = [interval(study(design, rng), draws=100) for _ in range(30)]
    # Per person 1 to 7 queries: the weights' squares add up to 1.25 / people.
    seed, person, both = 2 / 20, 1.25 * 100 / 400, 1.25 * 2 * 100 / (20 * 400)
    total = seed + person + both
    assert np.mean([f.standard_error**2 for f in found]) == pytest.approx(total, rel=0.1)
    assert np.mean([f.seed_share for f in found]) == pytest.approx(seed / total, abs=0.04)
    assert np.mean([f.people_share for f in found]) == pytest.approx(person / total, abs=0.04)
    assert np.mean([f.interaction_share for f in found]) == pytest.approx(both / total, abs=0.02)


def test_estimate_is_the_difference_of_mean_ap(example):
    found = interval(example)
    assert found.estimate == pytest.approx(example.ap_a.mean() - example.ap_b.mean())
    assert found.low < found.estimate < found.high
    assert found.seed_share + found.people_share + found.interaction_share == pytest.approx(1)


def test_wider_for_more_confidence(example):
    narrow, wide = interval(example, confidence=0.5), interval(example, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_same_generator_gives_the_same_interval(example):
    assert interval(example, seed=5) == interval(example, seed=5)
    assert interval(example, seed=5) != interval(example, seed=6)


def test_order_of_seeds_and_queries_hardly_matters(example):
    order = np.random.default_rng(6).permutation(len(example.people))
    moved = Study(example.ap_a[::-1, order], example.ap_b[:, order], example.people[order])
    before, after = interval(example), interval(moved)
    assert after.estimate == pytest.approx(before.estimate)
    assert after.standard_error == pytest.approx(before.standard_error)
    assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=0.2)


@given(scale=st.floats(0.001, 100), shift=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_unit_and_offset_do_not_matter(scale, shift):
    of = study(Design(seed=0.4, person=8.0, both=6.0, people=20), np.random.default_rng(7))
    moved = Study(scale * of.ap_a + shift, scale * of.ap_b + shift, of.people)
    before, after = interval(of, draws=200), interval(moved, draws=200)
    assert after.low == pytest.approx(scale * before.low, rel=1e-6, abs=1e-9)
    assert after.high == pytest.approx(scale * before.high, rel=1e-6, abs=1e-9)
    assert after.people_share == pytest.approx(before.people_share, abs=1e-6)


def test_methods_can_change_places(example):
    forth = interval(example, draws=20_000)
    back = interval(Study(example.ap_b, example.ap_a, example.people), draws=20_000)
    assert back.estimate == pytest.approx(-forth.estimate)
    assert (-back.high, -back.low) == pytest.approx((forth.low, forth.high), abs=0.1)


def test_queries_without_a_match_do_not_count(example):
    holes = Study(example.ap_a.copy(), example.ap_b.copy(), example.people)
    holes.ap_a[:, ::9] = holes.ap_b[:, ::9] = np.nan
    kept = ~np.isnan(holes.ap_a[0])
    whole = Study(example.ap_a[:, kept], example.ap_b[:, kept], example.people[kept])
    assert interval(holes) == interval(whole)


def test_same_runs_twice_differ_by_nothing_when_paired(example):
    of = Study(example.ap_a, example.ap_a, example.people)
    found = interval(of, paired_seeds=True)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert math.isnan(found.seed_share)


def test_pairing_removes_the_seeds_common_luck():
    rng = np.random.default_rng(8)
    luck = rng.normal(0, 3, (5, 1))
    base = rng.normal(70, 10, (5, 200)) + luck
    of = Study(base + rng.normal(2, 1, (5, 200)), base, np.arange(200))
    paired, unpaired = interval(of, paired_seeds=True), interval(of)
    assert paired.high - paired.low < (unpaired.high - unpaired.low) / 5
    assert paired.low < 2 < paired.high


def test_ten_thousand_draws_take_less_than_half_a_second():
    rng = np.random.default_rng(9)
    of = Study(rng.random((5, 600)), rng.random((5, 600)), rng.integers(0, 300, 600))
    start = time.process_time()
    interval(of, draws=10_000)
    assert time.process_time() - start < 0.5


def test_bad_input_is_refused(example):
    of, rng = example, np.random.default_rng(0)
    with pytest.raises(ValueError, match="ap_b has 1 seeds"):
        difference_interval(of.ap_a, of.ap_b[:1], of.people, rng=rng)
    with pytest.raises(ValueError, match="ap_a has 1 dimensions"):
        difference_interval(of.ap_a[0], of.ap_b, of.people, rng=rng)
    with pytest.raises(ValueError, match="ap_b has shape"):
        difference_interval(of.ap_a, of.ap_b[:, :-1], of.people, rng=rng)
    with pytest.raises(ValueError, match="cannot be paired"):
        difference_interval(of.ap_a, of.ap_b[:3], of.people, paired_seeds=True, rng=rng)
    with pytest.raises(ValueError, match="confidence is 95"):
        difference_interval(of.ap_a, of.ap_b, of.people, confidence=95, rng=rng)
    with pytest.raises(ValueError, match="draws is 10"):
        difference_interval(of.ap_a, of.ap_b, of.people, draws=10, rng=rng)
