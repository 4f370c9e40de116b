"""The design table: the chance of each verdict before the runs."""

import paper_study
import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.evidence import chances as module
from topdb.evidence.chances import chances


def table(params, results, stated=()):
    (paper,) = read_papers(params, tiny.papers_beside(results))
    header, *rows, said = chances(params, "tiny", results, paper, stated)
    return {(row[1], row[2]): dict(zip(header, row, strict=True)) for row in rows}, said[0]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(module, "STUDIES", 400)


def test_assumed_spreads_before_there_are_runs(tmp_path):
    tiny.change_paper(tmp_path, paper_study.one_family)
    params = tiny.params(tmp_path, paper_study.CHANGES)
    found, said = table(params, tmp_path / "results", (20.0, -20.0))
    name = "full-over-baseline-mAP"
    assert found[name, "+20"]["HOLDS"] == "100 %"
    assert found[name, "-20"]["FAILS"] == "100 %"
    assert float(found[name, "no difference"]["HOLDS"].split()[0]) <= 4
    assert (name, "the published difference") in found
    cell = "market1501/baseline/plain mAP"
    assert float(found[cell, "no difference"]["REPRODUCED"].split()[0]) >= 85
    assert found[cell, "+20"]["EXCEEDS"] == "100 %"
    assert found[cell, "+20"]["HOLDS"] == ""
    assert said.startswith("5 seeds of each method, 400 simulated studies")
    assert "spreads of 0 of 32 parts of claims are measured" in said


def test_measured_spreads_where_runs_are_there(tmp_path):
    params, results = paper_study.write_study(tmp_path)
    found, said = table(params, results)
    assert "spreads of 32 of 32 parts of claims are measured" in said
    # Seeds scatter by 0.1 on three data sets, and by nine times that on the fourth.
    wide = found["cuhk03-detected/baseline/plain mAP", "no difference"]["REPRODUCED"]
    assert found["market1501/baseline/plain mAP", "no difference"]["REPRODUCED"] == "100 %"
    assert float(wide.split()[0]) < 80


def test_the_command_prints_a_table(tmp_path, monkeypatch, capsys):
    params = tiny.write_params(tmp_path, {"statistics.assumed": {"seed": 0.1, "persons": 50}})
    arguments = ["--power", "--difference", "2", "--params", params, "--papers", tiny.PAPERS]
    monkeypatch.chdir(tmp_path)
    assert tiny.topdb(monkeypatch, "plan", *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| kind | name | truth | HOLDS | FAILS | OPEN | ")
    assert any(line.startswith("| claim | full-over-baseline-mAP | +2 |") for line in lines)
    assert lines[-1].startswith("2 seeds of each method")
