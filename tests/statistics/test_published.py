import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdb.statistics import (
    CellVerdict,
    against_published,
    cell_verdict,
    expected_maximum,
    false_cells,
    smallest_delta,
    verdicts_if_selected,
)

SEEDS = st.lists(st.floats(70, 90), min_size=2, max_size=8)


@given(SEEDS, st.floats(70, 90))
def test_any_margin_above_the_smallest_reproduces_and_none_below(values, published):
    delta = smallest_delta(values, published)
    assert against_published(values, published, delta=delta + 1e-6).equivalent
    if delta > 1e-3:
        assert not against_published(values, published, delta=delta - 1e-6).equivalent


def test_smallest_delta_by_hand():
    # Mean 85, deviation 1, 4 seeds, t of 3 degrees at 95 %: 2.3534.
    values = [84.0, 85.0, 85.0, 86.0]
    spread = np.std(values, ddof=1)
    assert smallest_delta(values, 84.7) == pytest.approx(0.3 + 2.3534 * spread / 2, abs=1e-4)


def test_expected_maximum_of_known_sizes():
    assert expected_maximum(1) == pytest.approx(0, abs=1e-9)
    assert expected_maximum(2) == pytest.approx(1 / np.sqrt(np.pi), abs=1e-6)
    assert expected_maximum(3) == pytest.approx(1.5 / np.sqrt(np.pi), abs=1e-6)
    assert expected_maximum(5) == pytest.approx(1.16296, abs=1e-5)
    with pytest.raises(ValueError, match="k is 0"):
        expected_maximum(0)


def test_a_cell_that_is_below_reproduces_if_the_best_of_five_was_printed():
    values = [83.9, 84.6, 84.2, 83.4, 84.4]
    options = {"seeds": 5, "delta": 1.0, "rounding": 0.05}
    one, three, five = verdicts_if_selected(values, 84.9, **options)
    assert one.finding == cell_verdict(values, 84.9, **options)
    assert one.published == pytest.approx(84.9)
    assert one.published > three.published > five.published
    sd = np.std(values, ddof=1)
    assert five.published == pytest.approx(84.9 - 1.16296 * sd, abs=1e-4)
    assert one.finding.verdict == CellVerdict.INCONCLUSIVE
    assert five.finding.verdict == CellVerdict.REPRODUCED


def test_without_two_runs_nothing_is_taken_off():
    found = verdicts_if_selected([84.0], 85.0, seeds=5, delta=1.0, rounding=0.05)
    assert [each.published for each in found] == [85.0] * 3


def test_false_cells_agree_with_simulation():
    rng = np.random.default_rng(1)
    for best_of in (1, 5):
        found = []
        for _ in range(3000):
            theirs = rng.normal(80, 1.0, best_of).max()
            ours = rng.normal(80, 1.0, 5)
            found.append(cell_verdict(ours, theirs, seeds=5, delta=1.0, rounding=0.05).verdict)
        counted = false_cells([1.0], seeds=5, deltas=1.0, best_of=best_of)
        below = np.mean([verdict == CellVerdict.BELOW for verdict in found])
        exceeds = np.mean([verdict == CellVerdict.EXCEEDS for verdict in found])
        assert counted.below == pytest.approx(below, abs=0.012)
        assert counted.exceeds == pytest.approx(exceeds, abs=0.008)


def test_forty_true_cells():
    deltas = [1.0] * 20 + [1.5] * 20
    honest = false_cells([0.5] * 40, seeds=5, deltas=deltas)
    best = false_cells([0.5] * 40, seeds=5, deltas=deltas, best_of=5)
    assert honest.cells == 40
    assert 0.15 <= honest.any <= 0.22
    assert 0.3 <= best.any <= 0.42
    assert honest.below == pytest.approx(honest.exceeds)
    assert best.exceeds < 0.001 < best.below


@given(st.floats(0.1, 2.0), st.floats(0.5, 2.0))
def test_chances_are_within_bounds_and_fall_with_the_margin(sd, delta):
    found = false_cells([sd, sd], seeds=5, deltas=delta)
    assert 0 <= found.any <= found.expected + 1e-12 <= 2
    assert false_cells([sd, sd], seeds=5, deltas=2 * delta).expected <= found.expected + 1e-12


def test_cells_without_spread_are_never_false():
    assert false_cells([0.0], seeds=5, deltas=1.0).expected == 0
    with pytest.raises(ValueError, match="sds is -1"):
        false_cells([-1.0], seeds=5, deltas=1.0)
