"""The seeds that a grid was first planned with."""

import importlib.util
import json

import pytest
import tiny

from topdb.errors import UserError
from topdb.planning import plan
from topdb.results.planned import read_planned, record_planned


def test_they_are_recorded_once(tmp_path):
    assert read_planned(tmp_path) is None
    record_planned(tmp_path, [3, 1])
    record_planned(tmp_path, [1, 2, 3, 4])
    assert read_planned(tmp_path) == (3, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["planned.json"]


@pytest.mark.parametrize("content", ["{}", '{"seeds": []}', '{"seeds": [1, "2"]}', '{"seeds": 5}'])
def test_a_broken_record_is_named(tmp_path, content):
    (tmp_path / "planned.json").write_text(content)
    with pytest.raises(UserError, match=r"planned.json lists no seeds: write those"):
        read_planned(tmp_path)


def test_the_plan_and_the_workflow_keep_those_of_the_first_plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.draw_market(tmp_path / "data/market1501")
    spec = importlib.util.spec_from_file_location("guard", tiny.ROOT / "workflows/guard.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    (tmp_path / ".snakemake").mkdir()
    results = tmp_path / "results/tiny"
    changes = {"papers": []}
    for seeds in ([1, 2], [1, 2, 3]):
        found = json.loads(
            json.dumps(plan(tiny.params(tmp_path, changes | {"seeds": seeds}), None))
        )
        assert (found["seeds"], found["planned_seeds"]) == (seeds, [1, 2])
        guard.begin(found, results, [])
    assert read_planned(results) == (1, 2)
