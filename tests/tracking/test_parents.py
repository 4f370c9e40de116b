"""One parent for an invocation, and what it keeps."""

import json
from pathlib import Path

import pytest
import tiny

from topdb.config import TrackingSettings
from topdb.tracking import live_run, run_tags, track_finished
from topdb.tracking.invocation import latest
from topdb.tracking.rest import speaks

pytestmark = pytest.mark.filterwarnings("default")
RESULTS = Path("results/tiny")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parents")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("HOME", str(folder))
        yield folder


def track(project, **changes):
    params = tiny.params(project, {"methods": ["baseline"], "tracking.experiment": "e", **changes})
    out = Path("receipt.json")
    track_finished(params, "tiny", RESULTS, out, [Path("params.yaml")], Path("reports"))
    return json.loads(out.read_text())


def test_an_invocation_from_its_first_run_to_the_next_one(project):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri="sqlite:///results/mlflow.db")
    Path("reports/published").mkdir(parents=True)
    Path("reports/published/table1.csv").write_text("x")
    Path("reports/table1.md").write_text("first")
    # A live run that was cut off, then one that is whole, of the same seed.
    settings = TrackingSettings(mode="live", experiment="e")
    for epochs in ((1,), (1, 2)):
        with live_run(settings, run_tags("tiny", "market1501", "baseline", 1)) as run:
            for epoch in epochs:
                run.log_epoch(epoch, {"epoch": epoch, "loss": 1.0})
    folder = tiny.write_run(RESULTS, "market1501", "baseline", 1, mlflow_run_id=run.run_id)
    (folder / "weights.safetensors").write_bytes(b"weights")

    first = track(project)
    assert first["tracked"] == {"market1501/baseline/seed-1": run.run_id}
    assert latest(RESULTS).is_open  # seed 2 is yet to come
    experiment = client.get_experiment_by_name("e").experiment_id
    told = client.search_runs([experiment])
    assert {each.info.run_id for each in told} == {run.run_id, first["parent"]}  # the rest is gone
    child = client.get_run(run.run_id).data
    assert child.tags["mlflow.parentRunId"] == first["parent"]
    assert child.tags["weights_path"].endswith("baseline/seed-1/weights.safetensors")
    assert client.list_artifacts(run.run_id) == []
    kept = {each.path for each in client.list_artifacts(first["parent"], "reports")}
    assert kept == {"reports/table1.md"}
    assert [each.path for each in client.list_artifacts(first["parent"])] == [
        "params.yaml",
        "reports",
    ]

    (tiny.write_run(RESULTS, "market1501", "baseline", 2) / "weights.safetensors").touch()
    second = track(project)
    assert second["parent"] == first["parent"]
    assert not latest(RESULTS).is_open
    assert client.get_run(first["parent"]).info.status == "FINISHED"
    assert track(project) == second

    (tiny.write_run(RESULTS, "market1501", "baseline", 3) / "weights.safetensors").touch()
    third = track(project, seeds=[1, 2, 3], **{"tracking.upload_weights": True})
    assert third["parent"] != first["parent"]
    uploaded = [each.path for each in client.list_artifacts(run.run_id, "weights")]
    assert uploaded == ["weights/weights.safetensors"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:5000", True),
        ("https://a:b@host/path", True),
        ("sqlite:///x.db", False),
        ("postgresql://host/db", False),
        ("databricks", False),
    ],
)
def test_which_stores_need_no_client_of_mlflow(address, expected, project):
    assert speaks(address) is expected


def test_a_way_to_prove_who_we_are_that_is_mlflows_own_needs_its_client(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_AWS_SIGV4", "true")
    assert not speaks("http://127.0.0.1:5000")
