"""Where a model's runs are found: files, folders, scores."""

import shutil

import numpy as np
import pytest
import tiny

from topdb.config import RankingSettings
from topdb.errors import UserError
from topdb.models import compare
from topdb.results.models import names_of
from topdb.runs.evaluate import evaluate
from topdb.runs.models import Scoring, read_models

CASES = tiny.ROOT / "tests/cases"


def read(*paths, **how):
    return list(read_models([*paths], Scoring(**how)))


def noisy(path, seed):
    """The features of `ok.npz` with some noise."""
    rng = np.random.default_rng(seed)
    with np.load(CASES / "ok.npz") as opened:
        arrays = dict(opened)
    for side in ("query", "gallery"):
        values = arrays[f"{side}_features"]
        arrays[f"{side}_features"] = (values + rng.normal(0, 0.3, values.shape)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def test_files_of_several_toolkits_are_one_run_each():
    ok, other, matlab = read(
        *(CASES / each for each in ("ok.npz", "feats.pth", "pytorch_result.mat"))
    )
    assert [each.name for each in (ok, other, matlab)] == ["ok", "feats", "pytorch_result"]
    for model in (ok, other, matlab):
        assert model.checkpoints[0].summary.metrics["mAP"] == pytest.approx(0.5893, abs=1e-4)
    found = compare([CASES / "ok.npz", CASES / "pytorch_result.mat"])
    assert "Queries without paths were taken in their order." in found.notes


def test_a_folder_is_a_run_a_file_or_a_run_a_folder(tmp_path):
    for seed in (1, 2):
        noisy(tmp_path / f"files/{seed}.npz", seed)
        noisy(tmp_path / f"folders/seed-{seed}/features.npz", seed)
        (tmp_path / f"folders/seed-{seed}/weights.pth").write_bytes(b"no features")
        (tmp_path / "files/README.md").write_text("not a run")
    files, folders = read(tmp_path / "files", tmp_path / "folders")
    assert len(files.checkpoints) == len(folders.checkpoints) == 2
    own = [each.summary.features_digest for each in files.checkpoints]
    assert own == [each.summary.features_digest for each in folders.checkpoints]


def test_arrays_in_a_file_each_are_one_run_known_by_all_of_them(tmp_path):
    with np.load(CASES / "ok.npz") as arrays:
        for run in ("a", "b"):
            (tmp_path / run).mkdir()
            for side in ("query", "gallery"):
                for name in ("features", "pids", "camids"):
                    values = arrays[f"{side}_{name}"] * (
                        1.1 if (run, name) == ("b", "features") else 1
                    )
                    np.save(tmp_path / run / f"{side}_{name}.npy", values)
    found = read(tmp_path / "a", tmp_path / "b")
    digests = {each.checkpoints[0].summary.features_digest for each in found}
    assert [len(each.checkpoints) for each in found] == [1, 1]
    assert len(digests) == 2


def test_scores_are_taken_where_they_are_and_must_be_of_the_features_beside_them(tmp_path):
    features = noisy(tmp_path / "model/seed-1/features.npz", 1)
    scores = features.parent / "plain"
    settings = RankingSettings(metric="cosine")
    written = evaluate(features, "plain", settings, scores, threads=1)
    found = read(tmp_path / "model")[0].checkpoints[0]
    assert found.source == scores
    assert found.summary.content() == written.content()
    assert found.nearest().keys() == {*found.queries.paths}
    kept = (scores / "queries.parquet").read_bytes()
    evaluate(noisy(tmp_path / "other.npz", 3), "plain", settings, tmp_path / "other", threads=1)
    shutil.copy(tmp_path / "other/queries.parquet", scores)
    with pytest.raises(UserError, match=r"queries.parquet"):
        read(tmp_path / "model")
    (scores / "queries.parquet").write_bytes(kept)
    with pytest.raises(UserError, match=r"ranking plain and none of rk: name another"):
        read(tmp_path / "model", ranking="rk")
    noisy(features, 2)
    with pytest.raises(UserError, match="scores of other features than"):
        read(tmp_path / "model")
    shutil.rmtree(scores)
    assert read(tmp_path / "model")[0].checkpoints[0].summary.evaluator["metric"] == "euclidean"


def test_a_folder_without_either_is_named(tmp_path):
    (tmp_path / "weights.txt").write_text("nothing")
    with pytest.raises(UserError, match="neither features"):
        read(tmp_path)
    with pytest.raises(UserError, match="absent does not exist"):
        read(tmp_path / "absent")


def test_names_are_the_shortest_that_differ(tmp_path):
    paths = [tmp_path / each for each in ("x/a/plain", "x/b/plain", "y/b/plain")]
    for each in paths:
        each.mkdir(parents=True)
    assert names_of(paths[:2]) == ["a", "b"]
    assert names_of(paths[1:]) == ["x", "y"]
    assert names_of([paths[0], paths[1], paths[2]]) == ["x/a", "x/b", "y/b"]
    with pytest.raises(UserError, match="given twice"):
        names_of([paths[0], tmp_path / "x/../x/a/plain"])


def test_a_collapsed_network_and_damaged_files_are_named(tmp_path):
    with pytest.raises(
        UserError, match=r"constant.npz has no score, since all distances are equal"
    ):
        read(CASES / "constant.npz")
    with pytest.raises(UserError, match="paths_object.npz"):
        read(CASES / "ok.npz", CASES / "paths_object.npz")
    with pytest.raises(UserError, match="55 of 60 queries have no match"):
        read(CASES / "mostly_no_match.npz")
    with pytest.raises(UserError, match=r"one_camera.npz: .*--cameras ignore"):
        read(CASES / "one_camera.npz")
    assert read(CASES / "one_camera.npz", ignore_cameras=True)[0].checkpoints
