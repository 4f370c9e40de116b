"""What clusters do to jobs, done to a small grid: the tables stay the same."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from system.conftest import Project, environment
from system.slurm import cluster as one_node
from system.slurm.conftest import THROUGH_SLURM, digests, small_params


def test_cancelled_and_lost_jobs_are_run_again(request, new_project, record_property):
    """One training is cancelled by `scancel`; under another the node dies, and comes back."""
    record_property("fault", "scancel of a training, and kill -9 of slurmd under another")
    record_property("ends", "the same tables")
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`: it takes minutes")
    request.getfixturevalue("cluster")
    local = request.getfixturevalue("local")
    project = new_project(small_params())
    with running(project) as log:
        cancelled = a_training_that_runs(set())
        subprocess.run(["scancel", cancelled], check=True)

        lost = a_training_that_runs({cancelled})
        one_node.end("slurmd", signal.SIGKILL)
        for pid in processes_of(lost):
            os.kill(pid, signal.SIGKILL)
        one_node.start_node()
    assert "Trying to restart job" in log.read_text()
    assert digests(project) == digests(local)


@contextmanager
def running(project: Project) -> Iterator[Path]:
    """Snakemake at work through SLURM; on leaving, wait for its good end."""
    log = project.folder / "snakemake.log"
    with log.open("w") as stream:
        snakemake = subprocess.Popen(
            THROUGH_SLURM, cwd=project.folder, env=environment(), stdout=stream, stderr=stream
        )
        try:
            yield log
            assert snakemake.wait(timeout=500) == 0, log.read_text()[-4000:]
        finally:
            snakemake.kill()
            snakemake.wait()


def a_training_that_runs(known: set[str]) -> str:
    """The id of a job that trains just now, other than the known ones."""
    found: set[str] = set()

    def look() -> bool:
        listed = subprocess.run(
            ["squeue", "-h", "-t", "running", "-o", "%A %k"],
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [line.split() for line in listed.stdout.splitlines()]
        found.update(job for job, comment in rows if comment.startswith("rule_train"))
        return any(processes_of(job) for job in found - known)

    wait_for(look)
    return next(job for job in sorted(found - known) if processes_of(job))


def processes_of(job: str) -> list[int]:
    """The processes of a job's `topdb train`, and SLURM's own that watch over the job."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"SLURM_JOB_ID={job}".encode() in variables or f"[{job}.".encode() in command:
            found.append(int(process.name))
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing trained in time"
        time.sleep(0.3)
