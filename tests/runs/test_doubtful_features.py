"""Features of the kinds that people bring: read as they were meant, or named with a remedy."""

import json

import numpy as np
import pytest
import tiny

from topdb.config import DoubtSettings, RankingSettings
from topdb.errors import UserError
from topdb.formats import read
from topdb.results.features import is_documented, read_features
from topdb.runs.evaluate import evaluate

CASES = tiny.ROOT / "tests/cases"
RIGHT = (58.93, 75.00)
"""mAP and R1 of the same features, as they should be written."""


def scored(name, folder, **options):
    path = CASES / f"{name}.npz"
    given = None if is_documented(path) else read([path])
    found = evaluate(path, "plain", RankingSettings(), folder, threads=1, given=given, **options)
    return found, (100 * found.metrics["mAP"], 100 * found.metrics["R1"])


def test_features_as_documented_leave_no_doubt(tmp_path):
    found, scores = scored("ok", tmp_path)
    assert scores == pytest.approx(RIGHT, abs=0.005)
    assert found.doubts == ()
    assert "doubts" not in json.loads((tmp_path / "metrics.json").read_text())


def test_features_far_from_zero_keep_their_distances(tmp_path):
    found, scores = scored("offset", tmp_path)
    assert scores == pytest.approx((58.95, 75.00), abs=0.005)
    assert any("far from zero" in each for each in found.doubts)


@pytest.mark.parametrize("offset", [30.0, 1_000.0, 100_000.0])
@pytest.mark.parametrize("ranking", ["plain", "rk"])
def test_one_vector_more_changes_nothing_that_float32_holds(tmp_path, offset, ranking):
    own = read_features(CASES / "ok.npz")
    arrays = vars(own)
    scores = []
    for name, vector in (("near", 0.0), ("far", offset)):
        moved = {
            f"{split}_features": arrays[f"{split}_features"].astype(np.float64) + vector
            for split in ("query", "gallery")
        }
        path = tmp_path / f"{name}.npz"
        np.savez(path, **(arrays | moved))
        found = evaluate(path, ranking, RankingSettings(), tmp_path / name, threads=1)
        scores.append(found.metrics["mAP"])
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)


def test_equal_features_have_no_score(tmp_path, monkeypatch, capfd):
    command = ["evaluate", str(CASES / "constant.npz"), "--out", str(tmp_path / "out")]
    assert tiny.topdb(monkeypatch, *command) == 0
    said = capfd.readouterr().out
    assert "all distances are equal" in said
    assert "mAP" not in said


def test_few_queries_with_a_match_are_refused_unless_allowed(tmp_path):
    with pytest.raises(UserError, match=r"55 of 60 queries have no match .*--least-matched"):
        scored("mostly_no_match", tmp_path)
    found, _ = scored("mostly_no_match", tmp_path, allowed=DoubtSettings(least_matched=0.05))
    assert any("55 of 60 queries" in each for each in found.doubts)
    assert json.loads((tmp_path / "metrics.json").read_text())["doubts"] == [*found.doubts]


def test_query_images_in_the_gallery_are_named(tmp_path):
    found, _ = scored("self_in_gallery", tmp_path, allowed=DoubtSettings(allow_same_paths=True))
    assert any(
        "60" in each and "gallery image under another camera" in each for each in found.doubts
    )
    with pytest.raises(UserError, match=r"60 query images are in the gallery.*--allow-same-paths"):
        scored("self_in_gallery", tmp_path)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("labels_2d_from_loadmat", "(1, N)"),
        ("nopaths", "path"),
        ("transposed", "transposed"),
    ],
)
def test_other_forms_are_read_as_they_were_meant(tmp_path, name, note):
    found, scores = scored(name, tmp_path)
    assert scores == pytest.approx(RIGHT, abs=0.005)
    assert any(note in each for each in found.doubts)


def test_junk_is_left_out_of_the_gallery_and_counted(tmp_path):
    with np.load(CASES / "junk_kept.npz") as stored:
        arrays = dict(stored)
    junk = arrays["gallery_pids"] == -1
    assert junk.any()
    without = {
        name: values[~junk] if name.startswith("gallery") else values
        for name, values in arrays.items()
    }
    np.savez(tmp_path / "without.npz", **without)
    expected = evaluate(
        tmp_path / "without.npz", "plain", RankingSettings(), tmp_path / "without", threads=1
    )
    found, _ = scored("junk_kept", tmp_path)
    assert found.metrics == expected.metrics
    assert found.gallery == expected.gallery
    assert any(each.startswith(f"{junk.sum()} images of person -1") for each in found.doubts)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("paths_object", r"_paths is an array of objects.*dtype=str"),
        ("one_camera", r"every match is under the camera of its query.*--cameras ignore"),
    ],
)
def test_what_cannot_be_meant_is_named_with_a_remedy(tmp_path, name, sentence):
    with pytest.raises(UserError, match=sentence):
        scored(name, tmp_path)


def test_cameras_may_be_ignored_and_the_evaluator_says_so(tmp_path):
    found, _ = scored("one_camera", tmp_path, ignore_cameras=True)
    assert "cameras are ignored" in found.evaluator["junk_rule"]
    other, _ = scored("ok", tmp_path, ignore_cameras=True)
    assert found.metrics == other.metrics


@pytest.mark.parametrize("name", ["feats.pth", "pytorch_result.mat"])
def test_files_of_other_toolkits_have_the_score_of_their_features(
    name, tmp_path, monkeypatch, capfd
):
    file = tiny.ROOT / "tests/cases" / name
    assert tiny.topdb(monkeypatch, "evaluate", file, "--out", tmp_path / "out") == 0
    said = capfd.readouterr().out
    assert "60 queries, 240 gallery images" in said
    assert "mAP 58.93 [50.43, 66.94]  R1 75.00" in said
