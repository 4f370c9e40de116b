"""The authors' checkpoints through the whole workflow, in place of training."""

import json

import pytest
from factories import released_state, write_checkpoint
from system.conftest import tiny_params

from topdb.config import ScaleSettings

RECORD = "results/mini/market1501/top-db-net/seed-0/run.json"


@pytest.fixture(scope="module")
def project(new_project):
    """Drawn people, a network of the mini profile's size, and checkpoints of two methods."""
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["datasets"] = {"market1501": mini["datasets"]["market1501"]}
    mini["start"] = None
    mini["seeds"] = [0]
    mini["rankings"] = ["plain"]
    mini["resources"] = {"train": {"memory_mb": 1234, "minutes": 17}}
    mini["methods"] = ["baseline", "top-db-net"]
    mini["weights"] = {"market1501": {name: f"weights/{name}.pth.tar" for name in mini["methods"]}}
    made = new_project(params)
    people = mini["datasets"]["market1501"]["render"]["train_people"]
    scale = ScaleSettings.model_validate(mini["scale"])
    for name in mini["methods"]:
        state = released_state(name, people, scale)
        write_checkpoint(made.folder / "weights" / f"{name}.pth.tar", state)
    wanted = ("reports/table2.md", "reports/plots/training.csv", "reports/index.html")
    made.succeed("snakemake", "--cores", "2", *wanted)
    return made


def test_the_table_shows_one_run_a_cell_and_says_whose_weights_they_are(project):
    table = project.text("reports/table2.md")
    assert "Measured cells: of a single seed" in table
    assert "±" not in next(line for line in table.splitlines() if line.startswith("| Top-DB-Net |"))
    note = next(line for line in table.splitlines() if "Authors' weights" in line)
    assert "imported and not trained here" in note
    for method in ("baseline", "top-db-net"):
        assert f"`{method}` on `market1501` (`{method}.pth.tar`, digest `" in note
    assert "epoch 400" in note


def test_nothing_was_trained(project):
    assert not list(project.folder.glob("logs/*/train"))
    assert project.text("reports/plots/training.csv").count("\n") == 1
    record = json.loads(project.text(RECORD))
    assert record["origin"] == "authors' weights"
    assert record["images_per_second"]["train"] is None


def test_an_import_asks_a_cluster_for_what_a_training_asks_for(project):
    planned = project.succeed("snakemake", "-n", "--forcerun", "import_weights", RECORD)
    (job,) = [job for job in planned.split("\n\n") if "rule import_weights:" in job]
    assert "mem_mb=1234," in job
    assert "runtime=17" in job


def test_the_page_stands_without_figures_of_the_training(project):
    page = project.text("reports/index.html")
    assert 'id="lists"' in page
    assert 'id="figures"' not in page
    assert "figure2" not in project.planned()


def test_a_second_call_does_nothing_and_another_checkpoint_redoes_its_run(project):
    assert "Nothing to be done" in project.succeed("snakemake", "-n", "reports/table2.md")
    path = project.folder / "weights/baseline.pth.tar"
    path.write_bytes(path.read_bytes() + b"\0")
    planned = project.succeed("snakemake", "-n", "reports/table2.md")
    assert "rule import_weights" in planned
    assert "method=baseline" in planned
    assert "method=top-db-net" not in planned
