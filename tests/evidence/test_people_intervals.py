"""Beside the numbers of `topdb evaluate` stand their intervals over people."""

import json

import numpy as np
import pytest
import tiny

from topdb.results.evaluation import read_queries
from topdb.statistics import people_interval

CASES = tiny.ROOT / "tests/cases"


def evaluated(monkeypatch, tmp_path, *arguments):
    folder = tmp_path / "out"
    assert tiny.topdb(monkeypatch, "evaluate", *arguments, "--out", folder) == 0
    return folder / "plain"


def test_the_line_and_the_file_hold_the_interval_of_every_metric(monkeypatch, tmp_path, capfd):
    folder = evaluated(monkeypatch, tmp_path, CASES / "ok.npz")
    said = capfd.readouterr().out
    assert said.startswith("mAP 58.93 [50.43, 66.94]  R1 75.00 [59.53, 85.95]  R5 90.00 [")
    assert said.endswith("(plain, 95 % over 30 people)\n")
    found = json.loads((folder / "intervals.json").read_text())
    assert (found["people"], found["confidence"]) == (30, 0.95)
    queries = read_queries(folder / "queries.parquet")
    own = people_interval(queries.columns["inp"], queries.pids)
    assert found["intervals"]["mINP"] == [own.low, own.high]
    hits = people_interval(queries.columns["first_match_rank"] <= 5, queries.pids)
    assert found["intervals"]["R5"] == [hits.low, hits.high]


def test_single_gallery_shots_have_no_interval(monkeypatch, tmp_path, capfd):
    shots = "--single-gallery-shot", "3"
    folder = evaluated(monkeypatch, tmp_path, CASES / "ok.npz", *shots)
    assert "  R5 9" in (said := capfd.readouterr().out)
    assert "R5 [" not in said
    intervals = json.loads((folder / "intervals.json").read_text())["intervals"]
    assert intervals.keys() == {"mAP", "mINP"}


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_evaluation_and_one_of_one_person_have_none(quiet, monkeypatch, tmp_path, capfd):
    one = {} if quiet else {"query_pids": np.array([1, 1, 1])}
    features = tiny.write_features(tmp_path / "features.npz", **one)
    folder = evaluated(monkeypatch, tmp_path, features, *(["--quiet"] if quiet else []))
    assert capfd.readouterr().out.partition("\n")[0].endswith("  (plain)")
    assert (folder / "intervals.json").exists() != quiet
