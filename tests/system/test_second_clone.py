"""Results travel by git and a DVC remote: whoever pulls them trains nothing again."""

import copy
import os
from pathlib import Path

import pytest
from system.conftest import Project, tiny_params

REPORTS = (
    "reports/table1.md",
    "reports/table2.md",
    "reports/metrics/plain/market1501/top-db-net.json",
)


def params_with_two_profiles() -> dict:
    """A profile of two runs, and another with one run of a second seed."""
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"market1501": mini["datasets"]["market1501"]}
    mini["seeds"] = [1]
    mini["hardware"] = {"runs_per_job": 1}
    params["profiles"]["other"] = {**copy.deepcopy(mini), "seeds": [2]}
    params["tracking"]["mode"] = "off"
    return params


@pytest.fixture(scope="module")
def first(new_project) -> Project:
    """A clone whose `dvc repro` went through, pushed to a remote folder."""
    project = new_project(params_with_two_profiles())
    remote = project.folder.parent / f"{project.folder.name}-remote"
    project.succeed("git", "init", "--quiet")
    project.succeed("git", "config", "user.email", "someone@example.org")
    project.succeed("git", "config", "user.name", "Someone")
    project.succeed("dvc", "init", "--quiet")
    project.succeed("dvc", "remote", "add", "--default", "shared", str(remote))
    (project.folder / ".gitignore").write_text(".snakemake/\n/logs/\n__pycache__/\n")
    project.succeed("dvc", "repro")
    project.succeed("git", "add", "--all")
    project.succeed("git", "commit", "--quiet", "--message", "results")
    project.succeed("dvc", "push")
    return project


@pytest.fixture
def second(first, tmp_path) -> Project:
    """A fresh clone that pulled the results; modification times as luck would have it."""
    clone = copy.copy(first)
    clone.folder = tmp_path / "clone"
    first.succeed("git", "clone", "--quiet", str(first.folder), str(clone.folder))
    clone.succeed("dvc", "pull")
    files = sorted(path for path in clone.folder.glob("[dr]*/**/*") if path.is_file())
    for number, path in enumerate(reversed(files)):
        os.utime(path, (1.7e9 + number, 1.7e9 + number))
    return clone


def weights(project: Project) -> dict[Path, int]:
    """When each weights file was written, which a training does anew."""
    found = (project.folder / "results").rglob("weights.safetensors")
    return {path: path.stat().st_mtime_ns for path in found}


def test_a_second_clone_has_nothing_to_do(second, first):
    assert "Nothing to be done" in second.planned()
    assert "up to date" in second.succeed("dvc", "repro")
    assert [second.text(name) for name in REPORTS] == [first.text(name) for name in REPORTS]


def test_a_second_clone_renders_lost_tables_without_training(second, first):
    before = weights(second)
    for name in REPORTS:
        (second.folder / name).unlink()
    second.succeed("snakemake", *REPORTS)
    assert [second.text(name) for name in REPORTS] == [first.text(name) for name in REPORTS]
    assert len(before) == 2
    assert weights(second) == before


def test_a_second_clone_trains_just_the_seed_that_it_adds(second):
    params = params_with_two_profiles()
    params["profiles"]["mini"]["seeds"] = [1, 2]
    second.write(params)
    planned = [line.split() for line in second.planned("--quiet", "rules").splitlines()]
    assert ["train", "2"] in planned
    assert not any(line[:1] in (["render"], ["index"], ["pretrain"]) for line in planned)


def test_a_second_clone_notices_other_parameters(second):
    params = params_with_two_profiles()
    for method in ("baseline", "top-db-net"):
        params["profiles"]["mini"]["changes"][method]["all"]["options"] = {"margin": 0.5}
    second.write(params)
    planned = [line.split() for line in second.planned("--quiet", "rules").splitlines()]
    assert ["train_watched", "2"] in planned


def test_results_checked_out_again_are_known_again(second):
    """After a detour to other parameters, their records must not condemn the old results."""
    params = params_with_two_profiles()
    params["profiles"]["mini"]["ranking"] = {"k1": 10}
    second.write(params)
    second.succeed("dvc", "repro")
    second.succeed("git", "checkout", "--quiet", ".")
    second.succeed("dvc", "checkout", "--force")
    assert "Nothing to be done" in second.planned()


@pytest.mark.soak
def test_an_experiment_runs_another_profile(second):
    second.succeed("dvc", "exp", "run", "--set-param", "profile=other")
    assert "`other`" in second.text("reports/table2.md")
    assert list((second.folder / "results/other").rglob("seed-2/run.json"))
