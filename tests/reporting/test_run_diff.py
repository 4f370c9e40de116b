import json

import pytest
import tiny

from topdb.errors import UserError
from topdb.reporting.run_diff import diff_runs


def lines(first, second):
    """The comparison as text, by part."""
    parts = diff_runs(first, second)
    return {part.title: "\n".join(part.lines()) for part in parts}


@pytest.fixture
def run(tmp_path):
    """A function that writes a run with scores and returns its folder."""

    def write(name, ap=(0.5, 1.0), epochs=2, seed=1, **changes):
        folder = tiny.write_run(tmp_path / name, "market1501", "baseline", seed, epochs, **changes)
        tiny.write_queries(folder, ap)
        return folder

    return write


def test_equal_runs_are_said_to_be_the_same_part_by_part(run):
    found = lines(run("a"), run("b"))
    assert found == {
        "parameters": "parameters: same",
        "data": "data: same, digest 1234567890abcdef",
        "pixels": "pixels: none in either",
        "start": "start: none in either",
        "code": "code: same, digest fedcba9876543210, commit 0123456789ab",
        "libraries": "libraries: same, torch 2.14.1",
        "hardware": "hardware: same, device a processor, threads 1",
        "weights": "weights: same, digest weights of basel",
        "features": "features: same, digest features of base",
        "metrics, plain": "metrics, plain: same, "
        "mAP 75.00, R1 100.00, R5 100.00, R10 100.00, R20 100.00, mINP 75.00",
        "last epoch": "last epoch: same, loss 2 after epoch 2",
    }


def test_parameters_are_named_by_their_dotted_keys(run):
    recipe = {"side": "released", "rules": {"network": {"rate": 0.001}}}
    other = {"side": "described", "rules": {"network": {"rate": 0.5, "momentum": 0.9}}}
    one = run("a", recipe=recipe, changes=[])
    found = lines(one, run("b", seed=7, recipe=other, changes=["x"], weights_digest="x"))
    assert found["parameters"].splitlines() == [
        "parameters:",
        "  seed                           1 -> 7",
        "  recipe.side                    released -> described",
        "  recipe.rules.network.rate      0.001 -> 0.5",
        "  changes                        [] -> ['x']",
        "  recipe.rules.network.momentum  – -> 0.9",
    ]


def test_data_start_and_weights_are_compared_by_digest(run):
    digests = {"index_digest": "f" * 64, "start_digest": "e" * 64, "weights_digest": "d" * 64}
    seen = [{"data": {"content": digit * 64}} for digit in "12"]
    found = lines(run("a", **seen[0]), run("b", **seen[1], **digests))
    assert found["data"] == f"data:\n  digest  1234567890abcdef -> {'f' * 16}"
    assert found["pixels"] == f"pixels:\n  digest  {'1' * 16} -> {'2' * 16}"
    assert found["start"] == f"start:\n  digest  – -> {'e' * 16}"
    assert found["weights"].endswith(f"-> {'d' * 16}")


def test_code_libraries_and_hardware_are_compared(run):
    environment = {
        "checkouts": [{"of": "topdb", "state": "changed", "files": ["topdb/engine/loop.py"]}],
        "versions": {"topdb": "0.1.0", "torch": "2.15.0", "numpy": "3.0"},
        "device": "NVIDIA H100",
        "vectors": "AVX2",
        "variables": {"ATEN_CPU_CAPABILITY": "avx2"},
        "threads": 1,
    }
    found = lines(run("a"), run("b", environment=environment, code="ab" * 32))
    assert found["code"].splitlines() == [
        "code:",
        "  digest  fedcba9876543210 -> abababababababab",
        "  git     commit 0123456789ab -> no commit has it (changed: topdb/engine/loop.py)",
    ]
    assert "  torch  2.14.1 -> 2.15.0" in found["libraries"]
    assert "  numpy  – -> 3.0" in found["libraries"]
    assert found["hardware"].splitlines() == [
        "hardware:",
        "  device                         a processor -> NVIDIA H100",
        "  vectors                        – -> AVX2",
        "  variables.ATEN_CPU_CAPABILITY  – -> avx2",
    ]


