"""Imported runs, from a checkpoint on disk to scores, by the command line."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny
import torch
from factories import released_state, write_checkpoint
from safetensors.torch import load_file

from topdb.datasets.building import build_index
from topdb.files import digest
from topdb.results.features import read_features
from topdb.results.seals import write_sealed_json
from topdb.runs.record import alone_in


def with_params(folder, **changes):
    """Write parameters of two data sets; return the folder."""
    second = {"layout": "market1501", "root": "data/duke"}
    datasets = tiny.TINY["profiles"]["tiny"]["datasets"] | {"duke": second}
    methods = ["baseline", "no-drop", "top-db-net"]
    tiny.write_params(folder, {"datasets": datasets, "methods": methods, **changes})
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with parameters, two indexed data sets, and a checkpoint of the first."""
    folder = tmp_path_factory.mktemp("importing")
    for name, people in (("market1501", 4), ("duke", 5)):
        root = folder / "data" / name
        tiny.draw_market(root, train_people=people)
        build_index(name, "market1501", root, folder / f"{name}.parquet", folder / f"{name}.npy")
    write_checkpoint(folder / "model.pth.tar-400", released_state("top-db-net", 4))
    return folder


@pytest.fixture
def here(project, monkeypatch):
    """The project as it was, whatever an earlier test wrote into its parameters."""
    monkeypatch.chdir(project)
    return with_params(project)


def run_import(monkeypatch, *options, checkpoint="model.pth.tar-400", method="top-db-net"):
    common = ("--method", method, "--profile", "tiny")
    return tiny.topdb(monkeypatch, "import-weights", checkpoint, *common, *options)


