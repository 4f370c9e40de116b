import csv
import json
import os
import subprocess

import pytest
import tiny
import yaml

from topdb.files import write_json
from topdb.reporting.reports import write_metrics, write_plots


@pytest.fixture
def results(tmp_path):
    for seed, ap in ((1, 0.5), (2, 0.6)):
        folder = tiny.write_run(tmp_path / "results", "market1501", "baseline", seed)
        tiny.write_queries(folder, [ap] * 4, first=[1, 1, 1, 2])
    folder = tiny.write_run(tmp_path / "results", "market1501", "top-db-net", 1)
    tiny.write_queries(folder, [0.7] * 4, "rk")
    return tmp_path / "results"


def read(folder):
    """The content of each file, by its path below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in files}


def test_each_cell_has_a_small_file_of_its_own(tmp_path, results):
    params = tiny.params(tmp_path)
    write_metrics(params, "tiny", results, tmp_path / "metrics")
    assert read(tmp_path / "metrics") == {
        "plain/market1501/baseline.json": {
            "mAP": 55.0,
            "mAP_sd": 7.07,
            "R1": 75.0,
            "R1_sd": 0.0,
            "seeds": 2,
        },
        "rk/market1501/top-db-net.json": {"mAP": 70.0, "R1": 100.0, "seeds": 1},
    }


def test_metrics_say_that_data_are_drawn(tmp_path, results):
    params = tiny.params(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    write_metrics(params, "tiny", results, tmp_path / "metrics")
    assert [each["drawn"] for each in read(tmp_path / "metrics").values()] == [True, True]


def test_a_cell_that_the_profile_has_no_more_loses_its_file_and_nothing_else(tmp_path, results):
    folder = tmp_path / "metrics"
    write_metrics(tiny.params(tmp_path), "tiny", results, folder)
    for other in ("note.json", "plain/note.json", "plain/market1501/note.txt"):
        (folder / other).write_text("{}")
    fewer = tiny.params(tmp_path, {"methods": ["baseline"]})
    write_metrics(fewer, "tiny", results, folder)
    assert list(read(folder)) == [
        "note.json",
        "plain/market1501/baseline.json",
        "plain/market1501/note.txt",
        "plain/note.json",
    ]


METHODS = [f"a-method-of-mine-{number:02}" for number in range(14)]
DATASETS = ("market1501", "dukemtmc-reid", "cuhk03-labeled", "cuhk03-detected")


@pytest.fixture(scope="module")
def versioned(tmp_path_factory):
    """A repository whose DVC file names the folder as the shipped one does: 112 cells."""
    folder = tmp_path_factory.mktemp("versioned")
    shipped = yaml.safe_load((tiny.ROOT / "dvc.yaml").read_text())["stages"]["benchmark"]
    (named,) = shipped["metrics"]
    stage = {"cmd": "true", "metrics": [{named: {"cache": False}}]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"benchmark": stage}}))
    write_cells(folder / named, 0.0)
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["git", "add", "."],
        [*AS_SOMEBODY, "commit", "-qm", "all"],
    ):
        subprocess.run(command, cwd=folder, env=QUIET, check=True, timeout=120)
    write_cells(folder / named, 1.5)
    return folder


AS_SOMEBODY = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
QUIET = {**os.environ, "DVC_NO_ANALYTICS": "1", "COLUMNS": "120"}


def write_cells(folder, more):
    for ranking in ("plain", "rk"):
        for dataset in DATASETS:
            for method in METHODS:
                cell = {"mAP": 85.12 + more, "mAP_sd": 10.12, "R1": 94.12, "R1_sd": 10.12}
                path = folder / ranking / dataset / f"{method}.json"
                write_json(path, {**cell, "seeds": 12, "drawn": True})


@pytest.mark.parametrize("command", ["show", "diff"])
def test_dvcs_own_tables_fit_a_screen(versioned, command):
    done = subprocess.run(
        ["dvc", "metrics", command],
        cwd=versioned,
        env=QUIET,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = done.stdout.splitlines()
    cells = [line for line in lines if "reports/metrics" in line.replace(os.sep, "/")]
    assert len(cells) == 2 * len(DATASETS) * len(METHODS)
    assert max(map(len, lines)) <= 120
    assert "mAP" in done.stdout


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_plots_have_a_row_a_run_and_a_row_an_epoch(tmp_path, results):
    write_plots(tiny.params(tmp_path), "tiny", results, tmp_path / "plots")
    seeds = rows(tmp_path / "plots/seeds.csv")
    assert [(r["method"], r["seed"], r["ranking"], float(r["mAP"])) for r in seeds] == [
        ("baseline", "1", "plain", 50.0),
        ("baseline", "2", "plain", 60.0),
        ("top-db-net", "1", "rk", 70.0),
    ]
    training = rows(tmp_path / "plots/training.csv")
    assert len(training) == 6
    assert training[0] == {
        "dataset": "market1501",
        "method": "baseline",
        "seed": "1",
        "epoch": "1",
        "learning_rate": "0.001",
        "loss": "4.0",
    }


def test_plots_of_no_run_have_their_headers(tmp_path):
    write_plots(tiny.params(tmp_path), "tiny", tmp_path / "nothing", tmp_path / "plots")
    assert rows(tmp_path / "plots/seeds.csv") == []
    header = (tmp_path / "plots/training.csv").read_text().strip()
    assert header == "dataset,method,seed,epoch,learning_rate,loss"
