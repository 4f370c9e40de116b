"""A third paper is a folder: it gets its table and its verdicts with no code."""

import csv
import json
import shutil

import pytest
import tiny
import yaml

from topdb.config.papers import read_papers
from topdb.evidence.comparing import compare, of_paper
from topdb.planning import plan
from topdb.reporting.tables import claim_lines

PAPER = {
    "title": "Another comparison",
    "citation": "Somebody, 2021",
    "reference_method": "osnet",
    "methods": {
        "mgn": {"title": "MGN, ours", "own": True},
        "osnet": {"title": "OSNet", "authors": "Zhou"},
    },
    "tables": {
        "main": {
            "title": "Table 4. Everything",
            "columns": {"datasets": ["market1501"], "metrics": ["mINP", "mAP"]},
            "measures": "rows",
            "places": True,
            "blocks": [
                {"title": "As printed", "rows": {"MGN": "mgn", "OSNet": "osnet", "New": None}}
            ],
        }
    },
    "margins": {"default": 3.0},
}
PRINTED = "method,market1501_mINP,market1501_mAP\nMGN,60.0,85.0\nOSNet,55.0,80.0\nNew,50.0,84.0\n"
CLAIMS = (
    "id,title,better_method,better_ranking,worse_method,worse_ranking,quantity,datasets,source\n"
    "mgn-over-osnet,MGN is better,mgn,plain,osnet,plain,mAP,market1501,Table 4\n"
)
AP = {"baseline": 0.5, "mgn": 0.85, "osnet": 0.8}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with three papers and the runs of three methods."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny.PAPERS, tmp_path / "papers")
    folder = tmp_path / "papers/third"
    folder.mkdir()
    (folder / "paper.yaml").write_text(yaml.safe_dump(PAPER, sort_keys=False))
    (folder / "main.csv").write_text(PRINTED)
    (folder / "claims.csv").write_text(CLAIMS)
    tiny.write_params(
        tmp_path,
        {
            "methods": [*AP],
            "changes": {},
            "seeds": [1, 2, 3],
            "rankings": ["plain"],
            "papers": ["top_db_net", "bag_of_tricks", "third"],
            "metrics": ["mAP", "mINP"],
        },
    )
    for method, level in AP.items():
        for seed in (1, 2, 3):
            run = tiny.write_run(tmp_path / "results/tiny", "market1501", method, seed)
            spread = [-0.1, 0.0, 0.1, 0.02 * (seed - 2)]
            tiny.write_queries(run, [level + each for each in spread])
    return tmp_path


