"""Whole runs on noise with a colour a person, in processes of their own where it matters."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file

from topdb.config import Profile, load
from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels, read_index
from topdb.engine.progress import Stop
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.features import read_features
from topdb.results.kept import ABOUT, HISTORY, WEIGHTS
from topdb.results.records import write_history
from topdb.results.runs import Run
from topdb.runs.pretraining import pretrain, take_kept
from topdb.runs.train import train_run, train_runs

FILES = ("weights.safetensors", "features.npz", "history.csv", "run.json")
PRETRAINING = {
    "kind": "pretraining",
    "dataset": {"layout": "market1501", "root": "more", "render": tiny.RENDER},
    "epochs": 2,
    "seed": 0,
    "people": 3,
    "images": 2,
}
TRAIN_AND_LIST_MODULES = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from topdb.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
    names = [open(f"/proc/self/task/{each}/comm").read() for each in os.listdir("/proc/self/task")]
    names = [each for each in names if not each.startswith("jemalloc")]
    print("threads", len(names), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tiny.write_params(folder)
    tiny.draw_market(folder / "data/market1501")
    build_index(
        "market1501",
        "market1501",
        folder / "data/market1501",
        folder / "index.parquet",
        folder / "pixels.npy",
    )
    return folder


@pytest.fixture(scope="module")
def processes(project):
    """Two processes, each given nothing but the same command."""
    done = []
    for number in (1, 2):
        command = ["train", "market1501", "top-db-net", "1"]
        command += ["--index", "index.parquet", "--pixels", "pixels.npy", "--out", f"out-{number}"]
        finished = tiny.python(project, "-c", TRAIN_AND_LIST_MODULES, *command)
        assert finished.returncode == 0, finished.stderr[-2000:]
        done.append(finished)
    return done


def train(project, method="top-db-net", seed=1, out="here", profile: Profile | None = None, **more):
    profile = profile or load(project / "params.yaml").selected()
    index = read_index(project / "index.parquet")
    train_run(
        Run("market1501", method, seed),
        "tiny",
        profile,
        index,
        Pixels.open(project / "pixels.npy", index),
        more.get("backbone"),
        project / out,
        stop=more.get("stop"),
    )


def profile_with(**changes) -> Profile:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return Profile.model_validate(tiny.content(dotted)["profiles"]["tiny"])


def weights(folder):
    return load_file(folder / "weights.safetensors")


def test_two_processes_give_the_same_bits(project, processes):
    for name in ("weights.safetensors", "features.npz"):
        assert digest(project / "out-1" / name) == digest(project / "out-2" / name)
    features = read_features(project / "out-1/features.npz").query_features
    assert features.std(axis=0).max() > 0


def test_a_training_process_of_a_small_network_imports_no_torchvision(processes):
    modules = processes[0].stderr.split()
    assert "torch" in modules
    assert "topdb.runs.train" in modules
    for heavy in ("torchvision", "mlflow", "pandas", "matplotlib", "torch._dynamo"):
        assert heavy not in modules


def test_a_training_process_ends_without_a_thread_of_a_library(processes):
    assert processes[0].stderr.split()[-2:] == ["threads", "1"]


def test_another_seed_or_method_gives_other_bits(project, processes):
    train(project, seed=2, out="seed-2")
    train(project, method="no-drop", out="no-drop")
    first = weights(project / "out-1")
    for other in (weights(project / "seed-2"), weights(project / "no-drop")):
        shared = "backbone.0.weight"
        assert not torch.equal(first[shared], other[shared])


def test_the_four_files_say_the_same(project, processes):
    folder = project / "out-1"
    # The profile looks at this run by default: it keeps snapshots too.
    assert {path.name for path in folder.iterdir()} == {*FILES, "snapshots.npz"}
    record = json.loads((folder / "run.json").read_text())
    assert record["weights_digest"] == digest(folder / "weights.safetensors")
    assert record["features_digest"] == digest(folder / "features.npz")
    index = read_index(project / "index.parquet")
    assert record["index_digest"] == index.digest
    assert record["data"]["content"] == index.content
    with (folder / "history.csv").open(newline="") as stream:
        history = list(csv.DictReader(stream))
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert all(np.isfinite([float(value) for value in row.values()]).all() for row in history)


def test_the_record_has_the_documented_content(project, processes):
    record = json.loads((project / "out-1/run.json").read_text())
    identity = {"profile": "tiny", "dataset": "market1501", "method": "top-db-net", "seed": 1}
    assert {key: record[key] for key in identity} == identity
    assert record["recipe"]["side"] == "released"
    assert record["title"] == "Top-DB-Net"
    assert record["backbone"] == "small"
    assert len(record["code"]) == 64
    assert record["rendered"] is False
    assert record["data"]["layout"] == "market1501"
    assert record["data"]["counts"]["query"]["people"] == 3
    assert record["start"] is record["start_digest"] is None
    assert "mlflow_run_id" not in record
    recipe = record["recipe"]
    assert recipe["options"]["drop_ratio"] == 0.33  # defaults are written out
    assert recipe["rules"]["network"]["kind"] == "Adam"
    assert recipe["rules"]["network"]["weight_decay"] == 5e-4
    assert (record["hardware"]["fused"], record["hardware"]["tf32"]) == (True, False)
    # As the profile changed and scaled it, and what it changed.
    assert (recipe["size"], recipe["people"], recipe["images"]) == ([48, 16], 3, 2)
    assert (recipe["epochs"], recipe["rules"]["network"]["rate"]) == (2, 0.001)
    assert recipe["schedule"] == {"kind": "Cosine", "warmup": 1.0}
    assert [each["kind"] for each in recipe["augmentation"]] == [
        "Flip",
        "EnlargeAndCrop",
        "Normalise",
        "Erase",
    ]
    assert record["scale"] == json.loads(json.dumps(record["scale"] | {"size": [48, 16]}))
    assert record["changed"][0]["rules"] == {"network": {"rate": 0.001}}
    (told,) = record["changes"]
    assert told.startswith("top-db-net: epochs 2, images 2, schedule.")
    assert "rules.network.rate 0.001" in told
    assert record["environment"]["threads"] == 1
    assert record["peak_memory_mib"] > 0
    assert record["peak_gpu_memory_mib"] is None
    assert record["diverged"] is None
    assert record["loss_limit"] > 10 * np.log(4)
    assert set(record["seconds"]) == {"prepare", "train", "extract"}
    assert set(record["images_per_second"]) == {"train", "extract"}


class Watching(Stop):
    """Is asked after each step, and notes the epochs that others can read by then."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.seen = []

    @property
    def asked(self):
        (path,) = self.folder.glob("checkpoints/*-history.csv")
        self.seen.append(path.read_text().splitlines())
        return False


