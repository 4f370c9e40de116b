"""Following trainings by their files, and what `topdb track` makes of what was followed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tiny
from tracking.stores import client, losses, stored

from topdb.tracking.follow import Follower
from topdb.tracking.track import alone, track_finished

DEAD = "http://someone:hunter2@127.0.0.1:9"
ONE = "a" * 64
OTHER = "b" * 64
# MLflow's own libraries warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder; all tests of this file share its store."""
    folder = tmp_path_factory.mktemp("following")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield folder


@pytest.fixture
def project(store, request):
    return Project(store, request.node.name)


class Project:
    """One run of a profile, its training, and who tells about it."""

    def __init__(self, folder: Path, name: str) -> None:
        changes = {"methods": ["baseline"], "seeds": [1], "tracking.experiment": name}
        self.name = name
        self.params = tiny.params(folder, {**changes, "tracking.mode": "live"})
        self.results = Path("results", name)
        self.follower = Follower(self.params, "tiny", self.results)

    def trains(self, *losses: float, identity: str = ONE) -> None:
        """Write what a training writes after each epoch, and look."""
        lines = ["epoch,learning_rate,images,seconds,loss"]
        lines += [f"{n},0.1,12,0.5,{loss}" for n, loss in enumerate(losses, 1)]
        path = self.path(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".partial").write_text("\n".join(lines) + "\n")
        path.with_suffix(".partial").replace(path)
        self.follower.look()

    def path(self, identity: str = ONE) -> Path:
        run = self.results / "market1501/baseline/seed-1"
        return run / f"checkpoints/{identity[:12]}-history.csv"

    def ends(self, identity: str = ONE) -> None:
        """The training ends without having come to its end."""
        self.path(identity).unlink()

    def finishes(self, identity: str = ONE, **changes) -> None:
        """Write a whole run of two epochs; its losses are 4 and 2."""
        tiny.write_run(self.results, "market1501", "baseline", 1, identity=identity, **changes)
        if self.path(identity).exists():
            self.ends(identity)

    def track(self) -> dict:
        receipt = self.results / "tracked.json"
        track_finished(self.params, "tiny", self.results, receipt)
        return json.loads(receipt.read_text())

    @property
    def told(self):
        """The only run that MLflow has of it."""
        (run,) = stored(self.name)
        return run


def test_a_run_is_told_epoch_by_epoch_and_completed_later(project):
    project.trains()
    assert project.told.info.status == "RUNNING"
    begun = project.told.info.run_id
    project.trains(4.0)
    assert losses(begun) == [(1, 4.0)]
    project.trains(4.0, 2.0)
    assert losses(begun) == [(1, 4.0), (2, 2.0)]
    project.finishes()
    project.follower.look()
    assert project.told.info.status == "FINISHED"
    assert "recipe.side" not in project.told.data.params
    receipt = project.track()
    assert receipt["tracked"] == {"market1501/baseline/seed-1": begun}
    assert project.told.data.params["recipe.side"] == "released"
    assert project.told.data.tags["mlflow.parentRunId"] == receipt["parent"]
    assert losses(begun) == [(1, 4.0), (2, 2.0)]  # not sent a second time
    assert project.track() == receipt
    assert client().get_run(receipt["parent"]).info.status == "FINISHED"


def test_epochs_that_came_between_two_looks_are_told_at_the_end(project):
    project.trains(4.0)
    project.finishes()
    project.follower.look()
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]
    assert project.told.info.status == "FINISHED"


def test_where_nothing_trains_nothing_is_told(project):
    project.follower.look()
    project.finishes()
    project.follower.look()
    assert client().get_experiment_by_name(project.name) is None
    assert not (project.results / "invocation.json").exists()


def test_a_training_that_ends_without_its_run_has_failed_until_it_goes_on(project):
    project.trains(4.0)
    project.ends()
    project.follower.look()
    assert project.told.info.status == "FAILED"
    project.trains(4.0, 2.0)
    assert project.told.info.status == "RUNNING"
    project.finishes()
    project.track()
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]
    assert project.told.info.status == "FINISHED"


def test_what_a_killed_follower_left_is_completed(project):
    project.trains(4.0)
    begun = project.told.info.run_id
    project.finishes()
    assert project.track()["tracked"] == {"market1501/baseline/seed-1": begun}
    assert losses(begun) == [(1, 4.0), (2, 2.0)]
    assert project.told.info.status == "FINISHED"


def test_what_a_killed_training_left_running_is_closed(project):
    project.trains(4.0)
    assert project.track()["tracked"] == {}
    assert project.told.info.status == "FAILED"


