"""Several runs in one process: one after the other, each with files and a log of its own."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import tiny

from topdb.datasets.building import build_index
from topdb.files import digest

SEEDS = (3, 1, 2)
FILES = ("weights.safetensors", "features.npz", "history.csv", "run.json")
EPOCHS = 30


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    root = folder / "data/market1501"
    tiny.draw_market(root)
    build_index("market1501", "market1501", root, folder / "index.parquet", folder / "pixels.npy")
    return folder


def project(data: Path, folder: Path, **changes) -> Path:
    """A folder with parameters of its own; data and index are shared."""
    folder.mkdir(exist_ok=True)
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    usual = {"snapshots": {"methods": []}, "scale.epochs": EPOCHS}
    tiny.write_params(folder, usual | dotted)
    for name in ("index.parquet", "pixels.npy", "data"):
        (folder / name).symlink_to(data / name)
    return folder


def command(seeds=SEEDS, logs: bool = True) -> list[str]:
    found = ["train", "market1501", "baseline", *map(str, seeds)]
    found += ["--index", "index.parquet", "--pixels", "pixels.npy"]
    for seed in seeds:
        found += ["--out", f"runs/seed-{seed}"]
        found += ["--log", f"logs/{seed}.log"] if logs else []
    return found


def wait_for(folder: Path, pattern: str, process: subprocess.Popen) -> None:
    ends = time.monotonic() + 60
    while not list(folder.glob(pattern)):
        assert process.poll() is None, f"over before {pattern} was there"
        assert time.monotonic() < ends
        time.sleep(0.002)


def digests(folder: Path) -> dict[int, tuple[str, str]]:
    """Of weights and features, by seed."""
    found = {}
    for seed in SEEDS:
        run = folder / f"runs/seed-{seed}"
        found[seed] = digest(run / "weights.safetensors"), digest(run / "features.npz")
    return found


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory) -> dict[int, tuple[str, str]]:
    """Each run in a process of its own."""
    folder = project(data, tmp_path_factory.mktemp("alone"))
    for seed in SEEDS:
        status, said = tiny.finish(tiny.start(folder, *command([seed], logs=False)))
        assert status == 0, said
        assert not (folder / f"runs/seed-{seed}/checkpoints").exists()  # short, and alone
    return digests(folder)


@pytest.fixture(scope="module")
def together(data, tmp_path_factory) -> Path:
    folder = project(data, tmp_path_factory.mktemp("together"))
    status, said = tiny.finish(tiny.start(folder, *command()))
    assert status == 0, said
    assert said == ""  # each run said what it had to say in its own log
    return folder


def test_runs_of_one_process_have_the_bits_of_runs_alone(alone, together):
    assert digests(together) == alone
    assert len(set(alone.values())) == len(SEEDS)


def test_each_run_has_its_own_files_and_log(together):
    for seed in SEEDS:
        record = json.loads((together / f"runs/seed-{seed}/run.json").read_text())
        assert record["seed"] == seed
        log = (together / f"logs/{seed}.log").read_text()
        assert f"market1501 baseline {seed}: epoch {EPOCHS}/{EPOCHS}" in log
        others = [other for other in SEEDS if other != seed]
        assert not any(f"baseline {other}:" in log for other in others)


def test_every_run_of_several_leaves_a_spare_until_it_is_evaluated(together, monkeypatch, capsys):
    monkeypatch.chdir(together)
    runs = [together / f"runs/seed-{seed}" for seed in SEEDS]
    for run in runs:
        (spare,) = (run / "checkpoints").iterdir()
        assert spare.name.endswith("-whole")
        assert {path.name for path in spare.iterdir()} == set(FILES)
    wanted = [f"runs/seed-{seed}/features.npz" for seed in SEEDS]
    outs = [part for seed in SEEDS for part in ("--out", f"runs/seed-{seed}")]
    assert tiny.topdb(monkeypatch, "evaluate", *wanted, *outs) == 0
    assert capsys.readouterr().out.count("(plain") == len(SEEDS)
    for run in runs:
        assert not (run / "checkpoints").exists()
        assert (run / "plain/metrics.json").is_file()


def test_a_kill_after_the_first_run_loses_none_that_is_finished(data, alone, tmp_path):
    folder = project(data, tmp_path / "killed")
    first = folder / f"runs/seed-{SEEDS[0]}"
    process = tiny.start(folder, *command())
    wait_for(folder, f"logs/{SEEDS[1]}.log", process)  # the first is finished
    process.kill()
    assert tiny.finish(process)[0] == -signal.SIGKILL
    assert (first / "run.json").is_file()
    written = (first / "weights.safetensors").stat().st_ino
    for seed in SEEDS:  # Snakemake deletes what a job has written unless it saw the job end
        for name in FILES:
            (folder / f"runs/seed-{seed}" / name).unlink(missing_ok=True)

    status, said = tiny.finish(tiny.start(folder, *command()))
    assert status == 0, said
    assert digests(folder) == alone
    assert (first / "weights.safetensors").stat().st_ino == written
    log = (folder / f"logs/{SEEDS[0]}.log").read_text()
    assert log == f"topdb: runs/seed-{SEEDS[0]} was whole: its files are there again.\n"
    assert "again" not in (folder / f"logs/{SEEDS[2]}.log").read_text()


def test_a_run_that_is_there_is_left_alone(data, alone, tmp_path):
    folder = project(data, tmp_path / "there")
    assert tiny.finish(tiny.start(folder, *command([SEEDS[1]])))[0] == 0
    written = (folder / f"runs/seed-{SEEDS[1]}/weights.safetensors").stat().st_mtime_ns
    assert tiny.finish(tiny.start(folder, *command()))[0] == 0
    assert digests(folder) == alone
    path = folder / f"runs/seed-{SEEDS[1]}/weights.safetensors"
    assert path.stat().st_mtime_ns == written
    log = (folder / f"logs/{SEEDS[1]}.log").read_text()
    assert "is whole: nothing is left to do" in log


def test_a_scheduler_that_ends_the_process_ends_it_in_the_run_that_trains(data, alone, tmp_path):
    folder = project(data, tmp_path / "ended", hardware={"checkpoint_seconds": 0.0})
    process = tiny.start(folder, *command())
    wait_for(folder, f"runs/seed-{SEEDS[1]}/checkpoints/*/*.json", process)
    process.terminate()
    status, said = tiny.finish(process)
    assert status == 128 + signal.SIGTERM
    assert "the same command goes on" in said
    assert "the same command goes on" in (folder / f"logs/{SEEDS[1]}.log").read_text()
    assert (folder / f"runs/seed-{SEEDS[0]}/run.json").is_file()
    assert not (folder / f"runs/seed-{SEEDS[1]}/run.json").exists()
    assert not (folder / f"logs/{SEEDS[2]}.log").exists()
    assert tiny.finish(tiny.start(folder, *command()))[0] == 0
    assert digests(folder) == alone


def test_an_error_ends_the_process_and_is_in_the_log_of_its_run(data, tmp_path, monkeypatch, capfd):
    absurd = {"baseline": {"all": {"images": 2, "rules": {"network": {"rate": 1e30}}}}}
    folder = project(data, tmp_path / "error", changes=absurd, divergence={"fails": True})
    monkeypatch.chdir(folder)
    assert tiny.topdb(monkeypatch, *command()) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "lower the learning rate" in said
    assert (folder / f"logs/{SEEDS[0]}.log").read_text().splitlines()[-1] == said.rstrip("\n")
    assert not (folder / f"logs/{SEEDS[1]}.log").exists()


def test_without_logs_everything_is_said_on_standard_error(data, tmp_path, monkeypatch, capfd):
    folder = project(data, tmp_path / "said", scale__epochs=2)
    monkeypatch.chdir(folder)
    assert tiny.topdb(monkeypatch, *command(logs=False)) == 0
    said = capfd.readouterr().err
    assert all(f"market1501 baseline {seed}: epoch 2/2" in said for seed in SEEDS)
    assert not (folder / "logs").exists()
