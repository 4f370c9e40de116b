"""Runs tested on another data set, from images to the table: killed, gone on with, and changed."""

import os
import re
import signal
import subprocess
import time

import pytest
import tiny
import yaml
from system.conftest import Project, environment

COMMAND = ("snakemake", "reports/cross_domain.md", "--cores", "2")


def params(**changes) -> dict:
    """One method on two small data sets, the runs of the first tested on the second."""
    datasets = {
        name: {"layout": "market1501", "root": f"data/{name}"} for name in ("north", "south")
    }
    content = tiny.content(
        {
            "datasets": datasets,
            "methods": ["baseline"],
            "rankings": ["plain"],
            "hardware": {"runs_per_job": 2},
            "snapshots": {"methods": []},
            "test_on": {"north": ["south"]},
            "tracking.mode": "off",
            **changes,
        }
    )
    return yaml.safe_load(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def project(new_project) -> Project:
    made = new_project(params())
    for number, name in enumerate(("north", "south")):
        tiny.draw_market(made.folder / "data" / name, test_people=6 + number)
    return made


def files(project, pattern: str) -> dict[str, int]:
    """When each file was written."""
    return {
        path.relative_to(project.folder).as_posix(): path.stat().st_mtime_ns
        for path in project.folder.glob(pattern)
    }


def jobs(project, target: str = COMMAND[1]) -> dict[str, int]:
    """How many jobs of each rule a dry run would run."""
    said = project.succeed("snakemake", target, "-n")
    found = re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE)
    return {name: found.count(name) for name in found}


def test_a_kill_repeats_no_job_that_was_done_and_another_recipe_tests_anew(project):
    with (project.folder / "first.log").open("w") as log:
        running = subprocess.Popen(
            COMMAND,
            cwd=project.folder,
            env=environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        _wait_for(project, "results/tiny/north/*/*/on/south/run.json", running)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    done = files(project, "results/tiny/north/*/*/weights.safetensors")
    assert len(done) == 2

    project.succeed(*COMMAND)
    assert files(project, "results/tiny/north/*/*/weights.safetensors") == done
    text = project.text("reports/cross_domain.md")
    assert "| Method | north → south mAP | north → south R1 |" in text
    assert text.count("| Baseline |") == 3
    assert jobs(project) == {}
    assert "nothing is wrong with 4 runs" in project.succeed("topdb", "doctor")
    assert (project.folder / "reports/cross_domain.tex").is_file()

    # Other weights of the first data set see the second anew; the second's own runs stay.
    changed = params()
    rules = changed["profiles"]["tiny"]["changes"]["baseline"]
    rules["north"] = {"rules": {"network": {"rate": 0.002}}}
    project.write(changed)
    wanted = jobs(project, "all")
    asked = ("train", "evaluate", "cross", "evaluate_on", "cross_domain")
    assert {name: wanted.get(name) for name in asked} == dict.fromkeys(asked, 1)


def _wait_for(project: Project, pattern: str, running: subprocess.Popen) -> None:
    end = time.monotonic() + 240
    while not list(project.folder.glob(pattern)):
        assert running.poll() is None, project.text("first.log")[-3000:]
        assert time.monotonic() < end, "nothing was tested on the other data set in time"
        time.sleep(0.05)
