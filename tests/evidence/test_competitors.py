"""The methods that others published, beside the paper's own."""

import csv
import io
import json
import math
import re
import shutil
from dataclasses import replace

import paper_study
import pytest
import tiny

from topdb.config import load
from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.evidence.answer import answer, write_answer
from topdb.evidence.cells import printed_values
from topdb.reporting.reports import write_report
from topdb.results.comparisons import write_comparisons
from topdb.results.runs import Cell
from topdb.statistics import hommel

OWN = paper_study.CHANGES["methods"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The simulated grid with two competitors, compared for both tables."""
    folder = tmp_path_factory.mktemp("study")
    params, results = paper_study.write_study(folder, competitors=True)
    compared = {table: tiny.compared(params, results, table) for table in ("table1", "table2")}
    for table, found in compared.items():
        write_comparisons(found, folder / f"{table}.parquet")
    return folder, params, results, compared


def report(study, what, *tables, out=None):
    folder, params, results, _ = study
    path = folder / (out or f"{what}.md")
    files = [folder / f"{table}.parquet" for table in tables]
    write_report(what, params, "tiny", results, files, [path], root=tiny.PAPERS)
    return path.read_text(encoding="utf-8")


def test_every_row_that_is_named_is_printed_and_has_an_owner():
    paper = printed_values(read_papers(load(tiny.ROOT / "params.yaml"), tiny.PAPERS)[0])
    count = {
        owner: sum(each.owner == owner for each in paper.values())
        for owner in ("paper", "competitor")
    }
    # Four methods and Top-DB-Net+RK; thirteen rows of competitors, seven not whole.
    assert count == {"paper": 40, "competitor": 82}
    assert paper[Cell("market1501", "bot", "rk"), "mAP"].value == 94.2
    assert paper[Cell("cuhk03-detected", "osnet", "plain"), "R1"].value == 72.3


def test_each_printed_cell_of_a_competitor_has_a_verdict_of_its_own(study):
    whole = study[3]["table2"]
    bot = [each for each in whole.cells if each.method == "bot" and each.verdict]
    assert {(each.dataset, each.ranking) for each in bot} == {
        (dataset, ranking)
        for dataset in ("market1501", "dukemtmc-reid")
        for ranking in ("plain", "rk")
    }
    mgn = [each for each in whole.cells if each.method == "mgn" and each.verdict]
    assert [(each.ranking, each.owner) for each in mgn] == [("plain", "competitor")] * 8
    verdicts = {each.dataset: each.verdict for each in mgn if each.quantity == "mAP"}
    assert verdicts == {
        "market1501": "REPRODUCED",
        "dukemtmc-reid": "EXCEEDS",
        "cuhk03-labeled": "BELOW",
        "cuhk03-detected": "INCONCLUSIVE",
    }
    cell = whole.cell("cuhk03-labeled", "bot", "plain", "mAP")
    assert (cell.verdict, cell.reason) == ("", "The paper prints no value for this cell.")


def test_the_answer_counts_the_papers_own_cells_and_its_competitors_apart(study):
    folder, _, _, compared = study
    assert answer(compared["table2"]) == (
        "10 of 40 cells of the paper's own methods reproduce (10 EXCEEDS, 10 BELOW, "
        "10 INCONCLUSIVE), 6 of 16 of its competitors' (6 EXCEEDS, 2 BELOW, 2 INCONCLUSIVE), "
        "2 of 8 claims hold (6 OPEN). 0.3 BELOW or EXCEEDS are expected by chance."
    )
    assert answer(compared["table1"]) == (
        "10 of 40 cells reproduce (10 EXCEEDS, 10 BELOW, 10 INCONCLUSIVE), "
        "2 of 8 claims hold (6 OPEN). 0.3 BELOW or EXCEEDS are expected by chance."
    )
    others = [each for each in compared["table2"].cells if each.owner == "competitor"]
    alone = replace(compared["table2"], cells=tuple(others[:1]))
    assert answer(alone).startswith("1 of 1 cell of the paper's competitors reproduces, 2 of 8")
    write_answer(compared["table2"], folder / "verdict.json")
    summary = json.loads((folder / "verdict.json").read_text())
    assert summary["cells"]["all"] == len(summary["cell_verdicts"]) == 40
    assert {each["method"] for each in summary["cell_verdicts"]} == {*OWN}
    competitors = summary["competitors"]
    assert competitors["cells"] == {
        "all": 16,
        "REPRODUCED": 6,
        "EXCEEDS": 6,
        "BELOW": 2,
        "INCONCLUSIVE": 2,
        "INCOMPLETE": 0,
        "expected_by_chance": competitors["cells"]["expected_by_chance"],
    }
    assert {each["method"] for each in competitors["cell_verdicts"]} == {"bot", "mgn"}


def test_table_1_is_what_it_is_without_competitors(study, tmp_path):
    folder, params, results, compared = study
    alone = tiny.params(tmp_path, paper_study.CHANGES)
    assert repr(tiny.compared(alone, results, "table1")) == repr(compared["table1"])
    # It does not wait for the others' runs.
    without = tmp_path / "without"
    shutil.copytree(results, without)
    for method in paper_study.COMPETITORS:
        for dataset in paper_study.DATASETS:
            shutil.rmtree(without / dataset / method)
    found = tiny.compared(params, without, "table1", results.parent / "papers")
    assert repr(found) == repr(compared["table1"])
    files, out = [folder / "table1.parquet"], tmp_path / "table1.md"
    write_report("table1", params, "tiny", without, files, [out], root=tiny.PAPERS)
    text = out.read_text()
    assert text == report(study, "table1", "table1")
    assert "runs are missing" not in text
    assert "BoT" not in text


def test_claims_are_judged_the_same_for_both_tables(study):
    first, whole = study[3]["table1"], study[3]["table2"]
    assert repr(first.claims) == repr(whole.claims)
    assert repr(first.claim_parts) == repr(whole.claim_parts)
    # Differences are the same too, but for the family of their tests.
    for each in first.differences:
        (other,) = [
            other
            for other in whole.differences
            if (other.dataset, other.method, other.ranking)
            == (each.dataset, each.method, each.ranking)
            and other.quantity == each.quantity
        ]
        assert repr(replace(other, adjusted_p=each.adjusted_p, verdict=each.verdict)) == repr(each)
        assert other.adjusted_p >= each.adjusted_p


def test_a_claim_about_a_competitor_is_left_to_table_2_and_keeps_its_place(study, tmp_path):
    _, params, results, compared = study
    root = tiny.change_paper(tmp_path, paper_study.one_family)
    tiny.change_paper(tmp_path, lambda content: content["families"]["all"].append("over-mgn"))
    with (root / "top_db_net/claims.csv").open("a") as stream:
        stream.write("over-mgn,Better than MGN,top-db-net,plain,mgn,plain,mAP,all,Table 2\n")
    first = tiny.compared(params, results, "table1", root)
    whole = tiny.compared(params, results, "table2", root)
    assert len(whole.claims) == 9
    assert [each.id for each in first.claims] == [each.id for each in compared["table1"].claims]
    # One family of nine in both: the ninth counts as p = 1 where it is not judged.
    expected = hommel([*(each.p for each in first.claims), math.nan])[:8]
    assert [each.adjusted_p for each in first.claims] == pytest.approx(expected.tolist())
    expected = hommel([each.p for each in whole.claims])
    assert [each.adjusted_p for each in whole.claims] == pytest.approx(expected.tolist())


def rows(text, part="value"):
    return [row for row in csv.DictReader(io.StringIO(text)) if row["part"] == part]


def test_table_2_has_a_measured_row_of_each_method_under_its_published_title(study):
    text = report(study, "table2", "table2")
    lines = [line for line in text.splitlines() if line.startswith("| BoT (Luo 2019) |")]
    published, measured = (line.strip("| ").split(" | ")[1:] for line in lines)
    assert published[0] == "85.9<sub>6</sub>†"
    assert measured[0] == "85.9±0.1<sub>6</sub>&nbsp;✓<br><sub>85.9, ±0.2</sub>"
    assert re.fullmatch(r"[\d.]+±0\.1<sub>9</sub>", measured[4])  # printed nowhere
    for title in ("BoT+RK (Luo 2019)", "MGN (Wang 2018)", "MGN+RK (Wang 2018)"):
        assert any(line.startswith(f"| {title} |") and "±" in line for line in text.splitlines())
    notes = text.partition("## Notes")[2]
    assert "The competitors' numbers are those of their own papers." in notes
    assert "SONA, DenSem and Auto-ReID are printed only" in notes
    assert "printed only" not in report(study, "table1", "table1")
    found = rows(report(study, "table2", "table2", out="table2.csv"))
    measured = [row for row in found if row["method"] == "bot" and row["seeds"]]
    assert len(measured) == 16
    assert {row["name"] for row in measured} == {"BoT (Luo 2019)", "BoT+RK (Luo 2019)"}
    differences = rows(report(study, "table2", "table2", out="table2.csv"), "difference")
    assert {"BoT", "MGN+RK"} <= {row["name"] for row in differences}


def test_each_table_has_the_family_of_its_own_methods(study):
    assert "no p of the 24 comparisons (plain) can fall" in report(study, "table1", "table1")
    assert "no p of the 40 comparisons (plain) can fall" in report(study, "table2", "table2")


def test_a_report_needs_the_comparisons_of_its_table(study):
    with pytest.raises(
        UserError, match="no comparisons of table1.*--paper top_db_net --table table1"
    ):
        report(study, "table1", "table2")
    with pytest.raises(UserError, match="no comparisons of all tables of top_db_net"):
        report(study, "verdict", "table1")
    with pytest.raises(UserError, match="no comparisons of table1"):
        report(study, "page", "table2", out="index.html")
    with pytest.raises(UserError, match="there is no table 'table3'.*name table1 or table2"):
        tiny.compared(*study[1:3], "table3")


def test_the_page_shows_each_table_with_its_own_comparisons(study):
    text = report(study, "page", "table2", "table1", out="index.html")
    shown = re.search(r'<p class="answer">(.*?)</p>', text).group(1)
    assert "10 of 40 numbers of the paper&#39;s own methods reproduce; 10 are higher" in shown
    assert "6 of 16 numbers of its competitors reproduce; 6 are higher, 2 lower" in text
    assert "no p of the 24 comparisons" in text
    assert "no p of the 40 comparisons" in text
    assert 'data-open="cell-market1501-mgn-rk"' in text


def test_rendered_data_are_compared_with_nobody(tmp_path):
    results = tmp_path / "results"
    for method in ("baseline", "mgn"):
        for seed in (1, 2):
            folder = tiny.write_run(results, "market1501", method, seed)
            tiny.write_queries(folder, [0.5 + seed / 10] * 4)
    changes = {"methods": ["baseline", "mgn"], "datasets.market1501.render": tiny.RENDER}
    params = tiny.params(tmp_path, changes)
    found = tiny.compared(params, results)
    assert {each.verdict for each in found.cells} == {""}
    assert all(math.isnan(each.published) for each in found.cells)
    assert answer(found).startswith("Rendered data: nothing is compared with the paper.")
