"""Real trainings that are followed, and real trackers that die, stall or are full."""

import contextlib
import csv
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import tiny
import yaml
from system.services import postgresql
from system.services.tracker import mlflow_server, slow

SEEDS = range(1, 9)
COST = 30.0
"""Seconds that a tracker may cost a run, whatever happens to it."""
EPOCHS = 3
SOME = 60
LONG = 600
"""Longer than a follower takes to import MLflow and to make a store."""
PARAMS = {
    "methods": ["baseline"],
    "seeds": list(SEEDS),
    "tracking.mode": "live",
    "tracking.experiment": "trackers",
    "scale.epochs": EPOCHS,
}
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with an index of noise and the scores of nobody."""
    folder = tmp_path_factory.mktemp("trackers")
    tiny.draw_market(folder / "data/market1501")
    tiny.write_params(folder, PARAMS)
    done = tiny.python(folder, "-m", "topdb.cli", "index", "market1501", *index(folder))
    assert done.returncode == 0, done.stderr
    return folder


def index(folder: Path) -> list[str | Path]:
    return ["--index", folder / "index.parquet", "--pixels", folder / "pixels.npy"]


def work_in(project: Path, folder: Path, **changes: object) -> Path:
    """A working folder of a test's own; the index is shared."""
    tiny.write_params(folder, {**PARAMS, **{k.replace("__", "."): v for k, v in changes.items()}})
    for name in ("index.parquet", "pixels.npy"):
        (folder / name).symlink_to(project / name)
    return folder


