"""A whole workflow with a hostile folder name and planted secrets: nothing runs, nothing leaks."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from system.conftest import environment, tiny_params

ROOT = "data/a b;$(touch pwned)'\"&`touch pwned`"
PLANTED = {
    "MLFLOW_TRACKING_URI": "http://someone:planted-in-address@127.0.0.1:9",
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-password",
    "MLFLOW_TRACKING_TOKEN": "planted-mlflow-token",
    "AWS_ACCESS_KEY_ID": "planted-aws-key",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret",
    "AZURE_STORAGE_CONNECTION_STRING": "planted-azure",
}
TITLE = "<img src=x onerror=alert(1)>|`x`"


@pytest.fixture(scope="module")
def workflow(new_project):
    """A project that ran with all of it, and what its commands printed."""
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"market1501": {**mini["datasets"]["market1501"], "root": ROOT}}
    mini["datasets"]["market1501"].pop("parts", None)
    mini["datasets"]["market1501"]["title"] = TITLE
    mini["methods"] = ["baseline", "top-db-net"]
    mini["rankings"] = ["plain"]
    mini["seeds"] = [1]
    params["tracking"]["mode"] = "live"
    project = new_project(params)
    run = {"cwd": project.folder, "capture_output": True, "text": True, "timeout": 280}
    planted = environment() | PLANTED
    done = subprocess.run(["snakemake", "all", "--cores", "2"], env=planted, check=False, **run)
    assert done.returncode == 0, done.stdout + done.stderr
    embedded = {name: value for name, value in planted.items() if name != "MLFLOW_TRACKING_URI"}
    later = subprocess.run(
        ["topdb", "track", "--reports", "reports"], env=embedded, check=False, **run
    )
    assert later.returncode == 0, later.stderr
    return project, done.stdout + done.stderr + later.stdout + later.stderr


def test_a_folders_name_is_no_command(workflow):
    project, _ = workflow
    assert (project.folder / ROOT / "rendered.json").is_file()
    found = [name for _, folders, files in os.walk(project.folder) for name in folders + files]
    assert "pwned" not in found
    assert len(found) > 100


def test_secrets_are_in_nothing_that_was_written_or_printed(workflow):
    project, printed = workflow
    looked_at = 0
    for folder, _, files in os.walk(project.folder):
        for name in files:
            looked_at += 1
            assert b"planted-" not in Path(folder, name).read_bytes(), f"{folder}/{name}"
    assert looked_at > 100
    assert "planted-" not in printed
    assert (project.folder / "results/mlflow.db").stat().st_size > 100_000
    assert (project.folder / ".snakemake").is_dir()


def test_the_dead_tracker_was_named_without_them(workflow):
    project, _ = workflow
    logs = project.folder / "logs/mini"
    assert "MLflow is out of reach" in (logs / "follow.log").read_text()
    assert "MLflow is out of reach" in (logs / "track.log").read_text()
    assert not any("MLflow" in log.read_text() for log in (logs / "train").iterdir())
    receipt = json.loads(project.text("results/mini/kept.json"))
    assert receipt["store"] == "http://127.0.0.1:9"
    assert len(receipt["missing"]) == 2
    assert len(json.loads(project.text("results/mini/tracked.json"))["tracked"]) == 2


def test_html_in_a_title_is_text_in_every_table(workflow):
    project, _ = workflow
    for name in ("table1", "table2"):
        table = project.text(f"reports/{name}.md")
        assert "<img" not in table
        assert "&lt;img src=x onerror=alert(1)&gt;\\|" in table


def test_what_the_parent_run_keeps(workflow):
    project, _ = workflow
    parent = json.loads(project.text("results/mini/tracked.json"))["parent"]
    kept = project.folder / "results/mlflow-artifacts" / parent / "artifacts"
    assert yaml.safe_load((kept / "params.yaml").read_text())["profile"] == "mini"
    cell = "metrics/plain/market1501/top-db-net.json"
    for name in ("table1.md", "table2.md", cell, "plots/training.csv"):
        assert (kept / "reports" / name).read_text() == project.text(f"reports/{name}")
    assert not (kept / "papers").exists()
