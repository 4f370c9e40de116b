"""The whole workflow on tiny input: `dvc repro`, reruns, interruptions, a new data set."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import zipfile

import pytest
from system.conftest import ROOT, Project, environment, tiny_params

PETS = ROOT.parent / "shared" / "real" / "pets09"


@pytest.fixture(scope="module")
def finished(new_project) -> Project:
    """A project whose `dvc repro` went through."""
    project = new_project(tiny_params())
    project.succeed("git", "init", "--quiet")
    project.succeed("dvc", "init", "--quiet")
    project.succeed("dvc", "repro")
    return project


def test_both_tables_stand_and_warn_first(finished):
    for name in ("table1", "table2"):
        lines = finished.text(f"reports/{name}.md").splitlines()
        assert "Rendered data" in lines[0]
        assert "cannot be compared" in lines[0]
        assert any("standard deviation between 2 seeds" in line for line in lines)
        assert any(line.startswith("| Top-DB-Net |") and "±" in line for line in lines)
    assert "Top-DB-Net+RK" in finished.text("reports/table2.md")
    assert "SONA (Xia 2019)" in finished.text("reports/table2.md")


def test_every_figure_stands_and_the_report_holds_all_of_them(finished):
    for name in ("figure2", "figure3"):
        assert (finished.folder / f"reports/{name}.png").stat().st_size > 100_000
        assert (finished.folder / f"reports/{name}.pdf").is_file()
    plots = finished.folder / "reports/plots"
    names = {path.stem for path in plots.glob("*.svg")}
    assert names == {"differences", "variance", "published", "seeds", "cmc", "training"}
    assert {path.stem for path in plots.glob("*.png")} == names
    finished.succeed("snakemake", "--report", "report.zip", "--cores", "1")
    with zipfile.ZipFile(finished.folder / "report.zip") as archive:
        archived = {path.rsplit("/", 1)[-1] for path in archive.namelist()}
    assert archived >= {
        "index.html",
        "figure2.png",
        "figure3.png",
        *(f"{name}.svg" for name in names),
    }


def test_the_page_holds_all_of_it_in_one_file(finished):
    text = finished.text("reports/index.html")
    assert text.index("<strong>Rendered data.</strong>") < text.index("<h1>")
    for part in ("tables", "plots", "figures", "lists", "recipe", "again"):
        assert f'id="{part}"' in text
    (images,) = re.findall(r'id="images">(.*?)</script>', text)
    assert len(json.loads(images)) > 50  # each once, however many lists it is in
    assert len(text) < 5_000_000


def test_other_snapshots_train_the_chosen_runs_alone(finished):
    params = tiny_params()
    params["profiles"]["mini"]["snapshots"] = {"queries": 2}
    finished.write(params)
    try:
        planned = finished.planned()
    finally:
        finished.write(tiny_params())
    counts = counted(planned)
    assert counts["train_watched"] == "2"
    assert "train" not in counts


def test_a_second_repro_does_nothing(finished):
    before = finished.text("reports/metrics/plain/market1501/top-db-net.json")
    assert "Data and pipelines are up to date" in finished.succeed("dvc", "repro")
    assert finished.text("reports/metrics/plain/market1501/top-db-net.json") == before


def test_dvc_shows_the_metrics_of_every_cell(finished):
    shown = json.loads(finished.succeed("dvc", "metrics", "show", "--json"))
    metrics = shown[""]["data"]
    for dataset in ("market1501", "cuhk03-detected"):
        for method in ("baseline", "top-db-net"):
            for ranking in ("plain", "rk"):
                cell = metrics[f"reports/metrics/{ranking}/{dataset}/{method}.json"]["data"]
                assert 0.0 < cell["mAP"] <= 100.0
    assert len(metrics) == 8
    table = finished.succeed("dvc", "metrics", "show").splitlines()
    assert max(map(len, table)) <= 120


def test_mlflow_knows_every_run(finished):
    receipt = json.loads(finished.text("results/mini/tracked.json"))
    assert len(receipt["tracked"]) == 8
    assert receipt["missing"] == []


def counted(planned: str) -> dict[str, str]:
    """How often a dry run names each rule."""
    return dict(line.split() for line in planned.splitlines() if len(line.split()) == 2)


def planned_with(project: Project, change) -> dict[str, str]:
    """What a dry run would do with other parameters."""
    params = tiny_params()
    change(params["profiles"]["mini"])
    project.write(params)
    try:
        return counted(project.planned())
    finally:
        project.write(tiny_params())


TRAININGS = {"train", "train_watched", "pretrain", "index", "render"}


def test_other_changes_of_one_method_train_that_one_again(finished):
    def change(mini):
        mini["changes"]["baseline"]["all"]["options"] = {"margin": 0.5}

    jobs = planned_with(finished, change)
    # One job of both seeds on each data set; one of the two is looked at.
    assert {name: jobs.get(name) for name in TRAININGS} == {
        "train": "1",
        "train_watched": "1",
        "pretrain": None,
        "index": None,
        "render": None,
    }


def test_changes_on_one_data_set_train_there_again(finished):
    def change(mini):
        mini["changes"]["baseline"]["cuhk03-detected"] = {"options": {"margin": 0.5}}

    jobs = planned_with(finished, change)
    assert {name for name in TRAININGS if name in jobs} == {"train"}
    assert jobs["train"] == "1"


def test_another_scale_trains_everything_again(finished):
    jobs = planned_with(finished, lambda mini: mini["scale"].update(rate=0.5))
    assert (jobs["pretrain"], jobs["train"], jobs["train_watched"]) == ("1", "2", "2")
    assert "index" not in jobs


def test_how_many_runs_share_a_process_moves_no_result_where_seeds_fill_their_jobs(finished):
    """A seed more makes a job more, and leaves those that were there as they are."""

    def change(mini):
        mini["hardware"]["runs_per_job"] = 2
        mini["seeds"] = [1, 2, 3]

    jobs = planned_with(finished, change)
    assert jobs["train_1"] == "4"
    assert jobs["evaluate_1"] == "4"
    assert not {"train", "train_watched", "evaluate"} & jobs.keys()


def test_a_new_method_trains_itself_alone(finished):
    jobs = planned_with(finished, lambda mini: mini["methods"].append("bot"))
    assert jobs["train"] == "2"
    assert {name for name in TRAININGS if name in jobs} == {"train"}


def test_a_method_with_a_backbone_of_its_own_pretrains_that_one_alone(finished):
    jobs = planned_with(finished, lambda mini: mini["methods"].append("osnet"))
    assert (jobs["pretrain"], jobs["train"]) == ("1", "2")
    assert "train_watched" not in jobs


def test_a_method_that_cannot_be_trained_stops_before_anything_trains(finished):
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["methods"].append("mgn")
    mini["scale"]["size"] = [88, 32]  # eleven rows, which two and three stripes do not divide
    finished.write(params)
    try:
        stopped = finished.run("snakemake", "all", "--cores", "2")
    finally:
        finished.write(tiny_params())
    assert stopped.returncode == 2
    (said,) = [line for line in stopped.stdout.splitlines() if line.startswith("topdb: ")]
    assert said.startswith("topdb: method mgn: mgn cuts a feature map into 2 and 3 equal stripes")
    assert "Traceback" not in stopped.stdout
    assert "rule train" not in stopped.stdout
    assert "Nothing to be done" in finished.planned()


def test_recipes_are_checked_once_and_written_down(finished):
    written = json.loads(finished.text("results/mini/recipes.json"))
    assert list(written) == ["baseline", "top-db-net"]
    path = finished.folder / "results/mini/recipes.json"
    before = path.stat().st_mtime_ns
    finished.succeed("snakemake", "all", "--cores", "2")
    assert path.stat().st_mtime_ns == before


def test_fresh_modification_times_rerun_nothing(finished):
    for name in ("data/mini/market1501/rendered.json", "results/mini/market1501/index.parquet"):
        os.utime(finished.folder / name)
    assert "train" not in finished.planned()


def test_a_changed_parameter_reruns_just_what_uses_it(finished):
    params = tiny_params()
    params["profiles"]["mini"]["ranking"] = {"k1": 10}
    finished.write(params)
    try:
        planned = finished.planned()
    finally:
        finished.write(tiny_params())
    jobs = counted(planned)
    assert jobs["evaluate"] == "4"  # both seeds of a cell in one
    assert not {"pretrain", "train", "train_watched", "index", "render"} & jobs.keys()


def test_other_settings_of_a_drawn_data_set_draw_it_again(finished):
    params = tiny_params()
    params["profiles"]["mini"]["datasets"]["market1501"]["render"]["near_duplicates"] = 0.5
    finished.write(params)
    marker = finished.folder / "data/mini/market1501/rendered.json"
    before = marker.read_text()
    finished.succeed("snakemake", "data", "--cores", "2")
    assert marker.read_text() != before
    finished.write(tiny_params())
    finished.succeed("snakemake", "data", "--cores", "2")
    assert marker.read_text() == before


def test_an_unknown_key_stops_before_anything_runs(finished):
    params = tiny_params()
    params["profiles"]["mini"]["scale"]["epoch"] = 3
    finished.write(params)
    try:
        stopped = finished.run("snakemake", "all", "--cores", "2")
    finally:
        finished.write(tiny_params())
    assert stopped.returncode == 2
    assert "unknown key 'profiles.mini.scale.epoch' (did you mean 'epochs'?)" in stopped.stdout
    assert "Traceback" not in stopped.stdout


def test_a_killed_run_goes_on_and_ends_with_the_same_tables(finished, new_project):
    project = new_project(tiny_params())
    cell = "metrics/plain/market1501/top-db-net.json"
    reports = [f"reports/{name}" for name in ("table1.md", "table2.md", cell)]
    command = ["snakemake", *reports, "--cores", "2"]
    with (project.folder / "first.log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=project.folder, env=environment(), stdout=log, stderr=log
        )
        _wait_for(lambda: list(project.folder.glob("results/mini/*/*/*/run.json")), running)
        jobs = _children(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    for job in jobs[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(job, signal.SIGKILL)

    project.succeed(*command)
    for name in reports:
        assert project.text(name) == finished.text(name)


@pytest.mark.skipif(not PETS.is_dir(), reason="the photographs of pets09 are not at hand")
def test_real_photographs_need_a_few_lines_of_parameters_and_no_code(new_project):
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"pets09": {"layout": "market1501", "root": str(PETS)}}
    project = new_project(params)
    cell = "reports/metrics/plain/pets09/top-db-net.json"
    reports = ("reports/table1.md", cell, "reports/figure2.png")
    project.succeed("snakemake", *reports, "--cores", "2")
    table = project.text("reports/table1.md")
    assert "| Method | pets09 mAP | pets09 R1 |" in table
    assert "Rendered data" not in table
    assert json.loads(project.text(cell))["mAP"] > 0.0


def _wait_for(condition, running: subprocess.Popen, seconds: int = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert running.poll() is None, "the workflow ended before it could be killed"
        assert time.monotonic() < end, "no run finished in time"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    """The processes that descend from one, the youngest generation first."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    own = [int(line) for line in found.stdout.split()]
    return [each for child in own for each in (*_children(child), child)]