def start(folder: Path, seed: int, store: str | None) -> subprocess.Popen:
    """Start a training as the workflow does."""
    out = f"results/tiny/market1501/baseline/seed-{seed}"
    return subprocess.Popen(
        [
            sys.executable,
            *("-m", "topdb.cli", "train", "market1501", "baseline", str(seed)),
            *map(str, index(folder)),
            *("--out", out),
        ],
        cwd=folder,
        env=variables(store),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def following(folder: Path, store: str | None) -> Iterator[Path]:
    """Follow the trainings meanwhile, as the workflow does; yield the follower's log."""
    log = folder / "follow.log"
    with log.open("w") as stream:
        follower = subprocess.Popen(
            [sys.executable, "-m", "topdb.cli", "track", "--follow"],
            cwd=folder,
            env=variables(store),
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield log
    finally:
        follower.stdin.close()
        assert follower.wait(10) == 0
        assert "Traceback" not in log.read_text()


def wait_for(happened: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


def variables(store: str | None) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return kept | {"OMP_NUM_THREADS": "1"} | ({"MLFLOW_TRACKING_URI": store} if store else {})


def end(processes: Sequence[subprocess.Popen]) -> list[str]:
    """Wait for trainings, each of which has to succeed; return what they said."""
    said = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    assert not any("Traceback" in each for each in said), said
    return said


def track(folder: Path, store: str | None) -> dict:
    """Run `topdb track` and return its receipt."""
    done = subprocess.run(
        [sys.executable, "-m", "topdb.cli", "track"],
        cwd=folder,
        env=variables(store),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads((folder / "results/tiny/tracked.json").read_text())


def record(folder: Path, seed: int) -> dict:
    path = folder / f"results/tiny/market1501/baseline/seed-{seed}/run.json"
    return json.loads(path.read_text())


def client_of(folder: Path, store: str | None):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store or f"sqlite:///{folder}/results/mlflow.db")


def stored(folder: Path, store: str | None) -> tuple[list, list]:
    """The parents and the trainings that MLflow has of this folder's experiment."""
    client = client_of(folder, store)
    found = client.get_experiment_by_name(experiment(folder))
    runs = client.search_runs([found.experiment_id]) if found else []
    parents = [run for run in runs if "topdb.role" in run.data.tags]
    return parents, [run for run in runs if run not in parents]


def experiment(folder: Path) -> str:
    return str(yaml.safe_load((folder / "params.yaml").read_text())["tracking"]["experiment"])


def assert_whole(folder: Path, store: str | None, seeds: Sequence[int]) -> None:
    """MLflow holds every value of every history.csv once, in runs below one parent."""
    client = client_of(folder, store)
    parents, children = stored(folder, store)
    assert len(parents) == 1
    assert sorted(int(run.data.tags["seed"]) for run in children) == list(seeds)
    for run in children:
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        seed = int(run.data.tags["seed"])
        assert run.data.tags["weights_digest"] == record(folder, seed)["weights_digest"]
        written = history(folder, seed)
        for name in ("loss", "learning_rate", "global_triplet"):
            told = client.get_metric_history(run.info.run_id, name)
            assert [(point.step, point.value) for point in told] == [
                (int(row["epoch"]), float(row[name])) for row in written
            ]


def history(folder: Path, seed: int) -> list[dict[str, str]]:
    path = folder / f"results/tiny/market1501/baseline/seed-{seed}/history.csv"
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A tracking server backed by PostgreSQL."""
    try:
        with (
            postgresql.running() as database,
            mlflow_server(database, tmp_path_factory.mktemp("server")) as running,
        ):
            yield running
    except postgresql.MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def digests(project, tmp_path_factory) -> dict[int, str]:
    """The weights of undisturbed runs without any tracker, by number of epochs."""
    found = {}
    for epochs in (EPOCHS, LONG):
        folder = work_in(
            project,
            tmp_path_factory.mktemp("undisturbed"),
            scale__epochs=epochs,
            tracking__mode="off",
        )
        end([start(folder, 1, None)])
        found[epochs] = record(folder, 1)["weights_digest"]
    return found


def eight_at_once(project: Path, folder: Path, store: str | None) -> None:
    """Train eight runs at once; nothing of them is lost or doubled."""
    work_in(project, folder, scale__epochs=SOME)
    with following(folder, store) as log:
        end([start(folder, seed, store) for seed in SEEDS])
        # A training that is over before the follower has a store is told afterwards.
        wait_for(lambda: statuses(folder, store) == {"FINISHED"})
        assert log.read_text() == ""
    live = {run.info.run_id for run in stored(folder, store)[1]}
    receipt = track(folder, store)
    assert receipt["missing"] == []
    assert live <= set(receipt["tracked"].values())
    assert_whole(folder, store, SEEDS)
    assert track(folder, store) == receipt
    assert_whole(folder, store, SEEDS)


def statuses(folder: Path, store: str | None) -> set[str]:
    """Of the trainings that MLflow has. A file is read past its client, which would write it."""
    if store is not None:
        return {run.info.status for run in stored(folder, store)[1]}
    file = f"file:{folder}/results/mlflow.db?mode=ro"
    roles = "select * from tags where key = 'topdb.role' and tags.run_uuid = runs.run_uuid"
    trainings = f"select status from runs where not exists ({roles})"
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(file, uri=True)) as reader,
    ):
        return {row[0] for row in reader.execute(trainings)}
    return set()


@pytest.mark.soak
def test_eight_trainings_at_once_lose_nothing_on_a_server_with_postgresql(
    project, server, tmp_path
):
    eight_at_once(project, tmp_path, server.address)


@pytest.mark.soak
def test_eight_trainings_at_once_lose_nothing_on_a_fresh_sqlite_store(project, tmp_path):
    eight_at_once(project, tmp_path, None)


def disturbed(folder: Path, store: str, epochs: int, digests: dict[int, str]) -> str:
    """Train once with a store that is out of order; return what the follower said.

    The training has to outlast the follower's start, which has nothing to tell of one that is over.
    """
    with following(folder, store) as log:
        (said,) = end([start(folder, 1, store)])
        wait_for(lambda: "MLflow is out of reach" in log.read_text(), COST)
    assert "MLflow" not in said
    assert record(folder, 1)["weights_digest"] == digests[epochs]
    assert len(history(folder, 1)) == epochs
    return log.read_text()


def assert_sent_later(folder: Path, store: str | None) -> None:
    """`topdb track` sends what is missing once, however often it is asked to."""
    first = track(folder, store)
    assert first["missing"] == []
    assert track(folder, store) == first
    assert_whole(folder, store, [1])


def test_a_server_that_is_down_at_the_start(project, tmp_path, digests):
    folder = work_in(project, tmp_path, scale__epochs=LONG)
    nobody = f"http://127.0.0.1:{postgresql.free_port()}"
    disturbed(folder, nobody, LONG, digests)
    began = time.monotonic()
    assert track(folder, nobody)["missing"] == ["market1501/baseline/seed-1"]
    assert time.monotonic() - began < COST
    assert_sent_later(folder, None)


def test_a_server_that_is_killed_in_the_middle(project, tmp_path, digests):
    folder = work_in(project, tmp_path, scale__epochs=LONG)
    store = f"sqlite:///{tmp_path}/server.db"
    with mlflow_server(store, tmp_path) as server, following(folder, server.address) as log:
        training = start(folder, 1, server.address)
        wait_for_an_epoch(tmp_path / "server.db", training)
        server.kill()
        (said,) = end([training])
        wait_for(lambda: "MLflow is out of reach" in log.read_text(), COST)
    assert said.count("MLflow") == 0
    assert record(folder, 1)["weights_digest"] == digests[LONG]
    assert len(history(folder, 1)) == LONG
    with mlflow_server(store, tmp_path) as server:
        assert_sent_later(folder, server.address)


def wait_for_an_epoch(store: Path, training: subprocess.Popen) -> None:
    """Wait until a store's file holds a metric; MLflow's own client would create the file."""
    until = time.monotonic() + 60
    while True:
        assert training.poll() is None, training.stderr.read()
        assert time.monotonic() < until
        if store.is_file():
            with (
                contextlib.suppress(sqlite3.OperationalError),
                contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as reader,
            ):
                if reader.execute("select count(*) from metrics").fetchone()[0]:
                    return
        time.sleep(0.1)


@pytest.mark.soak
def test_a_server_that_is_slow_by_half_a_minute(project, server, tmp_path, digests):
    folder = work_in(project, tmp_path, tracking__experiment="slow", scale__epochs=LONG)
    with slow(server.address, 30.0) as sluggish:
        disturbed(folder, sluggish, LONG, digests)
        began = time.monotonic()
        assert track(folder, sluggish)["missing"] == ["market1501/baseline/seed-1"]
        assert time.monotonic() - began < COST
    first = track(folder, server.address)
    assert first["missing"] == []
    assert track(folder, server.address) == first


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 16 megabytes: room for a store with all epochs of a long training."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    # Lazily: this process has the store open, through MLflow.
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_store_whose_disk_is_full_at_the_start(project, small_disk, tmp_path, digests):
    folder = work_in(project, tmp_path, scale__epochs=LONG)
    fill(small_disk)
    full = f"sqlite:///{small_disk}/mlflow.db"
    said = disturbed(folder, full, LONG, digests)
    assert "No space left" in said
    assert track(folder, full)["missing"] == ["market1501/baseline/seed-1"]
    assert_sent_later(folder, None)


@pytest.mark.soak
def test_a_store_whose_disk_fills_in_the_middle(project, small_disk, tmp_path, digests):
    folder = work_in(project, tmp_path, scale__epochs=LONG)
    store = f"sqlite:///{small_disk}/mlflow.db"
    with following(folder, store) as log:
        training = start(folder, 1, store)
        wait_for_an_epoch(small_disk / "mlflow.db", training)
        fill(small_disk)
        end([training])
        wait_for(lambda: "MLflow is out of reach" in log.read_text(), COST)
    assert record(folder, 1)["weights_digest"] == digests[LONG]
    assert track(folder, store)["missing"] == ["market1501/baseline/seed-1"]
    (small_disk / "filler").unlink()
    assert_sent_later(folder, store)
