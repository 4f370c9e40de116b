"""A run counts where its own files say that it belongs, whoever asks."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.evidence.drift import write_reference
from topdb.examples import write_examples
from topdb.reporting.notes import notes
from topdb.reporting.recomputing import recompute
from topdb.reporting.reports import write_metrics, write_plots
from topdb.results.bundle import write_bundle
from topdb.results.runs import Run
from topdb.results.scores import read_scores
from topdb.results.stored import stored_runs

AP = {1: [0.5, 0.6, 0.7], 2: [0.4, 0.6, 0.8], 3: [0.5, 0.5, 0.9]}


@pytest.fixture
def study(tmp_path):
    params = tiny.params(tmp_path, {"seeds": [1, 2, 3]})
    for method in ("baseline", "top-db-net"):
        for seed, ap in AP.items():
            folder = tiny.write_run(tmp_path / "results", "market1501", method, seed)
            for ranking in ("plain", "rk"):
                tiny.write_queries(folder, ap, ranking)
    return params, tmp_path / "results"


def run(results: Path, seed: int) -> Path:
    return Run("market1501", "baseline", seed).folder(results)


def swap(results: Path) -> None:
    run(results, 1).rename(results / "aside")
    run(results, 2).rename(run(results, 1))
    (results / "aside").rename(run(results, 2))


def change(path: Path, changes: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    changes(content)
    path.write_text(json.dumps(content))


def copy_scores(results: Path) -> None:
    shutil.rmtree(run(results, 2) / "plain")
    shutil.copytree(run(results, 1) / "plain", run(results, 2) / "plain")


def other_epochs(results: Path) -> None:
    change(run(results, 2) / "run.json", lambda record: record["recipe"].update(epochs=300))


def other_start(results: Path) -> None:
    change(run(results, 3) / "run.json", lambda record: record.update(start=None))


def other_images(results: Path) -> None:
    change(run(results, 3) / "run.json", lambda record: record.update(index_digest="b" * 64))


def other_pixels(results: Path) -> None:
    """Of the same files, as another decoder reads them."""
    for path in results.glob("*/*/*/run.json"):
        digit = "b" if path.parent == run(results, 3) else "a"
        change(path, lambda record, digit=digit: record["data"].update(content=digit * 64))


def other_k1(results: Path) -> None:
    told = "rk/metrics.json"
    change(run(results, 2) / told, lambda told: told["evaluator"]["reranking"].update(k1=25))


def other_ranking(results: Path) -> None:
    shutil.copyfile(run(results, 2) / "plain/metrics.json", run(results, 2) / "rk/metrics.json")


def same_weights(results: Path) -> None:
    weights = json.loads((run(results, 1) / "run.json").read_text())["weights_digest"]
    change(run(results, 2) / "run.json", lambda record: record.update(weights_digest=weights))


SWAPPED = r"seed-1/run\.json is of seed 2, and lies where 1 belongs"
FAULTS = [
    (swap, SWAPPED),
    (copy_scores, r"seed-2/plain/metrics\.json is not of the features that run\.json states"),
    (other_epochs, r"seed-2/run\.json has recipe\.epochs 300, and the others have 2"),
    (other_start, r"seed-3/run\.json has start\.kind –, and the others have imagenet"),
    (other_images, r"seed-3/run\.json has index_digest b{16}, and the others have 1234"),
    (other_pixels, r"seed-3/run\.json has content b{16}, and the others have a{16}"),
    (other_k1, r"seed-2/rk/metrics\.json has reranking\.k1 25, and the others have 20"),
    (other_ranking, r"seed-2/rk/metrics\.json is of another ranking than rk"),
    (same_weights, r"seed-2/run\.json states the weights of market1501/baseline/seed-1"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=[each.__name__ for each, _ in FAULTS])
def test_runs_that_do_not_belong_together_are_named(study, fault, said):
    params, results = study
    fault(results)
    with pytest.raises(UserError, match=said):
        read_scores(params.selected(), results, params.metrics)


ENTRANCES: dict[str, Callable[..., object]] = {
    "compare": lambda params, results, out: tiny.compared(params, results),
    "verdict": lambda params, results, out: recompute(
        params, "tiny", results, read_papers(params, tiny.PAPERS), out
    ),
    "notes": lambda params, results, out: list(notes(params.selected(), "tiny", results)),
    "metrics": lambda params, results, out: write_metrics(params, "tiny", results, out / "m.json"),
    "plots": lambda params, results, out: write_plots(params, "tiny", results, out),
    "bundle": lambda params, results, out: write_bundle(
        results.parent / "params.yaml", params, "tiny", results, [], out / "b.tar.gz"
    ),
    "examples": lambda params, results, out: write_examples(params, "tiny", results, out / "e"),
    "reference": lambda params, results, out: write_reference(params, "tiny", results, out / "r"),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_entrance_refuses_them(study, tmp_path, entrance):
    params, results = study
    swap(results)
    with pytest.raises(UserError, match=SWAPPED):
        ENTRANCES[entrance](params, results, tmp_path / "out")


def test_what_is_not_whole_does_not_count_and_is_said(study):
    params, results = study
    (run(results, 1) / "run.json").unlink()
    (run(results, 2) / "plain/metrics.json").unlink()
    (run(results, 3) / "history.csv").unlink()
    scores = read_scores(params.selected(), results, params.metrics)
    seeds = {(cell.method, cell.ranking): found.seeds for cell, found in scores.items() if found}
    assert seeds["baseline", "plain"] == (3,)
    assert seeds["baseline", "rk"] == (2, 3)
    assert seeds["top-db-net", "rk"] == (1, 2, 3)
    said = ["".join(getattr(part, "text", part) for part in line) for line in told(params, results)]
    assert "Incomplete: 1 of 6 runs are missing." in said
    gaps = "market1501/baseline/seed-2/plain/metrics.json, market1501/baseline/seed-3/history.csv"
    assert f"Missing beside others: {gaps}." in said
    assert len(stored_runs(params.selected(), results)) == 5


def told(params, results):
    return list(notes(params.selected(), "tiny", results))


def test_what_older_runs_do_not_tell_is_not_held_against_them(study):
    params, results = study
    change(run(results, 1) / "run.json", lambda record: record.update(recipe="released"))
    change(run(results, 2) / "run.json", lambda record: record.pop("scale"))
    assert all(read_scores(params.selected(), results, params.metrics).values())
    said = ["".join(getattr(part, "text", part) for part in line) for line in told(params, results)]
    assert any(line.startswith("No digests: the files of 6 runs") for line in said)
