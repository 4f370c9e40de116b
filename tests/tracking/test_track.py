"""Telling MLflow about finished runs, on its own SQLite store; one store serves most tests."""

import json
import time
from pathlib import Path

import pytest
import tiny
from tracking.stores import client, stored

from topdb.errors import UserError
from topdb.tracking.track import track_finished

DEAD = "http://someone:hunter2@127.0.0.1:9"
STORE = "sqlite:///results/mlflow.db"
# MLflow's own libraries warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with four finished runs; all tests of this file share its store."""
    folder = tmp_path_factory.mktemp("tracking")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        write_runs(folder)
        yield folder


def write_runs(folder: Path) -> None:
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            run = tiny.write_run(folder / "results/tiny", "market1501", method, seed, epochs=400)
            tiny.write_queries(run, [0.5, 0.7])
            tiny.write_queries(run, [0.6, 0.8], "rk")


def track(project, experiment, results="results/tiny"):
    params = tiny.params(project, {"tracking.experiment": experiment})
    said = track_finished(params, "tiny", Path(results), Path(f"{experiment}.json"))
    return said, json.loads(Path(f"{experiment}.json").read_text())


def test_every_finished_run_is_told_once_and_whole(project):
    said, receipt = track(project, "after")
    assert said == f"MLflow knows all 4 finished runs ({STORE})."
    assert receipt["store"] == STORE
    assert receipt["missing"] == []
    assert list(receipt["tracked"]) == [
        f"market1501/{method}/seed-{seed}"
        for method in ("baseline", "top-db-net")
        for seed in (1, 2)
    ]
    assert {run.info.run_id for run in stored("after")} == set(receipt["tracked"].values())
    run = client().get_run(receipt["tracked"]["market1501/top-db-net/seed-2"])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "top-db-net on market1501, seed 2"
    assert run.data.params["recipe.side"] == run.data.tags["recipe"] == "released"
    assert run.data.params["recipe.epochs"] == "2"
    assert run.data.params["hardware.threads"] == "1"
    assert run.data.params["ranking.k1"] == "20"
    assert run.data.metrics["plain_mAP"] == pytest.approx(0.6)
    assert run.data.metrics["rk_mAP"] == pytest.approx(0.7)
    assert run.data.metrics["plain_mINP"] == pytest.approx(0.6)
    assert run.data.metrics["plain_R1"] == 1.0
    assert run.data.tags["git_commit"] == "0123456789abcdef"
    assert run.data.tags["code"] == "fedcba9876543210" * 4
    assert run.data.tags["version.torch"] == "2.14.1"
    history = client().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [
        (epoch, 4.0 / epoch) for epoch in range(1, 401)
    ]


def test_whatever_is_measured_is_told(project):
    folder = tiny.write_run(project / "results/more", "market1501", "baseline", 1)
    tiny.write_queries(folder, [0.5])
    path = folder / "plain/metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"R3": 0.25, "queries": 7}))
    _, receipt = track(project, "more", "results/more")
    (run_id,) = receipt["tracked"].values()
    told = client().get_run(run_id).data.metrics
    assert told["plain_R3"] == 0.25
    assert "plain_queries" not in told


def test_a_second_call_tells_nothing_new(project):
    _, first = track(project, "twice")
    _, second = track(project, "twice")
    assert second == first
    assert len(stored("twice")) == 4


def test_a_run_that_was_trained_again_is_told_again(project):
    _, first = track(project, "again")
    label = "market1501/baseline/seed-1"
    record = project / "results/tiny" / label / "run.json"
    before = record.read_text()
    try:
        record.write_text(before.replace("weights of baseline 1", "other weights"))
        _, second = track(project, "again")
    finally:
        record.write_text(before)
    assert [key for key in first["tracked"] if first["tracked"][key] != second["tracked"][key]] == [
        label
    ]
    assert len(stored("again")) == 5


def test_a_run_that_an_older_training_told_itself_goes_on(project):
    experiment = client().create_experiment("older")
    tags = {"profile": "tiny", "dataset": "market1501", "method": "baseline", "seed": "1"}
    begun = client().create_run(experiment, tags=tags).info.run_id
    client().log_metric(begun, "loss", 4.0, step=1)
    tiny.write_run(project / "older", "market1501", "baseline", 1, mlflow_run_id=begun)
    _, receipt = track(project, "older", "older")
    assert receipt["tracked"] == {"market1501/baseline/seed-1": begun}
    history = client().get_metric_history(begun, "loss")
    assert [point.step for point in history] == [1, 2]
    assert len(stored("older")) == 1


def test_a_run_of_a_store_that_is_gone_is_told_from_its_files(project):
    gone = "0" * 32
    tiny.write_run(project / "gone", "market1501", "baseline", 1, mlflow_run_id=gone)
    said, receipt = track(project, "gone", "gone")
    assert said.startswith("MLflow knows all 1 ")
    assert receipt["tracked"]["market1501/baseline/seed-1"] != gone


def test_tracking_that_is_off_says_so(tmp_path):
    with pytest.raises(UserError, match="tracking.mode is off"):
        track_finished(
            tiny.params(tmp_path, {"tracking.mode": "off"}), "tiny", tmp_path, tmp_path / "x"
        )


def test_a_broken_run_file_is_the_users_to_mend(project):
    folder = tiny.write_run(project / "broken", "market1501", "baseline", 1)
    (folder / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json is not readable as JSON"):
        track(project, "after", "broken")


def test_a_dead_server_costs_seconds_and_no_result_and_no_secret(tmp_path):
    write_runs(tmp_path)
    tiny.write_params(tmp_path)
    started = time.monotonic()
    done = tiny.python(
        tmp_path, "-m", "topdb.cli", "track", "--out", "receipt.json", MLFLOW_TRACKING_URI=DEAD
    )
    assert time.monotonic() - started < 30
    assert done.returncode == 0
    assert "could not be told about 4 of 4 runs" in done.stdout
    assert "MLflow is out of reach" in done.stderr
    assert "Traceback" not in done.stderr
    receipt = (tmp_path / "receipt.json").read_text()
    assert json.loads(receipt)["missing"] == [
        f"market1501/{method}/seed-{seed}"
        for method in ("baseline", "top-db-net")
        for seed in (1, 2)
    ]
    assert json.loads(receipt)["tracked"] == {}
    assert json.loads(receipt)["store"] == "http://127.0.0.1:9"
    assert "hunter2" not in receipt + done.stdout + done.stderr


def test_following_writes_no_receipt(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny.write_params(tmp_path)
    assert tiny.topdb(monkeypatch, "track", "--follow", "--out", "receipt.json") == 2
    assert "--follow goes without --out" in capfd.readouterr().err
