"""The parts of the page that have something to get wrong."""

import json
import math
import re
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from page_project import HOSTILE

from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.reporting.documents import ClaimLine
from topdb.reporting.evidence import Evidence
from topdb.reporting.looks import KNOWN
from topdb.reporting.page.cells import run_facts, undecided
from topdb.reporting.page.claims import axis_of, bar, claim_rows
from topdb.reporting.page.writing import plot_groups
from topdb.reporting.titles import titles_of
from topdb.results.comparisons import Comparisons, read_comparisons, write_comparisons
from topdb.results.seals import write_sealed_json, write_sealed_table

METHODS = ("baseline", "top-db-net")


def write_study(results, epochs=2):
    for method, ap in zip(METHODS, ([0.2, 0.4, None], [0.6, 0.8, None]), strict=True):
        for seed in (1, 2):
            run = tiny.write_run(results, "market1501", method, seed, epochs)
            tiny.write_queries(run, ap, first=[1, 3, 0])


def evidence(folder, changes=None):
    params = tiny.params(folder, {"rankings": ["plain"], **(changes or {})})
    papers = read_papers(params, tiny.PAPERS)
    none = Comparisons("tiny", rendered=True, paper=papers[0].name, tables=())
    return Evidence(params, "tiny", folder / "results", papers, none)


def test_runs_and_the_cmc_worked_out_by_hand(tmp_path):
    write_study(tmp_path / "results")
    groups = {group.id: group for group in plot_groups(evidence(tmp_path))}

    def rows(name):
        (panel,) = groups[name].panels
        return [row for row in panel.spec["data"]["values"] if row["method"] == "Baseline"]

    assert [(row["quantity"], row["seed"], row["value"]) for row in rows("seeds")] == [
        ("mAP", 1, 30.0),
        ("mAP", 2, 30.0),
        ("R1", 1, 50.0),
        ("R1", 2, 50.0),
    ]
    # The query without a match does not count.
    assert [row["value"] for row in rows("cmc")] == [50.0, 50.0, *[100.0] * 18]


def test_plots_are_shown_of_what_there_is(tmp_path):
    write_study(tmp_path / "results")
    groups = plot_groups(evidence(tmp_path))
    assert [group.id for group in groups] == ["seeds", "cmc", "training"]
    for group in groups:
        for panel in group.panels:
            assert "$schema" not in panel.spec
            assert "http" not in json.dumps(panel.spec)


def test_methods_never_look_the_same_and_look_the_same_in_every_profile(tmp_path):
    every = evidence(tmp_path, {"methods": list(KNOWN)}).looks
    for attribute in ("title", "colour", "shape", "dash"):
        assert len({getattr(look, attribute) for look in every}) == len(KNOWN)
    some = evidence(tmp_path, {"methods": ["baseline", "top-db-net", "mhn"]}).looks
    assert some == (every[0], every[3], every[KNOWN.index("mhn")])


def test_claims_may_be_about_different_data_sets(tmp_path, real):
    comparisons = read_comparisons(real.comparisons, "tiny")
    claim = comparisons.claims[0]
    a, b, c = (replace(comparisons.parts(claim.id)[0], dataset=name) for name in "abc")
    lines = [ClaimLine(claim, (a,), ("A",)), ClaimLine(claim, (b, a), ("B", "A"))]
    rows, axis = claim_rows(lines)
    assert [[each.name for each in row.bars] for row in rows] == [["A"], ["B", "A"]]
    assert [row.parts for row in rows] == [(("A", a),), (("B", b), ("A", a))]
    assert axis.low < 0 < axis.high
    assert claim_rows([])[0] == ()
    # Two data sets of one title are two all the same.
    ((row,), _) = claim_rows([ClaimLine(claim, (a, c), ("A", "A"))])
    assert row.parts == (("A", a), ("A", c))


def test_a_forest_plot_worked_out_by_hand(real):
    part = read_comparisons(real.comparisons, "tiny").claim_parts[0]
    one = replace(part, estimate=2.0, low=1.0, high=3.0, verdict="for")
    other = replace(part, estimate=-1.0, low=-40.0, high=4.0, verdict="open")
    none = replace(part, estimate=math.nan)
    axis = axis_of([one, other, none])
    # The longer interval ends in an arrow: the axis reaches three times the largest estimate.
    assert (axis.low, axis.high) == (-6.0, 4.0)
    assert [label for _, label, _ in axis.ticks] == ["−6", "−4", "−2", "0", "+2", "+4"]
    assert [at for at, _, _ in axis.ticks] == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    shown = bar("A", one, axis)
    assert (shown.at, shown.low, shown.high, shown.text) == (80.0, 70.0, 90.0, "+2.0 [+1.0, +3.0]")
    shown = bar("B", other, axis)
    assert (shown.low, shown.high, shown.beyond_low, shown.beyond_high) == (0.0, 100.0, True, False)
    assert (bar("C", none, axis).at, bar("C", none, axis).text) == (None, "–")