def test_epochs_can_be_read_as_they_pass(project, processes):
    watching = Watching(project / "watched")
    train(project, out="watched", stop=watching)
    header = "epoch,learning_rate,images,seconds,loss"
    assert watching.seen[0] == [header]
    assert {len(lines) for lines in watching.seen} == {1, 2, 3}
    whole = (project / "watched/history.csv").read_text().splitlines()
    assert watching.seen[-1] == whole
    assert all(lines in ([header], whole[: len(lines)]) for lines in watching.seen)
    assert not (project / "watched/checkpoints").exists()
    for name in ("weights.safetensors", "features.npz"):
        assert digest(project / "watched" / name) == digest(project / "out-1" / name)


def test_a_disk_that_takes_no_watched_history_stops_no_training(project, monkeypatch):
    def full(path, epochs):
        if path.parent.name == "checkpoints":
            raise OSError(28, "No space left on device")
        write_history(path, epochs)

    monkeypatch.setattr("topdb.runs.train.write_history", full)
    train(project, out="unwatched")
    assert (project / "unwatched/run.json").is_file()


def test_a_run_that_fails_leaves_no_record_of_an_older_one(project):
    train(project, out="again")
    absurd = {"rules": {"network": {"rate": 1e30}}, "epochs": 4, "images": 2}
    changes = {"top-db-net": {"all": absurd}}
    profile = profile_with(scale__epochs=4, changes=changes, divergence={"fails": True})
    with pytest.raises(UserError, match="epoch"):
        train(project, out="again", profile=profile)
    assert not (project / "again/run.json").exists()
    assert not (project / "again/checkpoints").exists()


