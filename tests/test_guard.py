"""Snakemake's records of files that are gone: marked whole, whatever a kill left behind."""

import getpass
import importlib.util
import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import rights
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


def test_results_may_be_a_link_to_another_disk(guard, tmp_path, capsys):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    Path("results").symlink_to(scratch)
    guard.require_place("results")
    guard.begin({"planned_seeds": [1]}, Path("results/mini"), [])
    assert json.loads((scratch / "mini/planned.json").read_text()) == {"seeds": [1]}
    (scratch / "mini/planned.json").unlink()
    (scratch / "mini").rmdir()
    scratch.rmdir()
    with pytest.raises(SystemExit) as caught:
        guard.require_place("results")
    assert caught.value.code == 2
    said = f"topdb: results is a link to {scratch}, which is no folder: mount or make it.\n"
    assert capsys.readouterr().err == said


LOCKED = """
import sys; sys.path.insert(0, sys.argv[1]); import guard; guard.require_place("results")
"""


@pytest.mark.parametrize("locked", ["results", "."])
def test_results_that_cannot_be_written_are_told_before_anything_trains(tmp_path, locked):
    if locked == "results":
        (tmp_path / "results").mkdir()
    (tmp_path / locked).chmod(0o555)
    done = rights.python(tmp_path, LOCKED, str(tiny.ROOT / "workflows"))
    (tmp_path / locked).chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.startswith("topdb: results cannot be written: mend its permissions")
    assert done.stderr.count("\n") == 1


def test_a_user_without_a_name_gets_a_number(guard, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[f"getpwuid(): uid not found: {uid}"])
    monkeypatch.setenv("LOGNAME", "")
    guard.require_place("results")
    assert getpass.getuser() == str(os.getuid())
