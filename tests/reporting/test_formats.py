"""The three formats of a table: the same content, and names that mean harm."""

import csv
import io
import re
import shutil
import subprocess

import paper_study
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from topdb.config.papers import read_papers
from topdb.reporting.documents import Code
from topdb.reporting.rendering import FORMATS, LATEX, latex, markdown, markdown_text, render
from topdb.reporting.tables import table_document
from topdb.results.runs import Run

HOSTILE = [
    "A|B\nC",
    r"\input{/etc/passwd} $x_1^2$ 100% #1 & {~}",
    "<script>alert(1)</script> &lt; `code` *x* [a](http://b) ![i](c)",
    "=cmd()",
    "Ünïcödé – ± † 中文",
    "\\\\ \\end{tabular} \\hline",
    "]] [[ \"quoted\" 'single'",
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Table 2 of a study with every verdict, in its three formats."""
    folder = tmp_path_factory.mktemp("study")
    missing = (Run("market1501", "no-reg", 5),)
    params, results = paper_study.write_study(folder, missing)
    for table in ("table1", "table2"):
        write_table(folder, params, results, table, tiny.PAPERS)
    return folder


def write_table(folder, params, results, table, root):
    papers = read_papers(params, root)
    compared = tiny.compared(params, results, table, root)
    made = table_document(params, "tiny", results, papers, papers[0], table, compared)
    for suffix in FORMATS:
        (folder / f"{table}{suffix}").write_text(render(made, suffix), encoding="utf-8")


def values(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    return [row for row in rows if row["part"] == "value"]


def test_every_verdict_appears_in_table_2(study):
    text = (study / "table2.md").read_text()
    for verdict in ("REPRODUCED", "EXCEEDS", "BELOW", "INCONCLUSIVE", "INCOMPLETE", "HOLDS"):
        assert verdict in text
    lines = [line for line in text.splitlines() if line.startswith("| Top-DB-Net |")]
    cells = lines[0].strip("| ").split(" | ")
    assert re.fullmatch(r"85\.8±0\.1<sub>7</sub>&nbsp;✓<br><sub>85\.8, ±0\.\d</sub>", cells[1])
    assert cells[3].startswith("76.5±0.1<sub>6</sub>&nbsp;▲<br><sub>73.5, ±3.")
    assert cells[5].startswith("71.4±0.1<sub>7</sub>&nbsp;▼<br><sub>75.4, ±4.")
    assert re.fullmatch(
        r"74\.6±1\.1<sub>3</sub>&nbsp;\?<br><sub>73\.2, ±2\.\d, \d+ seeds</sub>", cells[7]
    )
    assert "**Sensitivity**: cells that reproduce if each printed number is the best of 3" in text


def test_csv_and_latex_have_the_markdowns_values(study):
    for table in ("table1", "table2"):
        text = (study / f"{table}.md").read_text()
        tex = (study / f"{table}.tex").read_text()
        rows = values((study / f"{table}.csv").read_text())
        assert len(rows) == {"table1": 32 + 32, "table2": 98 + 64}[table]
        for row in rows:
            shown = f"{float(row['value']):.1f}"
            if row["seeds"]:
                shown += f" ± {float(row['sd']):.1f}"
                shown += f" ({row['seeds']})" if row["seeds"] != "5" else ""
            assert "| " + shown.replace(" ± ", "±") in text
            assert shown.replace("±", r"$\pm$") in tex
            assert row["verdict"] in text


def test_csv_keeps_claims_differences_and_notes(study):
    rows = list(csv.DictReader(io.StringIO((study / "table2.csv").read_text())))
    count = {part: sum(row["part"] == part for row in rows) for part in {r["part"] for r in rows}}
    assert count["claim"] == 8
    assert count["claim_part"] == 32
    assert count["difference"] == 48
    assert any("misprint" in row["reason"] or "the paper prints" in row["reason"] for row in rows)
    (cell,) = [
        row
        for row in rows
        if (row["part"], row["method"], row["ranking"]) == ("value", "no-reg", "plain")
        and (row["dataset"], row["quantity"]) == ("market1501", "mAP")
    ]
    assert (cell["verdict"], cell["reason"]) == ("INCOMPLETE", "4 of 5 runs are there.")
    assert (cell["published"], cell["delta"]) == ("83.9", "1.0")


def hostile_tables(folder, name):
    """Both tables of a project whose data set and rows have a hostile name."""

    def add(content):
        for table in content["tables"].values():
            table["blocks"][0]["rows"][name] = None

    root = tiny.change_paper(folder, add)
    for table in ("table1", "table2"):
        path = root / f"top_db_net/{table}.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        rows.append([name, *rows[1][1:]])
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)
    params = tiny.params(folder, {"datasets.market1501.title": name, "rankings": ["plain"]})
    results = folder / "results"
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            device = {"git": None, "versions": {"torch": name}, "device": name, "threads": 1}
            run = tiny.write_run(results, "market1501", method, seed, environment=device)
            tiny.write_queries(run, [0.5 + seed / 10] * 4)
    write_table(folder, params, results, "table2", root)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_breaks_no_table(tmp_path, name):
    hostile_tables(tmp_path, name)
    text = (tmp_path / "table2.md").read_text(encoding="utf-8")
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    table = rows[: rows.index(next(row for row in rows if row.startswith("| Claim |")))]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in table} == {4}
    flat = " ".join(name.split())
    with (tmp_path / "table2.csv").open(newline="", encoding="utf-8") as stream:
        names = {row["name"] for row in csv.DictReader(stream)}
    assert flat in names or f"'{flat}" in names
    assert not any(each.startswith(("=", "+", "-", "@")) for each in names)


@given(st.text(max_size=40))
def test_markdown_keeps_a_name_in_its_cell(name):
    written = markdown(name)
    assert "\n" not in written
    assert "<" not in written
    assert re.search(r"(?<!\\)(\\\\)*\|", written) is None
    assert "`" not in markdown_text((Code(name),))[1:-1]


@given(st.text(max_size=40))
def test_latex_leaves_no_letter_that_it_would_obey(name):
    written = latex(name)
    for known in sorted(LATEX.values(), key=len, reverse=True):
        written = written.replace(known, "")
    assert not set(written) & set("\\{}$&#%^_~\"'`<>|[]")
    assert all(letter.isprintable() for letter in written)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs Debian's texlive-latex-recommended")
def test_latex_compiles_whatever_the_names(study, tmp_path):
    for number, name in enumerate(HOSTILE):
        (tmp_path / f"{number}").mkdir()
        hostile_tables(tmp_path / f"{number}", name)
    inputs = [study / "table1", study / "table2"]
    inputs += [tmp_path / f"{number}/table2" for number in range(len(HOSTILE))]
    document = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{graphicx}",
        r"\begin{document}",
        *(rf"\input{{{path}.tex}}\clearpage" for path in inputs),
        r"\end{document}",
    ]
    (tmp_path / "all.tex").write_text("\n".join(document))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")
    assert (tmp_path / "all.pdf").is_file()