def test_pretraining_gives_every_run_its_start(project):
    # A rate of almost nothing: the trained backbone is then still the start.
    still = {"rules": {"network": {"rate": 1e-12}}, "images": 2}
    profile = profile_with(start=PRETRAINING, changes={"top-db-net": {"all": still}})
    index = read_index(project / "index.parquet")
    pixels = Pixels.open(project / "pixels.npy", index)
    for name in ("pretraining", "pretraining-again"):
        pretrain(index, pixels, profile, "small", project / name)
    path = project / "pretraining/backbone.safetensors"
    assert digest(path) == digest(project / "pretraining-again/backbone.safetensors")
    assert len((project / "pretraining/history.csv").read_text().splitlines()) == 3

    train(project, out="started", profile=profile, backbone=path)
    record = json.loads((project / "started/run.json").read_text())
    assert record["start_digest"] == digest(path)
    first = "0.weight"
    torch.testing.assert_close(
        weights(project / "started")[f"backbone.{first}"], load_file(path)[first]
    )


def test_a_kept_start_is_taken_and_its_copy_says_of_what_it_is(project):
    index = read_index(project / "index.parquet")
    pixels = Pixels.open(project / "pixels.npy", index)
    profile = profile_with(start={**PRETRAINING, "kept": project / "kept"})
    assert "keeps no backbone" in str(take_kept(index, profile, "small", project / "none"))
    pretrain(index, pixels, profile, "small", project / "kept/small")
    assert take_kept(index, profile, "small", project / "taken") is None
    for name in (WEIGHTS, HISTORY, ABOUT):
        assert (project / "taken" / name).read_bytes() == (
            project / "kept/small" / name
        ).read_bytes()

    longer = profile_with(start={**PRETRAINING, "epochs": 3, "kept": project / "kept"})
    wider = profile_with(start=profile.start, scale__width=0.25)
    altered = dataclasses.replace(index, sha256s=("0" * 64, *index.sha256s[1:]))
    for other, images, what in (
        (longer, index, "parameters"),
        (wider, index, "parameters"),
        (profile, altered, "images"),
    ):
        said = take_kept(images, other, "small", project / "not-taken")
        assert said == f"{project / 'kept/small'} is of other {what} than the profile's."
        assert not (project / "not-taken").exists()


def test_a_kept_start_that_was_touched_is_refused(project):
    index = read_index(project / "index.parquet")
    profile = profile_with(start={**PRETRAINING, "kept": project / "kept"})
    pretrain(
        index, Pixels.open(project / "pixels.npy", index), profile, "small", project / "kept/small"
    )
    path = project / "kept/small" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\0\1")
    with pytest.raises(UserError, match="is not what pretraining.json beside it tells of"):
        take_kept(index, profile, "small", project / "taken")
    path.unlink()
    with pytest.raises(UserError, match="lacks backbone.safetensors: restore it"):
        take_kept(index, profile, "small", project / "taken")


def test_a_start_that_is_not_there_is_named(project):
    profile = profile_with(start=PRETRAINING)
    with pytest.raises(UserError, match=r"none.safetensors does not exist: run `topdb pretrain`"):
        train(project, out="startless", profile=profile, backbone=project / "none.safetensors")


def test_the_index_of_another_data_set_is_refused(project):
    build_index(
        "another",
        "market1501",
        project / "data/market1501",
        project / "another.parquet",
        project / "another.npy",
    )
    params = load(project / "params.yaml")
    with pytest.raises(UserError, match=r"another.parquet is the index of another, not of market"):
        train_runs(
            params,
            params.profile,
            "market1501",
            "baseline",
            [1],
            project / "another.parquet",
            project / "another.npy",
            None,
            [project / "refused"],
        )
    assert not (project / "refused").exists()
