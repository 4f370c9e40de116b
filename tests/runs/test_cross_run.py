"""What a trained run sees of another data set: real weights, noise with a colour a person."""

import shutil

import numpy as np
import pytest
import tiny
from PIL import Image
from safetensors.torch import load_file, save_file

from topdb.config import Profile
from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.features import read_features
from topdb.results.records import Diverged, read_record, write_record
from topdb.results.runs import Run, RunFiles
from topdb.runs.crossing import cross_run
from topdb.runs.extraction import extract_run
from topdb.runs.train import train_run

HOME, AWAY = "north", "south"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two data sets whose people have equal numbers, and other images."""
    folder = tmp_path_factory.mktemp("data")
    found = {"folder": folder}
    for number, name in enumerate((HOME, AWAY)):
        tiny.draw_market(folder / name / "images", test_people=3 + number)
        index = build_index(
            name,
            "market1501",
            folder / name / "images",
            folder / name / "index.parquet",
            folder / name / "pixels.npy",
        )
        found[name] = index, Pixels.open(folder / name / "pixels.npy", index)
    return found


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    settings = {"layout": "market1501", "root": "data"}
    content = tiny.content({"datasets": {HOME: settings, AWAY: settings}})
    profile = Profile.model_validate(content["profiles"]["tiny"])
    folder = tmp_path_factory.mktemp("trained") / "seed-1"
    index, pixels = data[HOME]
    train_run(Run(HOME, "baseline", 1), "tiny", profile, index, pixels, None, folder)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "seed-1")


def cross(run, data, name=AWAY, out=None):
    return cross_run(run, *data[name], out or run / "on" / name, None)


def test_the_features_are_those_of_the_trained_weights_on_the_other_images(run, data, tmp_path):
    before = {path.name: digest(path) for path in run.glob("*.*")}
    done = cross(run, data)
    assert done.images == 4 + 8
    extract_run(run, *data[AWAY], tmp_path / "same.npz", None)
    found, same = read_features(done.path), read_features(tmp_path / "same.npz")
    np.testing.assert_array_equal(found.gallery_features, same.gallery_features)
    assert found.query_pids.tolist() == data[AWAY][0].split("query").pids.tolist()
    own = read_features(run / "features.npz")
    assert len(own.query_pids) == 3
    assert {path.name: digest(path) for path in run.glob("*.*")} == before


def test_its_record_says_whose_weights_saw_whose_images(run, data):
    done = cross(run, data)
    found, known = (read_record(RunFiles(each).record) for each in (done.path.parent, run))
    assert (found.content["trained_on"], found.dataset) == (HOME, AWAY)
    assert (found.method, found.seed, found.profile) == ("baseline", 1, "tiny")
    assert found.weights_digest == known.weights_digest
    assert found.index_digest == data[AWAY][0].digest != known.index_digest
    assert found.features_digest == digest(done.path)
    assert found.data.content == data[AWAY][0].content
    assert found.code.digest == known.code.digest


def test_changed_weights_are_other_features(run, data):
    first = digest(cross(run, data).path)
    assert digest(cross(run, data).path) == first
    files = RunFiles(run)
    save_file({name: 2 * each for name, each in load_file(files.weights).items()}, files.weights)
    with pytest.raises(UserError, match=r"not the file that run\.json states the digest of"):
        cross(run, data)
    assert not RunFiles(run / "on" / AWAY).record.exists()  # the old one was of other weights
    stated = {**read_record(files.record).content, "weights_digest": digest(files.weights)}
    write_record(files.record, stated)
    assert digest(cross(run, data).path) != first


def test_a_diverged_run_stays_marked(run, data):
    files = RunFiles(run)
    wrong = Diverged(1, "loss", 99.0, 9.0)
    write_record(files.record, read_record(files.record).content | {"diverged": wrong.content()})
    done = cross(run, data)
    assert read_record(RunFiles(done.path.parent).record).diverged == wrong


def test_a_runs_own_data_set_is_none_to_cross_to(run, data):
    with pytest.raises(UserError, match="was trained on north, where `topdb extract` tests it"):
        cross(run, data, HOME)


def test_images_that_a_run_was_trained_on_are_no_test(run, data, tmp_path):
    own = data[HOME][0]
    assert cross_run(run, *data[AWAY], run / "on" / AWAY, None, (), own).images == 12
    with pytest.raises(UserError, match="was not trained on the south that --trained-on names"):
        cross_run(run, *data[AWAY], run / "on" / AWAY, None, (), data[AWAY][0])
    images = tmp_path / "images"
    shutil.copytree(data["folder"] / AWAY / "images", images)
    copied = sorted((data["folder"] / HOME / "images/bounding_box_train").iterdir())[:2]
    for number, path in enumerate(copied):
        # Another file of the same image, of a person of the test.
        with Image.open(path) as image:
            image.save(images / f"query/010{number + 1}_c2s1_00000{number}_00.png")
        (images / "bounding_box_train" / path.name).unlink()  # drawn alike, and trained on here
    paths = tmp_path / "index.parquet", tmp_path / "pixels.npy"
    leaking = build_index("leaking", "market1501", images, *paths)
    said = r"2 test images of leaking are training images of north, query/.*test_on\.north"
    with pytest.raises(UserError, match=said):
        cross_run(run, leaking, Pixels.open(paths[1], leaking), tmp_path / "on", None, (), own)


def test_a_folder_with_a_run_of_its_own_is_left_alone(run, data):
    before = digest(run / "run.json")
    with pytest.raises(UserError, match="holds a run of its own: name another folder"):
        cross(run, data, out=run)
    assert digest(run / "run.json") == before


def test_the_command_does_several_runs(run, data, tmp_path, monkeypatch, capsys):
    other = shutil.copytree(run, tmp_path / "another")
    index, pixels = (data["folder"] / AWAY / name for name in ("index.parquet", "pixels.npy"))
    given = ["--index", index, "--pixels", pixels]
    given += ["--trained-on", data["folder"] / HOME / "index.parquet"]
    command = ["cross", run, other, *given, "--params", tmp_path / "none.yaml"]
    out = [run / "on" / AWAY, other / "on" / AWAY]
    assert tiny.topdb(monkeypatch, *command, "--out", out[0], "--out", out[1]) == 0
    assert capsys.readouterr().out.count("12 images") == 2
    assert all(RunFiles(each).record.is_file() for each in out)
    assert tiny.topdb(monkeypatch, *command, "--out", out[0]) == 2
    assert "--out is given 1 times for 2 runs" in capsys.readouterr().err