def test_a_cell_whose_summaries_are_missing_does_not_deny_its_runs(real, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(real.results, results)
    for path in results.rglob("metrics.json"):
        path.unlink()
    text = real.page("scores.html", results=results).read_text()
    assert "No run is finished." not in text
    assert "The runs' scores are there, their summaries (metrics.json) are not." in text


def test_one_seed_answers_about_checkpoints(real, tmp_path):
    params = tiny.params(tmp_path, {**real.changes, "seeds": [1]})
    comparisons = tmp_path / "one.parquet"
    write_comparisons(tiny.compared(params, real.results, root=real.papers), comparisons)
    text = real.page("one.html", params=params, comparisons=[comparisons]).read_text()
    assert "These checkpoints, not these methods" in text
    assert "1 seed<" in text
    shown = text.partition("These checkpoints, not these methods")[2].partition("</details>")[0]
    assert "Top-DB-Net has a higher mAP than the baseline" in shown
    assert "&lt;/script&gt;&lt;img" in shown  # the data set's title, and not its id


def test_one_ranking_is_enough(real, tmp_path):
    params = tiny.params(tmp_path, {**real.changes, "rankings": ["rk"]})
    comparisons = tmp_path / "rk.parquet"
    write_comparisons(tiny.compared(params, real.results, root=real.papers), comparisons)
    text = real.page("rk.html", params=params, comparisons=[comparisons]).read_text()
    assert '"name":"ranking","value":"rk"' in text
    assert "<legend>Ranking</legend>" not in text


def test_a_file_name_is_never_markup(real, tmp_path):
    table = pq.read_table(real.examples)
    at = table.column_names.index("path")
    hostile = table.set_column(at, "path", pa.array([HOSTILE] * table.num_rows))
    write_sealed_table(tmp_path / "examples.parquet", hostile)
    text = real.page("names.html", examples=tmp_path / "examples.parquet").read_text()
    assert HOSTILE not in text
    (later,) = re.findall(r'id="later">(.*?)</script>', text)
    assert 'title="&lt;/script&gt;' in json.loads(later)["lists-market1501"][1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", None),
        ("ap", None),
        ("ap", [1.0]),
        ("image", None),
        ("rank", 0.5),
    ],
)
def test_examples_of_other_kinds_are_named(real, tmp_path, name, value):
    table = pq.read_table(real.examples)
    at = table.column_names.index(name)
    path = tmp_path / "examples.parquet"
    write_sealed_table(path, table.set_column(at, name, pa.array([value] * table.num_rows)))
    with pytest.raises(UserError, match=r"examples.parquet cannot be read"):
        real.page("kinds.html", examples=path)


def test_facts_name_every_parameter_and_what_differs_between_runs(tmp_path):
    write_study(tmp_path / "results")
    tiny.write_run(
        tmp_path / "results",
        "market1501",
        "baseline",
        2,
        environment={"checkouts": [], "versions": {"torch": "9"}, "device": "b", "threads": 2},
        seconds={"train": 3.0, "extract": 1.0},
        peak_memory_mib=700.4,
        peak_gpu_memory_mib=9000.2,
    )
    profile = tiny.params(tmp_path, {"seeds": [1, 2, 3]}).selected("tiny")
    facts = run_facts(profile, tmp_path / "results")
    environment, recipe = dict(facts.environment), dict(facts.recipe)
    assert environment["runs"] == "4 of 6"
    assert environment["device"] == "a processor, b"
    assert environment["torch"] == "2.14.1, 9"
    assert environment["peak memory of a run"] == "700 MiB"
    assert environment["peak memory of a run's GPU"] == "9000 MiB"
    assert environment["seconds of a run, mean"] == "4.0"
    assert facts.commit is None
    assert recipe["scale.epochs"] == "–"  # the runs' own word, whatever the profile says by now
    assert recipe["scale.size"] == "–"
    assert recipe["changes.baseline.all.schedule.kind"] == "cosine"
    assert recipe["ranking.k1"] == "20"
    assert "changes.baseline.all.people" not in recipe  # None: nothing is changed


def test_a_broken_score_is_named(real, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(real.results, results)
    path = results / "market1501/baseline/seed-2/plain/metrics.json"
    metrics = json.loads(path.read_text())
    write_sealed_json(path, metrics | {"cmc": {}})
    with pytest.raises(UserError, match=r"seed-2/plain/metrics.json lacks the key.*topdb evaluate"):
        real.page("broken.html", results=results)


def test_undecided_cells_are_listed_from_the_nearest_to_settle(real):
    profile = real.params.selected("tiny")
    cell = read_comparisons(real.comparisons, "tiny").cells[0]
    cells = [
        replace(cell, verdict="INCONCLUSIVE", seeds_to_settle=None),
        replace(cell, verdict="REPRODUCED"),
        replace(cell, verdict="INCONCLUSIVE", seeds_to_settle=12),
        replace(cell, verdict="INCOMPLETE", seeds_to_settle=7),
    ]
    titles = titles_of(real.params, "tiny", read_papers(real.params, tiny.PAPERS))
    compared = Comparisons("tiny", rendered=False, cells=tuple(cells))
    found = undecided(profile, compared, titles)
    assert [each.seeds_to_settle for _, each in found] == [7, 12, None]
    assert found[0][0] == f"Baseline on {HOSTILE}"
