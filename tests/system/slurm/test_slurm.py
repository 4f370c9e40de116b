"""A small grid through a real SLURM; needs root and Debian's packages slurm-wlm and munge."""

import subprocess

import pytest
from system.conftest import Project
from system.slurm.conftest import LOCAL, THROUGH_SLURM, digests, small_params

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def submitted(cluster, new_project) -> tuple[Project, list[str]]:
    """A project that ran through SLURM, and what SLURM says of each job."""
    project = new_project(small_params())
    done = project.run(*THROUGH_SLURM, timeout=500)
    assert done.returncode == 0, done.stdout[-4000:]
    columns = "Comment:100,tres-per-job:20,State:12,WorkDir:200"
    jobs = subprocess.check_output(["squeue", "--all", "-h", "-t", "all", "-O", columns], text=True)
    return project, [line for line in jobs.splitlines() if str(project.folder) in line]


def test_results_are_those_of_the_local_run_bit_for_bit(submitted, local):
    expected = digests(local)
    assert len(expected) == 4 + 8 + 3
    assert digests(submitted[0]) == expected


def test_each_training_was_a_job_with_a_gpu_of_its_own(submitted):
    jobs = submitted[1]
    trainings = [line for line in jobs if line.startswith("rule_train")]
    assert len(trainings) == 4
    assert all("gres:gpu:1" in line for line in trainings)
    assert all("COMPLETED" in line for line in jobs)
    others = [line for line in jobs if not line.startswith("rule_train")]
    assert not any("gpu" in line for line in others)


def test_short_jobs_were_submitted_together(submitted):
    names = [line.split()[0] for line in submitted[1]]
    assert sum("evaluate" in name for name in names) == 1
    assert sum("render" in name for name in names) == 1


def test_nothing_is_left_to_do_here_or_there(submitted):
    project = submitted[0]
    assert "Nothing to be done" in project.succeed(*LOCAL)
    assert "Nothing to be done" in project.succeed(*THROUGH_SLURM)