def test_another_follower_goes_on_where_one_was_killed(project):
    project.trains(4.0)
    project.follower = Follower(project.params, "tiny", project.results)
    project.trains(4.0, 2.0)
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]


def test_a_training_that_goes_on_from_an_earlier_epoch_is_the_same_run(project):
    project.trains(4.0, 2.0)
    project.trains(4.0)
    project.trains(4.0, 2.0)
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]


def test_a_training_that_began_again_and_rounds_otherwise_is_told_anew(project):
    project.trains(4.25)
    project.trains(4.0)
    assert losses(project.told.info.run_id) == [(1, 4.0)]
    project.trains(4.25)
    project.finishes()
    project.track()
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]


def test_a_training_of_other_parameters_takes_the_place_of_one_that_was_killed(project):
    project.trains(4.25)
    killed = project.told.info.run_id
    time.sleep(0.01)
    project.trains(4.0, identity=OTHER)
    assert len(stored(project.name)) == 2
    project.finishes(OTHER)
    project.track()
    assert project.told.info.run_id != killed
    assert losses(project.told.info.run_id) == [(1, 4.0), (2, 2.0)]


def test_a_run_that_is_trained_again_later_is_another_run(project):
    project.trains(4.0)
    project.finishes()
    project.track()
    first = project.told.info.run_id
    (project.results / "market1501/baseline/seed-1/run.json").unlink()
    project.trains(4.0, identity=OTHER)
    project.finishes(OTHER, weights_digest="other weights")
    receipt = project.track()
    assert {run.info.run_id for run in stored(project.name)} == {
        first,
        receipt["tracked"]["market1501/baseline/seed-1"],
    }
    assert len(stored(project.name)) == 2


def test_one_process_at_a_time_tells_about_a_profile(project):
    with alone(project.results), pytest.raises(BlockingIOError):
        project.trains(4.0)
    project.follower.look()
    assert losses(project.told.info.run_id) == [(1, 4.0)]


def test_a_history_that_is_half_written_is_left_for_the_next_look(project):
    project.path().parent.mkdir(parents=True)
    project.path().write_text("epoch,loss\n1,fo")
    project.follower.look()
    project.trains(4.0)
    assert losses(project.told.info.run_id) == [(1, 4.0)]


STARTS_A_FOLLOWER = """
import subprocess, sys, time
command = [sys.executable, "-m", "topdb.cli", "track", "--follow"]
with open("follow.log", "w") as log:
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, start_new_session=True)
print(follower.pid, flush=True)
time.sleep(600)
"""


def starter(folder: Path, store: str) -> tuple[subprocess.Popen, psutil.Process]:
    """A process that started a follower, as the workflow does; and the follower."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_FOLLOWER],
        cwd=folder,
        env={**os.environ, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(tiny.ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, psutil.Process(int(process.stdout.readline()))


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_follower_names_a_dead_server_without_its_secrets_and_ends_with_its_starter(
    store, tmp_path
):
    tiny.write_params(tmp_path, {"methods": ["baseline"], "tracking.mode": "live"})
    path = tmp_path / "results/tiny/market1501/baseline/seed-1/checkpoints/abc-history.csv"
    path.parent.mkdir(parents=True)
    path.write_text("epoch,loss\n1,4.0\n")
    process, follower = starter(tmp_path, DEAD)
    with process.stdout:
        try:
            log = tmp_path / "follow.log"
            until = time.monotonic() + 40
            while "out of reach" not in log.read_text():
                assert time.monotonic() < until
                time.sleep(0.1)
            assert not is_over(follower)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    killed = time.monotonic()
    while not is_over(follower):
        assert time.monotonic() - killed < 6
        time.sleep(0.05)
    assert "hunter2" not in log.read_text()
    assert "Traceback" not in log.read_text()
    assert log.read_text().count("out of reach") == 1
    assert [each.name for each in (tmp_path / "results/tiny").iterdir()] == ["market1501"]


def test_a_follower_without_input_looks_once_and_ends(store, tmp_path, monkeypatch):
    tiny.write_params(tmp_path, {"tracking.mode": "live"})
    done = tiny.python(tmp_path, "-m", "topdb.cli", "track", "--follow")
    assert done.returncode == 0
    assert done.stderr == ""
    assert not (tmp_path / "results").exists()


def test_following_is_refused_where_tracking_is_off(store, tmp_path):
    tiny.write_params(tmp_path, {"tracking.mode": "off"})
    done = tiny.python(tmp_path, "-m", "topdb.cli", "track", "--follow")
    assert done.returncode == 2
    assert "tracking.mode is off" in done.stderr
