import csv
import json

import pytest
import tiny

from topdb.reporting.reports import write_metrics, write_plots


@pytest.fixture
def results(tmp_path):
    for seed, ap in ((1, 0.5), (2, 0.6)):
        folder = tiny.write_run(tmp_path / "results", "market1501", "baseline", seed)
        tiny.write_queries(folder, [ap] * 4, first=[1, 1, 1, 2])
    folder = tiny.write_run(tmp_path / "results", "market1501", "top-db-net", 1)
    tiny.write_queries(folder, [0.7] * 4, "rk")
    return tmp_path / "results"


def test_metrics_are_nested_by_data_set_method_and_ranking(tmp_path, results):
    params = tiny.params(tmp_path)
    write_metrics(params, "tiny", results, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "rendered_data": False,
        "market1501": {
            "baseline": {
                "plain": {
                    "mAP": 55.0,
                    "mAP_sd": pytest.approx(7.0711, abs=1e-4),
                    "R1": 75.0,
                    "R1_sd": 0.0,
                    "seeds": 2,
                }
            },
            "top-db-net": {"rk": {"mAP": 70.0, "R1": 100.0, "seeds": 1}},
        },
    }


def test_metrics_say_that_data_are_drawn(tmp_path, results):
    params = tiny.params(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    write_metrics(params, "tiny", results, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text())["rendered_data"] is True


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
