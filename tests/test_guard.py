"""Snakemake's records of files that are gone: marked whole, whatever a kill left behind."""

import importlib.util
import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import tiny

OUTPUT = "results/mini/market1501/baseline/seed-1/run.json"


@pytest.fixture
def guard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("guard", tiny.ROOT / "workflows/guard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.METADATA.mkdir(parents=True)
    return module


def record(guard, text: str) -> Path:
    path = guard.METADATA / urlsafe_b64encode(OUTPUT.encode()).decode()
    path.write_text(text)
    return path


def test_a_file_that_is_gone_marks_its_record_and_takes_the_mark_back(guard):
    path = record(guard, json.dumps({"params": ["a"]}))
    for _ in range(2):
        guard.miss(Path("results/mini"), [[1, 2]], dryrun=False)
        assert json.loads(path.read_text())["params"] == ["a", guard.GONE]
    assert list(guard.METADATA.iterdir()) == [path]
    Path(OUTPUT).parent.mkdir(parents=True, exist_ok=True)
    Path(OUTPUT).write_text("{}")
    guard.miss(Path("results/mini"), [[1, 2]], dryrun=False)
    assert json.loads(path.read_text())["params"] == ["a"]


def test_a_record_cut_short_and_a_run_cut_short_stop_nothing(guard):
    path = record(guard, '{"par')
    other = Path(OUTPUT).parent.with_name("seed-2")
    other.mkdir(parents=True)
    (other / "run.json").write_text('{"iden')
    guard.METADATA.with_name("topdb-record.partial").write_text('{"par')  # a kill left it
    guard.miss(Path("results/mini"), [[1, 2]], dryrun=False)
    assert path.read_text() == '{"par'
    assert not (other / "checkpoints").exists()
