import json
from itertools import cycle

import pytest
import tiny
from scipy.stats import t

from topdb.config import load
from topdb.errors import UserError
from topdb.evidence.drift import check_against_reference, settings_digest, write_reference
from topdb.results.runs import cells

# Ten seeds around 50 with deviation 1, in the former form. A cell of two is tested at a tenth of
# 0.01, a method of two at eight tenths: t(9, 1 - 0.008/4) = 3.83.
REFERENCE = {"mAP": {"mean": 50.0, "sd": 1.0, "n": 10}}
TOLERANCE = t.isf(0.008 / 4, 9) * (1 / 10 + 1 / 2) ** 0.5


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Compare two seeds of each method, with these mean AP in percent, with the reference."""
    monkeypatch.chdir(tmp_path)

    def run(means, reference=None, changes=None, seeds=(1, 2)):
        params = tiny.params(tmp_path, {"rankings": ["plain"], **(changes or {})})
        for method, mean in means.items():
            for seed, shift in zip(seeds, cycle((-0.01, 0.01))):
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
    assert len(lines) == 5
    assert all(line.startswith("ok ") for line in lines)
    cell = t.isf(0.001 / 4, 9) * (1 / 10 + 1 / 2) ** 0.5
    assert f"difference +0.00, tolerance {cell:.2f}" in lines[0]
    assert (
        f"method baseline: mAP, mean of 1 cells, difference +0.00, tolerance {TOLERANCE:.2f}"
        in (lines[2])
    )
    assert "all methods: mAP, mean of 2 cells" in lines[4]


@pytest.mark.parametrize("direction", [-1, 1])
def test_drift_is_found_in_both_directions_and_named(check, direction):
    moved = 50.0 + direction * (TOLERANCE + 0.1)
    drifted, lines = check({"baseline": 50.0, "top-db-net": moved})
    assert drifted
    assert [line for line in lines if line.startswith("DRIFTED")] == [lines[3]]
    assert lines[3].startswith("DRIFTED  method top-db-net: mAP")


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_difference_within_the_tolerance_is_no_drift(check, direction):
    moved = 50.0 + direction * (TOLERANCE - 0.1)
    assert not check({"baseline": 50.0, "top-db-net": moved})[0]


def test_what_moves_every_method_a_little_is_found(check):
    drifted, lines = check({"baseline": 52.8, "top-db-net": 52.8})
    assert drifted
    assert [line for line in lines if line.startswith("DRIFTED")] == [lines[4]]
    assert lines[4].startswith("DRIFTED  all methods: mAP")


def test_the_floors_are_the_smallest_tolerances(check):
    means = {"baseline": 50.0, "top-db-net": 55.0}
    assert check(means)[0]
    floors = {"check.floor": 5.1, "check.pooled_floor": 5.1}
    drifted, lines = check(means, changes=floors)
    assert not drifted
    assert all("tolerance 5.10" in line for line in lines)
    assert check(means, changes={"check.floor": 5.1})[0]


def test_a_rarer_false_alarm_is_a_wider_tolerance(check):
    means = {"baseline": 50.0, "top-db-net": 53.0}
    assert check(means)[0]
    assert not check(means, changes={"check.family_error": 1e-4})[0]


def of_seeds(seeds, ap=50.0):
    """A reference whose seeds' values are given in turns: 49, 51, 49, ..."""
    values = {str(seed): ap + (-1) ** (place + 1) for place, seed in enumerate(seeds)}
    return {"cells": {f"market1501/{m}/plain": {"mAP": values} for m in ("baseline", "top-db-net")}}


def test_equal_seeds_are_paired_and_see_more(check):
    means, four = {"baseline": 50.0, "top-db-net": 49.0}, (1, 2, 3, 4)
    changes = {"check.floor": 0.1, "seeds": [*four]}
    assert not check(means, of_seeds(range(11, 21)), changes, four)[0]
    drifted, lines = check(means, of_seeds(range(1, 11)), changes, four)
    assert drifted
    assert "over equal seeds -1.00, tolerance 0.10" in lines[2]
    assert [line.split()[0] for line in lines if "top-db-net" not in line] == [
        "note:",
        "ok",
        "ok",
        "DRIFTED",
        "same",
    ]
    assert lines[-1] == "same     4 of 8 numbers of equal seeds are the reference's own"


