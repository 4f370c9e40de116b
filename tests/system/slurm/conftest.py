"""A real SLURM cluster of one node, for the tests of this folder."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from system.conftest import Project, tiny_params
from system.slurm import cluster as one_node

COMPARED = (
    "reports/table1.md",
    "reports/table2.md",
    "reports/metrics/plain/market1501/top-db-net.json",
)
LOCAL = ["snakemake", *COMPARED, "--cores", "2"]
THROUGH_SLURM = [
    "snakemake",
    *COMPARED,
    *("--workflow-profile", "slurm"),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--latency-wait", "10"),
    *("--set-resources", "train:gpu=1", "train_watched:gpu=1"),
]
"""The shipped profile, asked often how jobs stand, on a node whose GPUs are only called so."""


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[None]:
    """The cluster, running; one test process at a time has it."""
    asked = pytestconfig.getoption("--soak") or os.environ.get("CI")
    if not asked and not one_node.installed():
        pytest.skip("SLURM is not installed here; CI=1 and `make soak` install it")
    with Path("/tmp/topdb-slurm.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        try:
            one_node.start()
        except one_node.UnavailableError as reason:
            pytest.skip(str(reason))
        try:
            yield
        finally:
            one_node.stop()


def small_params() -> dict:
    """Two data sets, two methods, one seed: four trainings."""
    params = tiny_params()
    params["profiles"]["mini"]["seeds"] = [1]
    params["tracking"]["mode"] = "off"
    return params


@pytest.fixture(scope="session")
def local(new_project: Callable[[dict], Project]) -> Project:
    """The undisturbed project, run on this machine without SLURM."""
    project = new_project(small_params())
    project.succeed(*LOCAL)
    return project


def digests(project: Project) -> dict[str, str]:
    """Digests of all that has to be equal, bit for bit, wherever it was computed."""
    results = project.folder / "results/mini"
    kept = [
        *results.glob("*/*/*/weights.safetensors"),
        *results.glob("*/*/*/*/queries.parquet"),
        *(project.folder / name for name in COMPARED),
    ]
    return {str(path.relative_to(project.folder)): _digest(path) for path in kept}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
