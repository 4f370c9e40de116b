import json

import pytest
import tiny

from topdb.errors import UserError
from topdb.evidence.drift import check_against_reference, settings_digest, write_reference

# Ten seeds around 50 with deviation 1: for one cell of two, t(9, 1 - 0.01/4) = 3.69.
REFERENCE = {"mAP": {"mean": 50.0, "sd": 1.0, "n": 10}}
TOLERANCE = 3.69 * (1 / 10 + 1 / 2) ** 0.5


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Compare two seeds of each method, with these mean AP in percent, with the reference."""
    monkeypatch.chdir(tmp_path)

    def run(means, reference=None, changes=None):
        params = tiny.params(tmp_path, {"rankings": ["plain"], **(changes or {})})
        for method, mean in means.items():
            for seed, shift in ((1, -0.01), (2, 0.01)):
                folder = tmp_path / f"results/market1501/{method}/seed-{seed}"
                tiny.write_queries(folder, [mean / 100 + shift] * 3)
        content = reference or {
            "settings_digest": settings_digest(params.selected()),
            "cells": {
                "market1501/baseline/plain": REFERENCE,
                "market1501/top-db-net/plain": REFERENCE,
            },
        }
        (tmp_path / "reference.json").write_text(json.dumps(content))
        return check_against_reference(params, "tiny", tmp_path / "results")

    return run


def test_equal_means_are_no_drift(check):
    drifted, lines = check({"baseline": 50.0, "top-db-net": 50.0})
    assert not drifted
    assert len(lines) == 2
    assert all(line.startswith("ok ") for line in lines)
    assert "difference +0.00, tolerance 2.86" in lines[0]


@pytest.mark.parametrize("direction", [-1, 1])
def test_drift_is_found_in_both_directions_and_named(check, direction):
    moved = 50.0 + direction * (TOLERANCE + 0.1)
    drifted, lines = check({"baseline": 50.0, "top-db-net": moved})
    assert drifted
    assert lines[0].startswith("ok ")
    assert lines[1].startswith("DRIFTED  market1501/top-db-net/plain")


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_difference_within_the_tolerance_is_no_drift(check, direction):
    moved = 50.0 + direction * (TOLERANCE - 0.1)
    assert not check({"baseline": 50.0, "top-db-net": moved})[0]


def test_the_floor_is_the_smallest_tolerance(check):
    means = {"baseline": 50.0, "top-db-net": 54.0}
    assert check(means)[0]
    drifted, lines = check(means, changes={"check.floor": 4.1})
    assert not drifted
    assert "tolerance 4.10" in lines[-1]


def test_a_rarer_false_alarm_is_a_wider_tolerance(check):
    means = {"baseline": 50.0, "top-db-net": 53.0}
    assert check(means)[0]
    assert not check(means, changes={"check.family_error": 1e-4})[0]


def test_a_cell_without_runs_is_drift(check):
    drifted, lines = check({"baseline": 50.0})
    assert drifted
    assert "MISSING  market1501/top-db-net/plain: no finished run" in lines


def test_a_cell_that_the_reference_does_not_know_is_named_and_no_drift(check, tmp_path):
    reference = {"cells": {"market1501/baseline/plain": REFERENCE}}
    drifted, lines = check({"baseline": 50.0, "top-db-net": 10.0}, reference)
    assert not drifted
    assert "new      market1501/top-db-net/plain: not in the reference" in lines


def test_other_parameters_than_the_references_are_noted_and_other_seeds_are_not(check, tmp_path):
    means = {"baseline": 50.0, "top-db-net": 50.0}
    assert not any("note:" in line for line in check(means)[1])
    digest = settings_digest(tiny.params(tmp_path, {"rankings": ["plain"]}).selected())
    reference = {"settings_digest": digest, "cells": {"market1501/baseline/plain": REFERENCE}}
    same = check(means, reference, {"seeds": [2, 1]})[1]
    assert not any("note:" in line for line in same)
    other = check(means, reference, {"scale.rate": 0.5})[1]
    assert other[0].startswith("note: reference.json was measured with other parameters")


@pytest.mark.parametrize("reference", [{"cells": {}}, {"other": 1}, {"cells": {"a/b/c": {}}}])
def test_a_reference_of_nothing_that_runs_is_refused(check, reference):
    with pytest.raises(UserError, match="holds none of the cells of profile tiny"):
        check({"baseline": 50.0}, reference)


@pytest.mark.parametrize(
    "cell",
    [
        {},
        {"mean": 50.0, "sd": 1.0},
        {"mean": 50.0, "sd": "x", "n": 10},
        {**REFERENCE["mAP"], "n": 1},
    ],
)
def test_a_broken_cell_of_the_reference_is_named(check, cell):
    with pytest.raises(UserError, match="cell market1501/baseline/plain is broken"):
        check({"baseline": 50.0}, {"cells": {"market1501/baseline/plain": {"mAP": cell}}})


def test_a_missing_reference_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="reference.json does not exist"):
        check_against_reference(tiny.params(tmp_path), "tiny", tmp_path)


def test_a_reference_needs_ten_seeds_of_every_cell(tmp_path):
    changes = {"seeds": list(range(10)), "methods": ["baseline"], "rankings": ["plain"]}
    params = tiny.params(tmp_path, changes)
    results, path = tmp_path / "results", tmp_path / "reference.json"
    for seed in range(9):
        folder = results / f"market1501/baseline/seed-{seed}"
        tiny.write_queries(folder, [0.50 + seed / 100] * 3)
    with pytest.raises(UserError, match="market1501/baseline/plain has 9 finished runs"):
        write_reference(params, "tiny", results, path)
    assert not path.exists()
    tiny.write_queries(results / "market1501/baseline/seed-9", [0.59] * 3)
    write_reference(params, "tiny", results, path)
    cell = json.loads(path.read_text())["cells"]["market1501/baseline/plain"]
    # 50, 51, ... 59: variance (10^2 - 1) / 12 * 10 / 9.
    assert cell["mAP"] == {"mean": 54.5, "sd": pytest.approx(3.0277, abs=1e-4), "n": 10}


def test_a_reference_agrees_with_its_own_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = {"seeds": list(range(10)), "methods": ["baseline"], "rankings": ["plain"]}
    params = tiny.params(tmp_path, changes)
    for seed in range(10):
        folder = tmp_path / f"results/market1501/baseline/seed-{seed}"
        tiny.write_queries(folder, [0.50 + seed / 100] * 3)
    write_reference(params, "tiny", tmp_path / "results", tmp_path / "reference.json")
    drifted, lines = check_against_reference(params, "tiny", tmp_path / "results")
    assert not drifted
    assert [line.split()[2] for line in lines] == ["mAP", "R1"]


def test_a_cell_that_lacks_a_seed_does_not_pass(check):
    means = {"baseline": 50.0, "top-db-net": 50.0}
    drifted, lines = check(means, changes={"seeds": [1, 2, 3]})
    assert drifted
    assert "MISSING  market1501/baseline/plain: 1 of 3 runs" in lines
