"""A method in a folder outside the package: trained like any other, and again when it is edited."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from system.conftest import ROOT, Project, tiny_params

from topdb.files import digest

OWN = ROOT / "tests/methods/own/one_stream.py"
RUN = "results/mini/market1501/{method}/seed-{seed}/run.json"
COMPARED = "reports/table2.md"


def params_with_own() -> dict:
    """One data set, two methods, one of them of the user's own, and two seeds."""
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"market1501": mini["datasets"]["market1501"]}
    mini["methods"] = ["baseline", "one-stream"]
    mini["rankings"] = ["plain"]
    del mini["changes"]["top-db-net"]
    mini["snapshots"] = {"methods": []}
    params["method_folders"] = ["my methods"]
    params["tracking"]["mode"] = "off"
    return params


@pytest.fixture(scope="module")
def project(new_project: Callable[[dict], Project]) -> Project:
    made = new_project(params_with_own())
    (made.folder / "my methods").mkdir()
    shutil.copyfile(OWN, made.folder / "my methods/one_stream.py")
    made.succeed("snakemake", COMPARED, "--cores", "2")
    return made


def own(project: Project) -> Path:
    return project.folder / "my methods/one_stream.py"


def planned(project: Project) -> list[tuple[str, str]]:
    """The trainings that a dry run would make: rule and method."""
    said = project.succeed("snakemake", COMPARED, "-n", "--cores", "2")
    found = []
    for job in said.split("\n\n"):
        lines = [line.strip() for line in job.splitlines()]
        named = [line for line in lines if line.startswith("rule ")]
        rules = [line.removeprefix("rule ").rstrip(":") for line in named]
        wildcards = [line for line in lines if line.startswith("wildcards:")]
        if rules and rules[0].startswith(("train", "pretrain", "index", "render")):
            (method,) = [
                each.partition("=")[2]
                for each in wildcards[0].removeprefix("wildcards: ").split(", ")
                if each.startswith(("method=", "backbone=", "dataset=", "root="))
            ][-1:]
            found.append((rules[0], method))
    return found


def edit(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def test_it_stands_in_the_table_and_its_runs_are_whole(project):
    rows = [line for line in project.text(COMPARED).splitlines() if line.startswith("| ")]
    assert any(line.startswith("| One stream") for line in rows), rows
    for method, title in (("baseline", "Baseline"), ("one-stream", "One stream")):
        for seed in (1, 2):
            record = json.loads(project.text(RUN.format(method=method, seed=seed)))
            assert record["title"] == title
    history = project.text("results/mini/market1501/one-stream/seed-1/history.csv")
    assert history.splitlines()[0].endswith(",loss,cross_entropy,pull")
    recipes = json.loads(project.text("results/mini/recipes.json"))
    assert recipes.keys() == {"baseline", "one-stream"}


def test_nothing_is_left_to_do(project):
    assert planned(project) == []


def test_an_edit_of_its_file_trains_it_again_and_no_other(project):
    before = own(project).read_text()
    try:
        edit(own(project), "\n# Another comment.\n")
        assert planned(project) == [("train", "one-stream")]  # one job of both seeds
    finally:
        own(project).write_text(before)
    assert planned(project) == []


def test_another_file_beside_it_or_another_part_of_the_package_trains_nothing(project):
    """The package is the repository's own, and no test edits it: see tests/test_code.py."""
    (project.folder / "my methods/second.py").write_text(OWN.read_text())
    (project.folder / "my methods/notes.txt").write_text("notes")
    assert planned(project) == []


def test_lost_files_are_made_again_and_whole_runs_of_the_same_job_stay(project):
    results = project.folder / "results/mini/market1501"
    lost, whole = (results / f"baseline/seed-{seed}" for seed in (1, 2))
    weights = digest(lost / "weights.safetensors")
    queries = results / "one-stream/seed-2/plain/queries.parquet"
    scores, record = queries.read_bytes(), (whole / "run.json").read_bytes()
    queries.unlink()
    assert "evaluate" in project.succeed("snakemake", COMPARED, "-n", "--cores", "2")
    queries.write_bytes(scores)  # as from a backup: then nothing was lost
    said = project.succeed("snakemake", COMPARED, "-n", "--cores", "2")
    assert "rule evaluate" not in said
    queries.unlink()
    shutil.rmtree(lost)
    bundled = ("topdb", "bundle", "--out", "reports/bundle.tar.gz", "--profile", "mini")
    assert "2 of 4 runs" in project.succeed(*bundled)
    said = project.succeed("snakemake", COMPARED, "--cores", "2")
    assert "features.npz and 7 more was made and is gone" in said
    assert digest(lost / "weights.safetensors") == weights
    assert queries.read_bytes() == scores
    assert (whole / "run.json").read_bytes() == record
    assert not (whole / "checkpoints").exists()
    assert "4 of 4 runs" in project.succeed(*bundled)
    assert "Nothing to be done" in project.succeed("snakemake", COMPARED, "-n", "--cores", "2")


def test_an_edit_is_trained_and_scored_and_the_other_runs_stay(project):
    run = (project.folder / RUN.format(method="one-stream", seed=1)).parent
    former = shutil.copytree(run, project.folder / "former")
    theirs = [project.folder / RUN.format(method="baseline", seed=seed) for seed in (1, 2)]
    before = [path.stat().st_mtime_ns for path in theirs]
    code = json.loads(project.text(RUN.format(method="one-stream", seed=1)))["code"]
    edit(own(project), "\n# An edit that stays.\n")
    project.succeed("snakemake", COMPARED, "--cores", "2")
    assert [path.stat().st_mtime_ns for path in theirs] == before
    record = json.loads(project.text(RUN.format(method="one-stream", seed=1)))
    assert record["code"] != code
    compared = project.succeed("topdb", "diff", str(former), str(run))
    assert f"digest  {code[:16]} -> {record['code'][:16]}" in compared
    assert planned(project) == []


def test_a_file_that_cannot_be_a_method_stops_before_anything_runs(project):
    before = own(project).read_text()
    try:
        own(project).write_text(before.replace("def embed(", "def embedded("))
        stopped = project.run("snakemake", COMPARED, "--cores", "2")
    finally:
        own(project).write_text(before)
    assert stopped.returncode == 2
    assert "one_stream.py: OneStream lacks embed: define it" in stopped.stdout
    assert "Traceback" not in stopped.stdout
    assert planned(project) == []
