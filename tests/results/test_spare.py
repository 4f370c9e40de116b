"""A whole run whose files are deleted before it is evaluated."""

import json
import os
import shutil

import pytest
import tiny

from topdb.datasets.building import build_index
from topdb.files import digest
from topdb.results.runs import RunFiles

OUTPUTS = ("weights.safetensors", "features.npz", "history.csv", "snapshots.npz", "run.json")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a run that was long enough for checkpoints."""
    folder = tmp_path_factory.mktemp("spare")
    tiny.write_params(folder, {"hardware": {"checkpoint_seconds": 0.0}})
    root = folder / "data/market1501"
    tiny.draw_market(root)
    build_index("market1501", "market1501", root, folder / "index.parquet", folder / "pixels.npy")
    done = tiny.python(folder, "-m", "topdb.cli", *COMMAND, PYTHONPATH=str(tiny.ROOT))
    assert done.returncode == 0, done.stderr
    return folder


COMMAND = ["train", "market1501", "top-db-net", "1"]
COMMAND += ["--index", "index.parquet", "--pixels", "pixels.npy", "--out", "run"]


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """A copy of it, in which second names are second names too."""
    project = tmp_path / "project"
    shutil.copytree(trained, project, copy_function=os.link)
    (project / "params.yaml").unlink()  # tests change it
    shutil.copyfile(trained / "params.yaml", project / "params.yaml")
    monkeypatch.chdir(project)
    return project


def spare_of(project):
    (spare,) = (project / "run/checkpoints").iterdir()
    return spare


def delete(project):
    found = {name: digest(project / "run" / name) for name in OUTPUTS}
    for name in OUTPUTS:
        (project / "run" / name).unlink()
    return found


def test_large_files_take_no_room_twice(trained):
    spare, run = RunFiles(spare_of(trained)), RunFiles(trained / "run")
    assert {path.name for path in spare.folder.iterdir()} == set(OUTPUTS)
    assert run.weights.samefile(spare.weights)
    assert run.features.samefile(spare.features)
    assert not run.history.samefile(spare.history)


def test_deleted_files_come_back_without_training(here, monkeypatch, capsys):
    found = delete(here)
    for _ in range(2):  # it may be killed again
        assert tiny.topdb(monkeypatch, *COMMAND) == 0
        assert "run was whole: its files are there again" in capsys.readouterr().err
        assert delete(here) == found


def test_a_damaged_spare_is_not_given_back(here, monkeypatch, capsys):
    found = delete(here)
    weights = spare_of(here) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()
    weights.write_bytes(content)
    assert tiny.topdb(monkeypatch, *COMMAND) == 0
    assert "there again" not in capsys.readouterr().err
    assert digest(here / "run/weights.safetensors") == found["weights.safetensors"]


def test_the_spare_of_other_parameters_is_not_given_back(here, monkeypatch, capsys):
    delete(here)
    before = spare_of(here)
    changes = {"hardware": {"checkpoint_seconds": 0.0}}
    changes["changes.top-db-net.all.options"] = {"margin": 0.5}
    tiny.write_params(here, changes)
    assert tiny.topdb(monkeypatch, *COMMAND) == 0
    told = capsys.readouterr().err
    assert "there again" not in told
    assert "another run" not in told
    record = json.loads((here / "run/run.json").read_text())
    assert record["recipe"]["options"]["margin"] == 0.5
    assert spare_of(here) != before


def test_an_evaluated_run_has_none_and_is_trained_again(here, monkeypatch, capsys):
    (here / "run/checkpoints/my-whole").mkdir()
    (here / "run/checkpoints/my-whole/run.json").touch()
    assert tiny.topdb(monkeypatch, "evaluate", "run/features.npz", "--out", "run/plain") == 0
    assert spare_of(here).name == "my-whole"
    shutil.rmtree(here / "run/checkpoints")
    assert tiny.topdb(monkeypatch, "evaluate", "run/features.npz", "--out", "run/rk") == 0
    found = delete(here)
    capsys.readouterr()
    assert tiny.topdb(monkeypatch, *COMMAND) == 0
    assert "there again" not in capsys.readouterr().err
    assert digest(here / "run/weights.safetensors") == found["weights.safetensors"]
    assert tiny.topdb(monkeypatch, "evaluate", "run/features.npz", "--out", "run/plain") == 0
    assert not (here / "run/checkpoints").exists()


def test_without_second_names_nothing_is_kept(here, monkeypatch):
    shutil.rmtree(here / "run")

    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert tiny.topdb(monkeypatch, *COMMAND) == 0
    assert not (here / "run/checkpoints").exists()
    assert RunFiles(here / "run").record.is_file()
