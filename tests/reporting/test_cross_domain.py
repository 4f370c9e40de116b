"""The cross-domain table of hand-worked scores (`crossed_study`)."""

import csv
import io
import shutil

import crossed_study
import numpy as np
import pytest
import tiny

from topdb.config import load
from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.reporting.cross_domain import cross_domain_document
from topdb.reporting.recomputing import recompute
from topdb.reporting.rendering import render
from topdb.reporting.reports import write_report
from topdb.results.records import read_record, write_record

ACROSS = "market1501 -> dukemtmc-reid"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return crossed_study.write_study(folder)


@pytest.fixture
def study(whole, tmp_path):
    params, results = whole
    return params, shutil.copytree(results, tmp_path / "results")


def document(params, results):
    papers = read_papers(params, tiny.PAPERS)
    return cross_domain_document(params, "tiny", results, papers, papers[0])


def rows(text: str) -> dict[str, list[list[str]]]:
    """The main table's rows by method: one a block."""
    found: dict[str, list[list[str]]] = {}
    for line in text.partition("\n## ")[0].splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if line.startswith("| ") and not cells[0].startswith(("**", ":")):
            found.setdefault(cells[0], []).append(cells[1:])
    return found


def test_the_table_has_what_is_lost_beside_what_is_reached_at_home(whole):
    text = render(document(*whole), ".md")
    found = rows(text)
    assert found["Method"][0][:2] == [
        "Market-1501 → DukeMTMC-reID mAP",
        "Market-1501 → DukeMTMC-reID R1",
    ]
    across, at_home, lost = found["Baseline"]
    assert across[:2] == ["75.0±0.0", "50.0±0.0"]
    assert at_home[:2] == ["100.0±0.0", "100.0±0.0"]
    assert lost[0].startswith("+25.0 [")
    assert lost[1].startswith("+50.0 [")


def test_it_says_first_that_nothing_is_published_and_nothing_judged(whole):
    text = render(document(*whole), ".md")
    assert text.startswith("# Trained on one data set, tested on another\n\n**No published number")
    for word in ("REPRODUCED", "INCONCLUSIVE", "HOLDS", "higher", "lower"):
        assert word not in text
    listed = list(csv.DictReader(io.StringIO(render(document(*whole), ".csv"))))
    assert {row["published"] for row in listed} == {""}
    assert {row["verdict"] for row in listed} == {""}


def test_methods_are_compared_on_the_same_people_and_adjusted_as_one_family(whole):
    found = document(*whole).differences
    assert [(each.dataset, each.method) for each in found] == [
        ("Market-1501 → DukeMTMC-reID", "Top-DB-Net"),
        ("DukeMTMC-reID → Market-1501", "Top-DB-Net"),
    ]
    first = found[0].differences[0]
    assert (first.dataset, first.reference, first.quantity) == (ACROSS, "baseline", "mAP")
    assert first.estimate == pytest.approx(0.0)
    assert (first.seeds, first.reference_seeds) == (2, 2)
    assert "no p of the 4 comparisons (plain)" in render(document(*whole), ".md")


def test_csv_has_every_digit_and_latex_an_arrow(whole):
    made = document(*whole)
    listed = list(csv.DictReader(io.StringIO(render(made, ".csv"))))
    (lost,) = (
        row
        for row in listed
        if (row["block"], row["method"]) == ("Lost", "baseline")
        and (row["dataset"], row["quantity"]) == (ACROSS, "mAP")
    )
    assert float(lost["value"]) == 25.0
    assert float(lost["low"]) <= 25.0 <= float(lost["high"])
    latex = render(made, ".tex")
    assert r"Market-1501 $\rightarrow$ DukeMTMC-reID mAP" in latex
    assert r"\label{tab:cross-domain}" in latex


def test_a_collapsed_run_leaves_no_mean_and_says_so(study):
    params, results = study
    equal = np.zeros((6, 1), np.float32)
    files = crossed_study.write_test(
        results, "market1501", "dukemtmc-reid", "baseline", 2, equal, query_features=equal[:3]
    )
    assert '"collapsed": true' in files.metrics("plain").read_text()
    made = document(params, results)
    text = render(made, ".md")
    across, at_home, lost = rows(text)["Baseline"]
    assert across[0] == "–<br><sub>one of 2 runs collapsed</sub>"
    assert at_home[0] == "100.0±0.0"
    assert lost[0] == "–"
    assert "(market1501 -&gt; dukemtmc-reid/baseline/seed-2)" in text


def test_what_is_missing_is_counted_and_one_run_has_no_interval(study):
    params, results = study
    shutil.rmtree(results / "market1501/baseline/seed-2/on")
    shutil.rmtree(results / "market1501/top-db-net/seed-1/on")
    shutil.rmtree(results / "market1501/top-db-net/seed-2/on")
    text = render(document(params, results), ".md")
    assert "**Incomplete**: 3 of 8 tests on other data sets are missing." in text
    across, _, lost = rows(text)["Baseline"]
    assert (across[0], lost[0]) == ("75.0 (1)", "+25.0")
    assert rows(text)["Top-DB-Net"][0][0] == "–"


def test_a_diverged_run_is_named(study):
    params, results = study
    path = results / "market1501/baseline/seed-1/run.json"
    diverged = {"epoch": 1, "what": "loss", "value": 9.0, "limit": 1.0}
    write_record(path, {**read_record(path).content, "diverged": diverged})
    assert "**Diverged**: 1 of 8 trainings" in render(document(params, results), ".md")


def test_drawn_data_come_with_their_warning(tmp_path):
    datasets = crossed_study.CHANGES["datasets"]
    drawn = {name: {**each, "render": tiny.RENDER} for name, each in datasets.items()}
    params, results = crossed_study.write_study(tmp_path, datasets=drawn)
    assert render(document(params, results), ".md").startswith("> **Rendered data.** These are")


def test_a_profile_that_asks_for_none_has_no_such_table(tmp_path):
    params = tiny.params(tmp_path)
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match=r"profile tiny tests no run on another.*`test_on: all`"):
        document(params, tmp_path / "results")


def test_the_command_writes_the_three_formats(whole, tmp_path):
    params, results = whole
    out = [tmp_path / f"cross_domain{suffix}" for suffix in (".md", ".csv", ".tex")]
    write_report("cross_domain", params, "tiny", results, [], out, root=tiny.PAPERS)
    assert out[0].read_text() == render(document(params, results), ".md")
    with pytest.raises(UserError, match="has no format"):
        write_report("cross_domain", params, "tiny", results, [], [tmp_path / "x"])


def test_it_is_recomputed_from_stored_files(study, tmp_path):
    params, results = study
    papers = read_papers(params, tiny.PAPERS)
    for path in results.rglob("features.npz"):
        path.unlink()
    recompute(params, "tiny", results, papers, tmp_path / "out")
    again = (tmp_path / "out/cross_domain.md").read_text()
    assert again == render(document(params, results), ".md")
    assert "75.0±0.0" in again


def test_the_shipped_profile_shows_it():
    found = load(tiny.ROOT / "params.yaml").selected("cross")
    assert [each.name for each in found.crossings] == [
        "market1501 -> dukemtmc-reid",
        "dukemtmc-reid -> market1501",
    ]
