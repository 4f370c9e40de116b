from dataclasses import replace

import numpy as np
import pytest
from drift_studies import SPREADS, grid
from scipy.stats import t

from topdb.statistics import DriftCell, check_drift, drift_tolerance


def cell(name="a", group="g", block="x", measure="mAP", sd=1.0, **changed):
    own = {"reference_mean": 80.0, "reference_n": 12, "mean": 80.0, "n": 5} | changed
    return DriftCell(name, group, block, measure, reference_sd=sd, **own)


def test_a_cell_has_the_tolerance_of_today_at_its_share():
    found = check_drift([cell("a"), cell("b", block="y")])[0]
    expected = drift_tolerance(1.0, 12, 5, alpha=0.001, cells=2, floor=0.0)
    assert found.tolerance == pytest.approx(expected)


def test_a_group_of_two_blocks_by_hand():
    cells = [cell("a", mean=79.0), cell("b", block="y", sd=2.0, mean=80.0)]
    found = next(each for each in check_drift(cells) if each.level == "group")
    share = 1 / 12 + 1 / 5
    total = share * (1 + 4)
    freedom = total**2 / ((share**2 + (4 * share) ** 2) / 11)
    assert found.difference == pytest.approx(-0.5)
    assert found.tolerance == pytest.approx(t.isf(0.004, freedom) * np.sqrt(total) / 2)


def test_scores_of_the_same_networks_count_as_one():
    alone = [cell("a"), cell("b", block="y")]
    twice = [*alone, cell("a rk"), cell("b rk", block="y")]
    limits = [
        next(each.tolerance for each in check_drift(cells) if each.level == "group")
        for cells in (alone, twice)
    ]
    assert limits[0] == pytest.approx(limits[1])


def test_a_group_is_tested_by_its_primary_cells():
    cells = [cell("a"), cell("a rk", sd=9.0, mean=20.0, primary=False)]
    found = check_drift(cells)
    assert [each.cells for each in found] == [1, 1, 1, 2]
    assert [each.drifted for each in found if each.level == "group"] == [False]
    assert [each.drifted for each in found if each.level == "all"] == [True]


def test_levels_and_measures_are_apart():
    cells = [cell("a"), cell("b", group="h"), cell("a", measure="R1"), cell("b", "h", measure="R1")]
    found = check_drift(cells)
    assert [each.level for each in found] == ["cell"] * 4 + ["group"] * 4 + ["all"] * 2
    assert [(each.name, each.measure) for each in found[-2:]] == [("all", "mAP"), ("all", "R1")]


def test_floors():
    found = check_drift([cell(sd=0.0, mean=80.5)], floor=1.0, pooled_floor=0.25)
    assert [each.drifted for each in found] == [False, True, True]


def test_a_constant_shift_of_the_same_seeds_is_seen():
    repeated = cell(mean=79.9, paired_difference=-0.1, paired_sd=0.0, paired_n=5)
    assert all(each.drifted for each in check_drift([repeated]))
    other_seeds = replace(repeated, paired_n=0)
    assert not any(each.drifted for each in check_drift([other_seeds]))


def test_order_does_not_matter_and_alpha_widens():
    rng = np.random.default_rng(1)
    cells = grid({}, rng)
    found = {(f.level, f.name, f.measure): f for f in check_drift(cells)}
    back = {(f.level, f.name, f.measure): f for f in check_drift(cells[::-1])}
    loose = {(f.level, f.name, f.measure): f for f in check_drift(cells, alpha=0.1)}
    for key, each in found.items():
        assert back[key].tolerance == pytest.approx(each.tolerance)
        assert back[key].difference == pytest.approx(each.difference)
        assert loose[key].tolerance < each.tolerance


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sd": float("nan")}, "reference_sd of a is nan"),
        ({"reference_n": 1}, "reference_n of a is 1"),
        ({"n": 0}, "n of a is 0"),
    ],
)
def test_bad_cells_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        check_drift([cell(**changed)])


def rate(studies, shift, **options):
    rng = np.random.default_rng(7)
    return np.mean(
        [
            any(f.drifted for f in check_drift(grid(shift(k), rng, **options), floor=1.0))
            for k in range(studies)
        ]
    )


METHODS = list(SPREADS)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("agreement", [0.75, 1.0])
def test_an_unchanged_program_is_called_in_at_most_one_percent(agreement):
    assert rate(1500, lambda _: {}, agreement=agreement) <= 0.012


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("repeats", [0.0, 0.9])
def test_nor_with_paired_seeds(repeats):
    assert rate(1000, lambda _: {}, repeats=repeats) <= 0.012


@pytest.mark.usefixtures("long")
def test_two_points_in_one_method_are_seen():
    assert rate(330, lambda k: {METHODS[k % 11]: -2.0}) >= 0.85
    assert rate(110, lambda k: {METHODS[k % 11]: -2.0}, repeats=0.9) >= 0.95


def test_one_point_in_all_methods_is_seen():
    assert rate(20, lambda _: dict.fromkeys(METHODS, -1.0)) >= 0.9