def test_two_pairs_alone_say_nothing_and_leave_the_level_to_the_means(check):
    means = {"baseline": 50.0, "top-db-net": 49.0}
    paired = check(means, of_seeds(range(1, 11)))[1]
    others = check(means, of_seeds(range(11, 21)))[1]
    assert paired[1:-1] == others[1:]
    assert paired[-1] == "same     2 of 4 numbers of equal seeds are the reference's own"


def test_rank_one_is_guarded_too(check):
    values = {str(seed): 100.0 - seed / 100 for seed in range(10)}
    cell = {"mAP": {str(seed): 50.0 + seed for seed in range(10)}, "R1": values}
    reference = {"cells": {"market1501/baseline/plain": cell}}
    drifted, lines = check({"baseline": 54.5, "top-db-net": 50.0}, reference)
    assert [line.split(": ")[1].split()[0].strip(",") for line in lines[1:-2]] == ["mAP", "R1"] * 3
    assert not drifted
    cell["R1"] = {seed: value - 30 for seed, value in values.items()}
    drifted, lines = check({"baseline": 54.5, "top-db-net": 50.0}, reference)
    assert {line.split(": ")[1].split()[0] for line in lines if line.startswith("DRIFTED")} == (
        {"R1", "R1,"}
    )


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
        {"1": 50.0},
        {"1": 50.0, "2": "x"},
        {"a": 50.0, "2": 51.0},
        [50.0, 51.0],
        {"1": 50.0, "2": float("nan")},
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
    assert cell == {
        "mAP": {str(seed): pytest.approx(50.0 + seed) for seed in range(10)},
        "R1": dict.fromkeys(map(str, range(10)), 100.0),
    }


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
    assert len(lines) == 7
    assert all("over equal seeds +0.00" in line for line in lines[:6])
    assert lines[6] == "same     20 of 20 numbers of equal seeds are the reference's own"


def test_collapsed_runs_are_no_reference_and_have_drifted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = {"seeds": list(range(10)), "methods": ["baseline"], "rankings": ["plain"]}
    params = tiny.params(tmp_path, changes)
    for seed in range(10):
        folder = tmp_path / f"results/market1501/baseline/seed-{seed}"
        tiny.write_queries(folder, [0.50 + seed / 100] * 3)
    write_reference(params, "tiny", tmp_path / "results", tmp_path / "reference.json")
    path = folder / "plain/metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"collapsed": True}))
    drifted, lines = check_against_reference(params, "tiny", tmp_path / "results")
    assert drifted
    assert any(line.startswith("DRIFTED") and "1 of 10 runs collapsed" in line for line in lines)
    with pytest.raises(UserError, match="A reference is of sound runs"):
        write_reference(params, "tiny", tmp_path / "results", tmp_path / "reference.json")


def test_the_committed_reference_is_of_the_committed_parameters():
    params = load(tiny.ROOT / "params.yaml")
    reference = json.loads((tiny.ROOT / params.check.reference).read_text())
    own = reference["cells"].values()
    for name in (params.check.profile, "gate", "reference"):
        assert reference["settings_digest"] == settings_digest(params.selected(name))
    assert {len(metric) for cell in own for metric in cell.values()} == {12}
    assert reference["cells"].keys() == {
        f"{cell.dataset}/{cell.method}/{cell.ranking}"
        for cell in cells(params.selected(params.check.profile))
    }
    assert {metric for cell in own for metric in cell} == {*params.metrics}


def test_what_changes_no_number_changes_no_digest(tmp_path):
    usual = settings_digest(tiny.params(tmp_path).selected())
    for changes in (
        {"seeds": [5, 6]},
        {"methods": ["baseline"]},
        {"hardware": {"workers": 3}},
        {"resources": {"train": {"minutes": 7}}},
        {"doubts": {"least_matched": 0.1}},
        {"hardware": {"device": "cpu"}},  # the default, spelt out
    ):
        assert settings_digest(tiny.params(tmp_path, changes).selected()) == usual
    named = tiny.content()
    named["profiles"]["tiny"]["title"] = "Ours"
    (tmp_path / "named.yaml").write_text(json.dumps(named))
    assert settings_digest(load(tmp_path / "named.yaml").selected()) == usual
    assert settings_digest(tiny.params(tmp_path, {"hardware": {"threads": 2}}).selected()) != usual


def test_a_cell_that_lacks_a_seed_does_not_pass(check):
    means = {"baseline": 50.0, "top-db-net": 50.0}
    drifted, lines = check(means, changes={"seeds": [1, 2, 3]})
    assert drifted
    assert "MISSING  market1501/baseline/plain: 1 of 3 runs" in lines