def read(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_third_paper_gets_its_table_by_the_command_line(project, monkeypatch, capfd):
    of_third = ["--paper", "third", "--comparisons", "c.parquet"]
    for command in (
        ["judge", "--paper", "third", "--out", "c.parquet"],
        ["report", "main", *of_third, "--out", "main.md", "--out", "main.csv", "--out", "main.tex"],
        ["report", "verdict", *of_third, "--out", "verdict.json"],
    ):
        assert tiny.topdb(monkeypatch, *command) == 0, capfd.readouterr().err
    text = (project / "main.md").read_text()
    assert text.startswith("# Table 4. Everything\n")
    assert "| Method | Market-1501 mAP | Market-1501 mINP |" in text
    assert "| New | 84.0<sub>2</sub> | 50.0<sub>3</sub> |" in text
    assert "| MGN, ours | 85.0±0.5<sub>1</sub>&nbsp;✓<br><sub>85.0, ±" in text
    assert "| OSNet (Zhou) |" in text
    assert "Baseline" not in text.partition("## Notes")[0]
    assert "within ±3 points" in text
    assert "## Difference to OSNet" in text
    values = [row for row in read(project / "main.csv") if row["part"] == "value"]
    assert {row["delta"] for row in values if row["seeds"]} == {"3.0"}
    verdict = json.loads((project / "verdict.json").read_text())
    assert verdict["cells"]["all"] == 2
    assert verdict["competitors"]["cells"]["all"] == 2
    assert [claim["id"] for claim in verdict["claim_verdicts"]] == ["mgn-over-osnet"]


def test_a_third_paper_is_planned_and_bundled_and_judged_with_the_others(
    project, monkeypatch, capfd
):
    (project / "data/market1501").mkdir(parents=True)
    params = tiny.load(project / "params.yaml")
    planned = plan(params, None)["papers"]
    assert [paper["name"] for paper in planned] == ["top_db_net", "third"]
    assert planned[1]["tables"] == {"main": ("mgn", "osnet")}
    assert planned[1]["files"] == [
        f"papers/third/{n}" for n in ("paper.yaml", "main.csv", "claims.csv")
    ]
    assert tiny.topdb(monkeypatch, "bundle", "--out", "b.tar.gz") == 0
    shutil.rmtree(project / "papers")
    assert tiny.topdb(monkeypatch, "verdict", "b.tar.gz", "--out", "out") == 0, capfd.readouterr()
    for name in ("table1.md", "table2.md", "verdict.json", "index.html"):
        assert (project / "out" / name).is_file()
    for name in ("main.md", "main.csv", "main.tex", "verdict.json"):
        assert (project / "out/third" / name).is_file()
    assert (project / "out/comparisons/third/main.parquet").is_file()


def test_a_metric_that_a_paper_does_not_print_has_no_verdict(project):
    params = tiny.load(project / "params.yaml")
    papers = read_papers(params)
    found = compare(params, "tiny", project / "results/tiny", papers, papers[0], "table2")
    verdicts = {each.quantity: each.verdict for each in found.cells if each.method == "mgn"}
    assert verdicts["mINP"] == ""
    assert verdicts["mAP"]
    # Claims about a metric that is not listed are left out.
    assert {each.quantity for each in found.claims} == {"mAP"}


def test_a_line_of_metrics_makes_them_appear_everywhere(tmp_path, monkeypatch):
    changes = {"metrics": ["mAP", "R1", "mINP", "R5"], "rankings": ["plain"]}
    params = tiny.params(tmp_path, changes)
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            run = tiny.write_run(tmp_path / "results", "market1501", method, seed)
            tiny.write_queries(run, [0.5, 0.6, 0.7, 0.8], first=[1, 2, 5, 6])
    compared = tiny.compared(params, tmp_path / "results")
    cell = compared.cell("market1501", "baseline", "plain", "R5")
    assert (cell.mean, cell.verdict) == (75.0, "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "papers").symlink_to(tiny.PAPERS)
    results = ["--results", "results"]
    outs = ["--out", "table2.md", "--out", "table2.csv", "--out", "table2.tex"]
    for command in (
        ["judge", "--out", "c.parquet"],
        ["report", "table2", "--comparisons", "c.parquet", *outs],
        ["report", "metrics", "--out", "metrics"],
    ):
        assert tiny.topdb(monkeypatch, *command, *results) == 0
    text = (tmp_path / "table2.md").read_text()
    names = ("mAP", "R1", "mINP", "R5")
    header = " | ".join(f"Market-1501 {name}" for name in names)
    assert f"| Method | {header} |" in text
    assert "mAP, rank-1 (R1), mINP and rank-5 (R5) in percent" in text
    assert "| Δ mINP [95 %] | p | Δ R5 [95 %] |" in text
    assert {row["quantity"] for row in read(tmp_path / "table2.csv") if row["part"] == "value"} == {
        *names
    }
    told = json.loads((tmp_path / "metrics/plain/market1501/baseline.json").read_text())
    assert told["R5"] == 75.0
    assert {*names} <= told.keys()


def test_the_claims_of_a_paper_are_gathered_over_all_of_its_tables(tmp_path):
    """Where no table measures everything, each adds the claims about its own methods."""

    def split(content):
        del content["families"]
        second = content["tables"]["table2"]
        second["measures"] = "rows"
        for block in second["blocks"]:
            block["rows"] = {name: (m if m == "mgn" else None) for name, m in block["rows"].items()}

    root = tiny.change_paper(tmp_path, split)
    with (root / "top_db_net/claims.csv").open("a") as stream:
        stream.write("in-mgn,Re-ranking helps MGN,mgn,rk,mgn,plain,mAP,all,Table 2\n")
    params = tiny.params(tmp_path, {"methods": ["baseline", "top-db-net", "mgn"]})
    (paper,) = papers = read_papers(params, root)
    tables = [
        compare(params, "tiny", tmp_path / "results", papers, paper, table)
        for table in paper.tables
    ]
    ids = [{claim.id for claim in each.claims} for each in tables]
    assert "in-mgn" not in ids[0]
    assert ids[1] == {"in-mgn"}
    lines = claim_lines(params.selected(), of_paper(tables, paper))
    assert {line.claim.id for line in lines} == {claim.id for claim in paper.claims}
