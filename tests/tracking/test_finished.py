"""Tracking against MLflow itself, on its SQLite store; one store serves most tests."""

import json
import time
from pathlib import Path

import pytest
import tiny

from topdb.config import TrackingSettings
from topdb.errors import UserError
from topdb.tracking import live_run, run_tags, track_finished

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


def stored(experiment, uri=STORE):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id])
    return client, [run for run in runs if "topdb.role" not in run.data.tags]


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
    client, runs = stored("after")
    assert {run.info.run_id for run in runs} == set(receipt["tracked"].values())
    run = client.get_run(receipt["tracked"]["market1501/top-db-net/seed-2"])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "top-db-net on market1501, seed 2"
    assert run.data.params["recipe.side"] == run.data.tags["recipe"] == "released"
    assert run.data.params["recipe.epochs"] == "2"
    assert run.data.metrics["plain_mAP"] == pytest.approx(0.6)
    assert run.data.metrics["rk_mAP"] == pytest.approx(0.7)
    assert run.data.metrics["plain_R1"] == 1.0
    assert run.data.tags["git_commit"] == "0123456789abcdef"
    assert run.data.tags["version.torch"] == "2.14.1"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [
        (epoch, 4.0 / epoch) for epoch in range(1, 401)
    ]


def test_a_second_call_tells_nothing_new(project):
    _, first = track(project, "twice")
    _, second = track(project, "twice")
    assert second == first
    assert len(stored("twice")[1]) == 4


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
    assert len(stored("again")[1]) == 5


def test_a_live_run_is_told_epoch_by_epoch_and_completed_later(project):
    settings = TrackingSettings(mode="live", experiment="live")
    with live_run(settings, run_tags("tiny", "market1501", "baseline", 1)) as run:
        for epoch in (1, 2, 3):
            run.log_epoch(epoch, {"loss": 1.0 / epoch})
    tiny.write_run(project / "live", "market1501", "baseline", 1, 3, mlflow_run_id=run.run_id)
    _, receipt = track(project, "live", "live")
    assert receipt["tracked"] == {"market1501/baseline/seed-1": run.run_id}
    client, runs = stored("live")
    assert len(runs) == 1
    history = client.get_metric_history(run.run_id, "loss")
    assert [point.step for point in history] == [1, 2, 3]  # not sent a second time
    assert runs[0].data.params["recipe.side"] == "released"


def test_a_live_run_of_a_store_that_is_gone_is_told_from_its_files(project):
    gone = "0" * 32
    tiny.write_run(project / "gone", "market1501", "baseline", 1, mlflow_run_id=gone)
    said, receipt = track(project, "gone", "gone")
    assert said.startswith("MLflow knows all 1 ")
    assert receipt["tracked"]["market1501/baseline/seed-1"] != gone


def test_a_training_that_fails_is_marked_so_and_its_error_goes_on(project):
    settings = TrackingSettings(mode="live", experiment="failed")
    with (
        pytest.raises(UserError, match="NaN"),
        live_run(settings, run_tags("tiny", "market1501", "baseline", 1)) as run,
    ):
        run.log_epoch(1, {"loss": 1.0})
        raise UserError("the loss became NaN")
    _, (stopped,) = stored("failed")
    assert stopped.info.status == "FAILED"


def test_an_incomplete_live_history_is_sent_whole_from_the_files(project):
    settings = TrackingSettings(mode="live", experiment="cut")
    with (
        pytest.raises(KeyboardInterrupt),
        live_run(settings, run_tags("tiny", "market1501", "baseline", 1)) as run,
    ):
        run.log_epoch(1, {"loss": 1.0})
        raise KeyboardInterrupt
    tiny.write_run(project / "cut", "market1501", "baseline", 1, mlflow_run_id=run.run_id)
    _, receipt = track(project, "cut", "cut")
    (told,) = receipt["tracked"].values()
    assert told != run.run_id
    client, _ = stored("cut")
    assert [point.step for point in client.get_metric_history(told, "loss")] == [1, 2]


def test_modes_other_than_live_open_no_run():
    for mode in ("after", "off"):
        settings = TrackingSettings(mode=mode, experiment="none")
        with live_run(settings, run_tags("tiny", "market1501", "baseline", 1)) as run:
            run.log_epoch(1, {"loss": 1.0})
        assert run.run_id is None


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
