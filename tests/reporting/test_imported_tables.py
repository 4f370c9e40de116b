"""Tables of runs that were imported: one method, one seed, and whose weights they are."""

import pytest
import tiny
from reporting.test_tables import cells, render

from topdb.reporting.reports import write_metrics, write_plots

CHECKPOINT = {"file": "model.pth.tar-400", "sha256": "0123456789abcdef" * 4, "epoch": 400}


@pytest.fixture
def project(tmp_path):
    """One imported run of Top-DB-Net, evaluated plainly."""
    folder = tiny.write_run(
        tmp_path / "results",
        "market1501",
        "top-db-net",
        0,
        origin="authors' weights",
        checkpoint={**CHECKPOINT, "rank1": None},
    )
    (folder / "history.csv").write_text("epoch,learning_rate,images,seconds,loss\n")
    for ranking in ("plain", "rk"):
        tiny.write_queries(folder, [0.5, 0.75], ranking)
    return tmp_path


CHANGES = {
    "methods": ["top-db-net"],
    "seeds": [0],
    "weights": {"market1501": {"top-db-net": "model.pth.tar-400"}},
}


@pytest.mark.parametrize("what", ["table1", "table2"])
def test_one_run_is_a_mean_without_deviation_and_its_weights_are_named(project, what):
    document = render(project, what, CHANGES)
    measured = cells(document, "Top-DB-Net")[-1]
    # A verdict needs two seeds.
    values = [cell.partition("<")[0].replace("&nbsp;", " ") for cell in measured]
    assert values == {"table1": ["62.5 …", "100.0 …"], "table2": ["62.5", "100.0"]}[what]
    assert "Measured cells: of a single seed." in document
    assert (
        "- **Authors' weights**, imported and not trained here: `top-db-net` on `market1501` "
        "(`model.pth.tar-400`, digest `0123456789abcdef`, epoch 400)."
    ) in document.splitlines()
    assert "## Difference" not in document


def test_tables_of_trained_runs_say_nothing_of_weights(tmp_path):
    tiny.write_queries(tiny.write_run(tmp_path / "results", "market1501", "baseline", 1), [0.5])
    assert "Authors' weights" not in render(tmp_path)


def test_a_single_method_is_compared_with_nothing(project):
    params = tiny.params(project, CHANGES)
    assert params.statistics.reference_method == "baseline"  # which this profile does not run
    assert tiny.compared(params, project / "results").differences == ()


def test_metrics_and_plots_cope_with_a_run_without_epochs(project):
    params = tiny.params(project, CHANGES)
    write_metrics(params, "tiny", project / "results", project / "metrics")
    files = [path.read_text() for path in (project / "metrics").rglob("*.json")]
    assert len(files) == 2
    assert not any('"mAP_sd"' in each for each in files)
    write_plots(params, "tiny", project / "results", project / "plots")
    assert len((project / "plots/training.csv").read_text().splitlines()) == 1
    assert len((project / "plots/seeds.csv").read_text().splitlines()) == 3


def test_weights_that_have_met_no_data_yet_are_named_without_a_digest_of_data(tmp_path):
    for seed, changes in ((1, {}), (2, {"index_digest": None, "checkpoint": CHECKPOINT})):
        tiny.write_run(tmp_path / "results", "market1501", "baseline", seed, **changes)
    document = render(tmp_path)
    assert "Data `market1501`: single query; digest `1234567890abcdef`." in document