def test_the_same_commit_is_not_the_same_code(run):
    """A method's file that git does not track was rewritten between two trainings."""
    found = lines(run("a"), run("b", code="ab" * 32))
    assert found["code"] == "code:\n  digest  fedcba9876543210 -> abababababababab"


@pytest.mark.parametrize(
    ("git", "said"),
    [
        (
            {"commit": "abc", "dirty": True},
            "code: abc with uncommitted changes, which was not compared with what ran in both, "
            "which may differ",
        ),
        (None, "code: no commit known in both, which may differ"),
    ],
)
def test_code_that_may_differ_is_not_called_the_same(run, git, said):
    environment = {"git": git, "versions": {}, "device": "x", "threads": 1}
    older = {"environment": environment, "code": None}
    found = lines(run("a", **older), run("b", **older))
    assert found["code"] == said


def test_metrics_are_compared_by_ranking_with_their_change(run):
    first, second = run("a"), run("b", ap=(0.5, 0.25))
    tiny.write_queries(second, [1.0, 1.0], "rk")
    found = lines(first, second)
    assert "  mAP   75.00 -> 37.50 (-37.50)" in found["metrics, plain"]
    assert "R1" not in found["metrics, plain"]
    assert found["metrics, rk"] == "metrics, rk:\n  metrics.json  not scored -> scored"


def test_scores_of_another_evaluator_say_so(run):
    first, second = run("a"), run("b")
    path = second / "plain/metrics.json"
    content = json.loads(path.read_text())
    content["evaluator"]["ap_rule"] = "trapezoid"
    path.write_text(json.dumps(content))
    assert lines(first, second)["metrics, plain"] == (
        "metrics, plain:\n  evaluator.ap_rule  step -> trapezoid"
    )


def test_the_last_epochs_losses_are_compared_and_its_seconds_are_not(run):
    first, second = run("a"), run("b", epochs=4)
    history = second / "history.csv"
    history.write_text(history.read_text().replace(",0.5,", ",9.5,"))
    found = lines(first, second)["last epoch"].splitlines()
    assert found[1:3] == ["  epoch           2 -> 4", "  loss            2 -> 1"]
    assert "seconds" not in "".join(found)


def test_a_history_that_is_no_numbers_is_named(run):
    first, second = run("a"), run("b")
    (second / "history.csv").write_text("epoch,loss\n1,what\n")
    with pytest.raises(UserError, match=r"history.csv is no history"):
        lines(first, second)


def test_a_loss_that_is_no_longer_finite_is_shown(run):
    first, second = run("a"), run("b")
    (second / "history.csv").write_text("epoch,loss\n1,nan\n")
    assert "2 -> nan" in lines(first, second)["last epoch"]


@pytest.mark.parametrize("text", [None, "epoch,learning_rate,images,seconds,loss\n"])
def test_a_run_without_epochs_is_compared_too(run, text):
    first, second = run("a"), run("b", origin="authors' weights")
    (second / "history.csv").unlink()
    if text:
        (second / "history.csv").write_text(text)
    found = lines(first, second)
    assert "  loss            2 -> –" in found["last epoch"]
    assert "origin  – -> authors' weights" in found["parameters"]
    assert lines(second, second)["last epoch"] == "last epoch: none in either"


def test_a_folder_that_is_no_run_is_named(run, tmp_path):
    with pytest.raises(UserError, match=r"elsewhere is no run, since it has no run\.json"):
        diff_runs(run("a"), tmp_path / "elsewhere")


def test_the_command_ends_well_whatever_differs(run, monkeypatch, capsys):
    assert tiny.topdb(monkeypatch, "diff", run("a"), run("b", seed=2)) == 0
    assert capsys.readouterr().out.startswith("parameters:\n  seed  1 -> 2\ndata: same")
