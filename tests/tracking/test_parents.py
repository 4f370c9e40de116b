"""One parent for an invocation, and what it keeps."""

import json
from pathlib import Path

import pytest
import tiny
from tracking.stores import client

from topdb.tracking.follow import Follower
from topdb.tracking.track import track_finished

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


def params(project, **changes):
    return tiny.params(project, {"methods": ["baseline"], "tracking.experiment": "e", **changes})


def track(project, **changes):
    out = Path("receipt.json")
    attached = [Path("params.yaml")]
    track_finished(params(project, **changes), "tiny", RESULTS, out, attached, Path("reports"))
    return json.loads(out.read_text())


def is_open() -> bool:
    return json.loads((RESULTS / "invocation.json").read_text())["open"]


def followed(project, identity: str) -> str:
    """A training that was followed for an epoch; the id of its run."""
    path = RESULTS / f"market1501/baseline/seed-1/checkpoints/{identity[:12]}-history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("epoch,loss\n1,4.0\n")
    Follower(params(project), "tiny", RESULTS).look()
    path.unlink()
    experiment = client().get_experiment_by_name("e").experiment_id
    wanted = f"tags.`topdb.training` = '{identity[:12]}'"
    return client().search_runs([experiment], wanted)[0].info.run_id


def test_an_invocation_from_its_first_run_to_the_next_one(project):
    Path("reports/published").mkdir(parents=True)
    Path("reports/published/table1.csv").write_text("x")
    Path("reports/table1.md").write_text("first")
    # A training that was cut off, then one that is whole, of the same seed.
    followed(project, "a" * 64)
    begun = followed(project, "b" * 64)
    folder = tiny.write_run(RESULTS, "market1501", "baseline", 1, identity="b" * 64)
    (folder / "weights.safetensors").write_bytes(b"weights")

    first = track(project)
    assert first["tracked"] == {"market1501/baseline/seed-1": begun}
    assert is_open()  # seed 2 is yet to come
    experiment = client().get_experiment_by_name("e").experiment_id
    told = client().search_runs([experiment])
    assert {each.info.run_id for each in told} == {begun, first["parent"]}  # the rest is gone
    child = client().get_run(begun).data
    assert child.tags["mlflow.parentRunId"] == first["parent"]
    assert child.tags["weights_path"].endswith("baseline/seed-1/weights.safetensors")
    assert client().list_artifacts(begun) == []
    kept = {each.path for each in client().list_artifacts(first["parent"], "reports")}
    assert kept == {"reports/table1.md"}
    assert [each.path for each in client().list_artifacts(first["parent"])] == [
        "params.yaml",
        "reports",
    ]

    (tiny.write_run(RESULTS, "market1501", "baseline", 2) / "weights.safetensors").touch()
    second = track(project)
    assert second["parent"] == first["parent"]
    assert not is_open()
    assert client().get_run(first["parent"]).info.status == "FINISHED"
    assert track(project) == second

    (tiny.write_run(RESULTS, "market1501", "baseline", 3) / "weights.safetensors").touch()
    third = track(project, seeds=[1, 2, 3], **{"tracking.upload_weights": True})
    assert third["parent"] != first["parent"]
    uploaded = [each.path for each in client().list_artifacts(begun, "weights")]
    assert uploaded == ["weights/weights.safetensors"]