def data(name="market1501"):
    return ("--index", f"{name}.parquet", "--pixels", f"{name}.npy")


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_checkpoint_becomes_a_run_like_any_other(here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "whole") == 0
    assert "top-db-net for market1501, 4 people after epoch 400" in capsys.readouterr().out
    record = record_of(here / "whole")
    assert record["origin"] == "authors' weights"
    assert record["checkpoint"] == {
        "file": "model.pth.tar-400",
        "sha256": digest(here / "model.pth.tar-400"),
        "epoch": 400,
        "rank1": 0.75,
    }
    assert (record["dataset"], record["method"], record["seed"]) == ("market1501", "top-db-net", 0)
    assert record["weights_digest"] == digest(here / "whole/weights.safetensors")
    assert record["features_digest"] == digest(here / "whole/features.npz")
    with (here / "whole/history.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert list(reader) == []
    trained = {"epoch", "learning_rate", "images", "seconds", "loss"}
    assert set(reader.fieldnames) == trained


def test_an_imported_run_has_the_keys_of_a_trained_one(here, monkeypatch):
    assert run_import(monkeypatch, *data(), "--out", "imported") == 0
    command = ["train", "market1501", "top-db-net", "1", *data(), "--out", "trained"]
    assert tiny.topdb(monkeypatch, *command) == 0
    imported, trained = record_of(here / "imported"), record_of(here / "trained")
    assert imported.keys() - trained.keys() == {"checkpoint"}
    assert trained.keys() - imported.keys() == set()
    assert trained["origin"] == "trained"
    for part in ("recipe", "scale", "hardware", "environment"):
        assert imported[part].keys() == trained[part].keys()


def test_weights_first_and_features_later_are_the_same(here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "at-once") == 0
    assert run_import(monkeypatch, "--dataset", "market1501", "--out", "later") == 0
    assert "`topdb extract` makes its features" in capsys.readouterr().out
    assert record_of(here / "later")["features_digest"] is None
    assert tiny.topdb(monkeypatch, "extract", "later", *data()) == 0
    assert "later/features.npz: 9 images" in capsys.readouterr().out
    assert digest(here / "later/features.npz") == digest(here / "at-once/features.npz")
    record = record_of(here / "later")
    assert record["features_digest"] == digest(here / "later/features.npz")
    assert record["index_digest"] == record_of(here / "at-once")["index_digest"]
    assert record["images_per_second"]["extract"] > 0


def test_its_features_are_scored(here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "scored") == 0
    assert tiny.topdb(monkeypatch, "evaluate", "scored/features.npz", "--out", "scored") == 0
    assert "mAP" in capsys.readouterr().out


def test_a_trained_run_is_extracted_again_to_the_same_bits(here, monkeypatch):
    command = ["train", "market1501", "no-drop", "1", *data(), "--out", "again"]
    assert tiny.topdb(monkeypatch, *command) == 0
    before = digest(here / "again/features.npz")
    (here / "again/features.npz").unlink()
    assert tiny.topdb(monkeypatch, "extract", "again", *data()) == 0
    assert digest(here / "again/features.npz") == before
    record = record_of(here / "again")
    assert record["extraction"]["code"] == record["code"]
    assert record["extraction"]["environment"].keys() == record["environment"].keys()


def test_features_of_another_data_set_go_to_a_file_of_their_own(here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "transfer") == 0
    before = (here / "transfer/run.json").read_text()
    assert tiny.topdb(monkeypatch, "extract", "transfer", *data("duke")) == 2
    assert "is of market1501" in capsys.readouterr().err
    command = ["extract", "transfer", *data("duke"), "--out", "duke.npz"]
    assert tiny.topdb(monkeypatch, *command) == 0
    assert read_features(here / "duke.npz").query_features.shape == (3, 24)
    assert (here / "transfer/run.json").read_text() == before


def test_extraction_runs_each_batch_once(here, monkeypatch):
    from topdb.methods.parts.streams import StreamNetwork

    assert run_import(monkeypatch, "--dataset", "market1501", "--out", "once") == 0
    passes = []
    embed = StreamNetwork.embed

    def counted(network, images):
        passes.append(len(images))
        return embed(network, images)

    monkeypatch.setattr(StreamNetwork, "embed", counted)
    assert tiny.topdb(monkeypatch, "extract", "once", *data()) == 0
    assert passes == [3, 6]  # query and gallery, each one batch


def test_the_data_set_is_told_by_its_number_of_people(here, monkeypatch, capsys):
    write_checkpoint(here / "market.pth.tar", released_state("baseline", 751))
    what = {"checkpoint": "market.pth.tar", "method": "baseline"}
    # Both data sets of this profile have Market-1501's layout: the number alone does not tell.
    assert run_import(monkeypatch, "--out", "told", **what) == 0
    assert record_of(here / "told")["dataset"] is None
    tiny.write_params(here)
    assert run_import(monkeypatch, "--out", "told", **what) == 0
    assert record_of(here / "told")["dataset"] == "market1501"


def test_a_data_set_that_is_untold_is_that_of_the_first_features(here, monkeypatch, capsys):
    assert run_import(monkeypatch, "--out", "untold") == 0
    assert "top-db-net for a data set untold, 4 people" in capsys.readouterr().out
    assert record_of(here / "untold")["dataset"] is None
    assert tiny.topdb(monkeypatch, "extract", "untold", *data("duke")) == 2
    assert "tells 4 people apart, and the training split of duke shows 5" in capsys.readouterr().err
    assert tiny.topdb(monkeypatch, "extract", "untold", *data()) == 0
    assert record_of(here / "untold")["dataset"] == "market1501"


MISTAKES = {
    "the index of another number of people": (
        [*data("duke")],
        "tells 4 people apart, and the training split of duke shows 5",
    ),
    "the index of another data set": (
        [*data("duke"), "--dataset", "market1501"],
        "the index is of duke, not of market1501",
    ),
    "an unknown data set": (["--dataset", "market"], "no data set 'market'"),
    "pixels without their index": (["--pixels", "market1501.npy"], "--pixels needs --index"),
    "a missing index": (["--index", "nothing.parquet"], "nothing.parquet"),
    "another method": (["--method", "baseline"], "are those of top-db-net"),
    "a method that is not there": (["--method", "top-dbnet"], "did you mean 'top-db-net'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_and_leaves_what_was_there(case, here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "kept") == 0
    before = {path.name: digest(path) for path in (here / "kept").iterdir()}
    options, said = MISTAKES[case]
    capsys.readouterr()
    assert run_import(monkeypatch, "--out", "kept", *options) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert {path.name: digest(path) for path in (here / "kept").iterdir()} == before


def test_a_trained_run_is_not_overwritten(here, monkeypatch, capsys):
    command = ["train", "market1501", "top-db-net", "1", *data(), "--out", "precious"]
    assert tiny.topdb(monkeypatch, *command) == 0
    before = {path.name: digest(path) for path in (here / "precious").iterdir()}
    assert run_import(monkeypatch, *data(), "--out", "precious") == 2
    assert "precious holds a run that was trained" in capsys.readouterr().err
    assert {path.name: digest(path) for path in (here / "precious").iterdir()} == before
    # An imported one is made again at will.
    assert run_import(monkeypatch, *data(), "--out", "cheap") == 0
    assert run_import(monkeypatch, *data(), "--out", "cheap") == 0


def test_a_training_that_has_not_come_to_its_end_is_not_written_over(here, monkeypatch, capsys):
    kept = here / "unfinished/checkpoints/0123456789ab/epoch-00001-step-000001.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    assert run_import(monkeypatch, *data(), "--out", "unfinished") == 2
    told = capsys.readouterr().err
    assert "unfinished/checkpoints holds a training that has not come to its end" in told
    assert [path.name for path in (here / "unfinished").iterdir()] == ["checkpoints"]


def test_an_import_waits_for_a_process_that_writes_into_its_folder(here, monkeypatch, capsys):
    with alone_in(here / "shared"):
        command = ["-m", "topdb.cli", "import-weights", "model.pth.tar-400", "--profile", "tiny"]
        command += ["--method", "top-db-net", "--dataset", "market1501", "--out", "shared"]
        waiting = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, "PYTHONPATH": str(tiny.ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr.readline().startswith("topdb: waiting for another process")
        # What it waited for was a training.
        trained = tiny.write_run(here / "another", "market1501", "top-db-net", 1)
        (trained / "run.json").rename(here / "shared/run.json")
    _, said = waiting.communicate(timeout=100)
    assert waiting.returncode == 2
    assert "shared holds a run that was trained" in said
    assert [path.name for path in (here / "shared").iterdir()] == ["run.json"]


def test_imagenet_weights_of_a_wrong_digest_stop_a_training(here, monkeypatch, capsys):
    torch.save({"conv1.weight": torch.ones(2)}, here / "resnet50-19c8e357.pth")
    start = {"kind": "imagenet", "weights": "resnet50-19c8e357.pth"}
    with_params(here, start=start, **{"scale.backbones": {}})
    command = ["train", "market1501", "baseline", "1", *data(), "--out", "never"]
    assert tiny.topdb(monkeypatch, *command) == 2
    told = capsys.readouterr().err
    assert "resnet50-19c8e357.pth has the SHA-256" in told
    assert told.count("\n") == 1
    assert not any((here / "never").iterdir())
    (here / "resnet50-19c8e357.pth").write_bytes(b"<!DOCTYPE html><title>Sign in</title>")
    for step in (["plan"], command):
        assert tiny.topdb(monkeypatch, *step) == 2
        told = capsys.readouterr().err
        assert "resnet50-19c8e357.pth is an HTML page (its first bytes say so)" in told
        assert "not the ImageNet weights of resnet50: the download needs a login" in told


def test_a_hostile_checkpoint_makes_no_run(here, monkeypatch, capsys):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(here / "made"),)

    write_checkpoint(here / "hostile.pth.tar", {"base.0.weight": torch.ones(1)}, rank1=Hostile())
    assert run_import(monkeypatch, "--out", "hostile", checkpoint="hostile.pth.tar") == 2
    assert "mkdir, so it was not read" in capsys.readouterr().err
    assert not (here / "made").exists()
    assert not (here / "hostile").exists()


def test_a_profile_of_the_papers_text_takes_no_released_weights(here, monkeypatch, capsys):
    with_params(here, recipe="described")
    assert run_import(monkeypatch, *data(), "--out", "described") == 2
    assert "the authors' weights are of 'released'" in capsys.readouterr().err


def test_altered_weights_are_not_extracted(here, monkeypatch, capsys):
    assert run_import(monkeypatch, *data(), "--out", "altered") == 0
    path = here / "altered/weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert tiny.topdb(monkeypatch, "extract", "altered", *data()) == 2
    assert "is not the file that run.json states the digest of" in capsys.readouterr().err
    path.unlink()
    assert tiny.topdb(monkeypatch, "extract", "altered", *data()) == 2
    assert "weights.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": {"size": [48]}}, "does not describe a run (('size', 1)"),
        ({"scale": {"height": 48}}, "does not describe a run (('height',)"),
        ({"hardware": {"device": "tpu"}}, "does not describe a run (('device',)"),
        ({"changed": [{"epoch": 3}]}, "does not describe a run (('epoch',)"),
        ({"recipe": {}}, "does not describe a run (side is missing"),
        ({"recipe": {"side": "relased"}}, "has no recipe 'relased' (did you mean 'released'?)"),
        ({"method": "no-such"}, "there is no method 'no-such'"),
        ({"method": "baseline"}, "states another options than the method baseline has today"),
        ({"method": "bot"}, "states another options than the method bot has today"),
        ({"identities": 5}, "does not fit the network of run.json"),
        ({"weights_digest": None}, "is not the file that run.json"),
    ],
)
def test_a_broken_record_is_named(here, monkeypatch, capsys, change, said):
    assert run_import(monkeypatch, *data(), "--out", "record") == 0
    write_sealed_json(here / "record/run.json", record_of(here / "record") | change)
    assert tiny.topdb(monkeypatch, "extract", "record", *data()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_the_gpu_that_the_profile_asks_for_a_device_is_named(here, monkeypatch, capsys):
    with_params(here, hardware={"device": "cuda"})
    # Weights alone need no GPU.
    assert run_import(monkeypatch, "--dataset", "market1501", "--out", "gpu") == 0
    capsys.readouterr()
    assert run_import(monkeypatch, *data(), "--out", "gpu") == 2
    assert "torch finds no GPU here: name --device cpu" in capsys.readouterr().err
    assert tiny.topdb(monkeypatch, "extract", "gpu", *data()) == 2
    assert "torch finds no GPU here: name --device cpu" in capsys.readouterr().err
    assert tiny.topdb(monkeypatch, "extract", "gpu", *data(), "--device", "cpu") == 0
    assert run_import(monkeypatch, *data(), "--out", "gpu", "--device", "cpu") == 0
    assert record_of(here / "gpu")["hardware"]["device"] == "cuda"


def test_a_run_without_a_record_or_an_unknown_device_is_named(here, monkeypatch, capsys):
    assert tiny.topdb(monkeypatch, "extract", "nothing", *data()) == 2
    assert "nothing/run.json does not exist" in capsys.readouterr().err
    assert tiny.topdb(monkeypatch, "extract", "nothing", *data(), "--device", "gpu") == 2
    assert "--device is 'gpu': name cpu or cuda" in capsys.readouterr().err


def test_a_released_checkpoint_keeps_every_weight(here, monkeypatch):
    assert run_import(monkeypatch, *data(), "--out", "weights") == 0
    own = load_file(here / "weights/weights.safetensors")
    given = torch.load(here / "model.pth.tar-400", weights_only=False)["state_dict"]
    assert len(own) == len(given)
    assert torch.equal(own["drop_head.neck.weight"], given["module.bottleneck_db.weight"])
    assert np.isclose(
        sum(v.double().sum() for v in own.values()), sum(v.double().sum() for v in given.values())
    )
