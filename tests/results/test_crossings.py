"""Runs tested on another data set: hand-worked scores, and files that do not belong."""

import json
import shutil

import crossed_study
import numpy as np
import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.bundle import opened, write_bundle
from topdb.results.crossings import read_crossed, stored_crossings
from topdb.results.records import read_record, write_record
from topdb.results.runs import Cell
from topdb.results.scores import read_scores
from topdb.results.stored import stored_runs
from topdb.runs.doctor import look_over

ACROSS = "market1501 -> dukemtmc-reid"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, *crossed_study.write_study(folder)


@pytest.fixture
def study(whole, tmp_path):
    _, params, results = whole
    shutil.copytree(results, tmp_path / "results")
    return params, tmp_path / "results"


def on(results, seed=1):
    return results / f"market1501/baseline/seed-{seed}/on/dukemtmc-reid"


def read(params, results):
    return read_crossed(params.selected(), results, params.metrics)


def test_scores_across_are_worked_out_by_hand(study):
    params, results = study
    found = read(params, results)
    across = found.scores[Cell(ACROSS, "baseline", "plain")]
    assert across.seeds == (1, 2)
    assert across.by_seed("mAP").tolist() == [75.0, 75.0]
    assert across.by_seed("R1").tolist() == [50.0, 50.0]
    own = found.scores[Cell("dukemtmc-reid", "baseline", "plain")]
    assert own.by_seed("mAP").tolist() == [100.0, 100.0]
    assert found.runs == 8
    assert len(found.scores) == 8  # two data sets and two crossings, of two methods


def test_people_of_equal_numbers_on_two_data_sets_are_never_mixed(study):
    """The ordinary scores are the same with and without tests on other data sets."""
    params, results = study
    ordinary = read_scores(params.selected(), results, params.metrics)
    assert set(ordinary) == {
        Cell(dataset, method, "plain")
        for dataset in crossed_study.TITLES
        for method in crossed_study.METHODS
    }
    both = read(params, results).scores
    for cell, scores in ordinary.items():
        assert np.array_equal(both[cell].by_query["mAP"], scores.by_query["mAP"], equal_nan=True)
    for path in results.glob("*/*/*/on"):
        shutil.rmtree(path)
    alone = read_scores(params.selected(), results, params.metrics)
    for cell, scores in ordinary.items():
        assert np.array_equal(alone[cell].by_query["mAP"], scores.by_query["mAP"], equal_nan=True)
    assert read(params, results).scores[Cell(ACROSS, "baseline", "plain")] is None


def restate(path, **changes):
    write_record(path, {**read_record(path).content, **changes})


def test_weights_that_changed_since_are_told(study):
    params, results = study
    restate(on(results).parents[1] / "run.json", weights_digest="other weights")
    with pytest.raises(UserError, match=r"on/dukemtmc-reid/run\.json is of weights_digest .*again"):
        read(params, results)


@pytest.mark.parametrize("key", ["dataset", "trained_on", "method", "seed"])
def test_a_test_in_anothers_place_is_told(study, key):
    params, results = study
    restate(on(results) / "run.json", **{key: "another"})
    with pytest.raises(UserError, match=rf"is of {key} 'another'"):
        read(params, results)


def test_scores_of_other_features_are_told(study):
    params, results = study
    shutil.copy(on(results, 2) / "plain/metrics.json", on(results) / "plain/metrics.json")
    with pytest.raises(UserError, match=r"is not of the features that run\.json states"):
        read(params, results)


def test_other_images_and_other_queries_than_the_targets_are_told(study):
    params, results = study
    stored = stored_runs(params.selected(), results)
    for path in results.glob("market1501/*/*/on/*/run.json"):
        restate(path, index_digest="another")
    with pytest.raises(UserError, match="of other images than the runs of dukemtmc-reid"):
        stored_crossings(params.selected(), stored)


def test_a_run_on_other_queries_is_told(study):
    params, results = study
    more = crossed_study.AWAY[:5]
    arrays = {name: value[:5] for name, value in _gallery().items()}
    for method in crossed_study.METHODS:
        for seed in crossed_study.SEEDS:
            folder = results / f"market1501/{method}/seed-{seed}/on/dukemtmc-reid"
            path = tiny.write_features(
                folder / "features.npz",
                **{**arrays, "gallery_features": more + seed / 64},
                query_paths=np.array(["query/1.jpg", "query/2.jpg", "query/4.jpg"]),
            )
            restate(folder / "run.json", features_digest=digest(path))
            crossed_study.evaluate(
                path, "plain", crossed_study.RankingSettings(), folder / "plain", 1
            )
    with pytest.raises(UserError, match=f"{ACROSS} was scored on other queries"):
        read(params, results)


def _gallery():
    return {
        "gallery_pids": np.array([1, 1, 1, 0, 2, 3]),
        "gallery_camids": np.array([1, 0, 1, 1, 1, 0]),
        "gallery_paths": np.array([f"bounding_box_test/{n}.jpg" for n in range(6)]),
    }


def test_the_doctor_finds_nothing_in_a_whole_folder_and_what_is_broken_in_another(study):
    _, results = study
    assert look_over(results) == ([], 8)
    folder = on(results)
    (folder / "plain/queries.parquet").unlink()
    (on(results, 2) / "run.json").unlink()
    path = results / "market1501/top-db-net/seed-1/on/dukemtmc-reid/features.npz"
    path.write_bytes(path.read_bytes() + b"!")
    said = "\n".join(look_over(results)[0])
    assert f"{folder}/plain holds metrics.json alone" in said
    assert f"{on(results, 2)} has no run.json" in said
    assert f"{path} is not the file that run.json states the digest of" in said


def test_a_bundle_holds_them_without_their_features(whole, tmp_path):
    folder, params, results = whole
    papers = read_papers(params, tiny.PAPERS)
    out = tmp_path / "bundle.tar.gz"
    write_bundle(folder / "params.yaml", params, "tiny", results, papers, out)
    with opened(out) as bundle:
        inside = on(bundle.results)
        assert sorted(each.name for each in inside.rglob("*") if each.is_file()) == [
            "metrics.json",
            "queries.parquet",
            "run.json",
        ]
        found = read(bundle.read()[0], bundle.results)
        assert found.scores[Cell(ACROSS, "baseline", "plain")].by_seed("mAP")[0] == 75.0
        assert json.loads((inside / "run.json").read_text())["trained_on"] == "market1501"
