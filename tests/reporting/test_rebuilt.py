"""A rebuilt method never passes for the original: its title, its missing verdict, its note."""

import csv
import json
import re
import shutil

import pytest
import tiny

from topdb.methods.auto_reid_style import AutoReIDStyle

KNOWN = "Known is 'nothing', and no number can confirm it."
OWN = f"""class Copy:
    title = "Copy"
    rebuilt = {KNOWN!r}
"""
RANDOM = {"start": {"kind": "imagenet", "weights": {}}, "start_digest": None}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two methods that follow code and two that are rebuilt, one of them of one's own; bundled.

    The paper would call the package's own by the name of the original.
    """
    folder = tmp_path_factory.mktemp("rebuilt")
    (folder / "own").mkdir()
    (folder / "own/copy.py").write_text(OWN)

    def pose(paper):
        paper["methods"]["auto-reid-style"] = {"title": "Auto-ReID", "brief": "AR"}
        rows = paper["tables"]["table2"]["blocks"][0]["rows"]
        rows["Auto-ReID (Quan 2019)"] = "auto-reid-style"

    tiny.change_paper(folder, pose)
    methods = ["baseline", "bot", "auto-reid-style", "copy"]
    tiny.write_params(
        folder, {"methods": methods, "method_folders": ["own"], "rankings": ["plain"]}
    )
    for method in methods:
        for seed in (1, 2):
            start = RANDOM if method == "auto-reid-style" else {}
            run = tiny.write_run(folder / "results", "market1501", method, seed, **start)
            tiny.write_queries(run, [0.5, 0.6 + seed / 10, 0.7])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = ["bundle", "--papers", "papers", "--results", "results", "--out", "b"]
        assert tiny.topdb(patch, *command) == 0
        shutil.rmtree(folder / "own")
        shutil.rmtree(folder / "results")
        assert tiny.topdb(patch, "verdict", "b", "--out", "again") == 0
    return folder / "again"


def test_a_table_marks_titles_and_says_what_is_known(project):
    text = (project / "table2.md").read_text()
    rows = [line.split(" |")[0] for line in text.splitlines() if line.startswith("| ")]
    assert {"| Auto-ReID-style", "| Copy-style"} <= {*rows}
    assert not {"| Auto-ReID", "| Copy"} & {*rows}
    for title, known in (("Auto-ReID-style", AutoReIDStyle.rebuilt), ("Copy-style", KNOWN)):
        (note,) = [line for line in text.splitlines() if line.startswith(f"- **{title}**")]
        assert "no number can confirm it" in note
        assert known in note
    assert "**Random start** of `auto-reid-style`" in text
    assert "Random start** of `bot`" not in text


def test_a_rebuilt_method_has_the_printed_number_and_no_verdict(project):
    with (project / "table2.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["part"] == "value"]
    own = {row["quantity"]: row for row in rows if row["method"] == "auto-reid-style"}
    assert own["mAP"]["published"] == "85.1"
    assert {row["verdict"] for row in own.values()} == {""}
    assert all("rebuilt" in row["reason"] for row in own.values())
    bot = [row for row in rows if row["method"] == "bot"]
    assert all(row["verdict"] for row in bot)


def test_verdicts_count_no_rebuilt_method_and_name_it(project):
    found = json.loads((project / "verdict.json").read_text())
    assert found["rebuilt"] == {"auto-reid-style": AutoReIDStyle.rebuilt, "copy": KNOWN}
    judged = {each["method"] for each in found["competitors"]["cell_verdicts"]}
    assert judged == {"bot"}


def test_the_page_marks_it_too(project):
    page = (project / "index.html").read_text()
    assert '<th scope="row">Auto-ReID-style</th>' in page
    assert '<th scope="row">Auto-ReID</th>' not in page
    (later,) = re.findall(r'id="later">(.*?)</script>', page)
    _, details = json.loads(later)["cell-market1501-auto-reid-style-plain"]
    assert "No verdict" in details
    assert "Published 85.1" in details
    assert "no number can confirm it" in page
    assert "AR-style" in page
