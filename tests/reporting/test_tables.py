import pytest
import tiny

from topdb.errors import UserError
from topdb.reporting.comparisons import write_comparisons
from topdb.reporting.markdown import p_value, table
from topdb.reporting.reports import write_report

PUBLISHED = tiny.ROOT / "reports/published"
AP = {"baseline": (0.50, 0.54), "top-db-net": (0.60, 0.70)}


def write_results(results, dataset="market1501", rankings=("plain", "rk")):
    for method, values in AP.items():
        for seed, ap in zip((1, 2), values, strict=True):
            folder = tiny.write_run(results, dataset, method, seed)
            for ranking in rankings:
                tiny.write_queries(folder, [ap] * 4, ranking, first=[1, 1, 1, 2])


def render(folder, what="table1", changes=None, published=PUBLISHED) -> str:
    params = tiny.params(folder, changes)
    write_comparisons(params, "tiny", folder / "results", folder / "comparisons.parquet")
    out = folder / f"{what}.md"
    write_report(
        what, params, "tiny", folder / "results", folder / "comparisons.parquet", published, out
    )
    return out.read_text(encoding="utf-8")


def cells(document: str, method: str) -> list[list[str]]:
    """The cells of the lines whose first cell is `method`."""
    lines = [line.strip("| ").split(" | ") for line in document.splitlines() if "|" in line]
    return [line[1:] for line in lines if line[0] == method]


def test_measured_cells_show_mean_deviation_and_seeds(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path)
    # 50 and 54: mean 52, deviation 2.8; three of four queries right in both.
    assert cells(document, "Baseline")[-1] == ["52.0 ± 2.8 (2)", "75.0 ± 0.0 (2)"]
    assert cells(document, "Top-DB-Net")[-1] == ["65.0 ± 7.1 (2)", "75.0 ± 0.0 (2)"]
    assert cells(document, "Top-DB-Net")[0] == ["85.8", "94.9"]  # the published row
    assert "Incomplete" not in document


def test_differences_to_the_reference_are_shown_with_their_tests(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path)
    (row,) = [line for line in document.splitlines() if line.startswith("| Market-1501 |")]
    assert "+13.0 [" in row
    assert row.rstrip(" |").endswith("2/2")
    assert "no p of the 2 comparisons (plain) can fall below 0.67" in document


@pytest.mark.parametrize("what", ["table1", "table2"])
def test_the_first_line_warns_exactly_where_data_are_drawn(tmp_path, what):
    write_results(tmp_path / "results")
    real = render(tmp_path, what)
    assert real.startswith("# Table")
    assert "endered" not in real
    drawn = render(tmp_path, what, {"datasets.market1501.render": tiny.RENDER})
    first = drawn.splitlines()[0]
    assert first.startswith("> **Rendered data.**")
    assert "cannot be compared with the published rows" in first
    assert "**Measured on rendered data**" in drawn


def test_missing_runs_are_a_dash_and_counted(tmp_path):
    tiny.write_queries(tiny.write_run(tmp_path / "results", "market1501", "baseline", 2), [0.5] * 4)
    document = render(tmp_path)
    assert cells(document, "Baseline")[-1] == ["50.0 (1)", "100.0 (1)"]
    assert cells(document, "Top-DB-Net")[-1] == ["–", "–"]
    assert "**Incomplete**: 3 of 4 runs are missing." in document


def test_a_table_without_any_run_still_stands(tmp_path):
    document = render(tmp_path, "table2")
    assert "**Incomplete**: 4 of 4 runs are missing." in document
    assert cells(document, "Top-DB-Net+RK")[-1] == ["–", "–"]
    assert "Difference" not in document


def test_table_2_shows_recomputed_places_and_marks_the_papers_oddities(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, "table2")
    assert cells(document, "SONA (Xia 2019)")[0][0] == "88.6<sub>1</sub>"
    assert cells(document, "BoT (Luo 2019)")[0][0] == "85.9<sub>6</sub>†"
    assert cells(document, "Top-DB-Net (Ours)")[0][0] == "85.8<sub>7</sub>†"
    assert "BoT (Luo 2019), market1501 mAP: the paper prints place 5; recomputed it is 6." in (
        document
    )
    assert "Top-DB-Net (Ours), market1501 mAP: the paper prints place 6; recomputed" in document
    assert cells(document, "Top-DB-Net+RK (Ours)")[0][0].startswith("94.1<sub>2</sub>")
    assert cells(document, "Top-DB-Net+RK")[0] == ["65.0 ± 7.1 (2)", "75.0 ± 0.0 (2)"]


def test_a_data_set_that_the_paper_does_not_show_has_dashes_for_published(tmp_path):
    datasets = {"pets09": {"layout": "market1501", "root": "data/pets09"}}
    write_results(tmp_path / "results", "pets09")
    for what in ("table1", "table2"):
        document = render(tmp_path, what, {"datasets": datasets})
        assert "| Method | pets09 mAP | pets09 R1 |" in document
        assert cells(document, "Baseline")[-1] == ["52.0 ± 2.8 (2)", "75.0 ± 0.0 (2)"]
    assert cells(document, "SONA (Xia 2019)")[0] == ["–", "–"]


def test_notes_name_data_code_machine_and_evaluator(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, "table2")
    assert "Profile `tiny`, recipe `released`, seeds 1, 2." in document
    assert "Data `market1501`: digest `1234567890abcdef`." in document
    assert "Code: `0123456789ab`." in document
    assert "a processor, 1 thread(s) a run; torch 2.14.1" in document
    assert "Evaluator `plain`: squared Euclidean, float32; AP rule `step`." in document
    assert "re-ranking `torchreid`, k1 = 20, k2 = 6, lambda = 0.3." in document


def test_code_that_was_changed_or_is_no_checkout_is_called_so(tmp_path):
    environment = {"versions": {"torch": "2"}, "device": "x", "threads": 1}
    for seed, git in ((1, None), (2, {"commit": "f" * 40, "dirty": True})):
        tiny.write_run(
            tmp_path / "results",
            "market1501",
            "baseline",
            seed,
            environment={**environment, "git": git},
        )
    document = render(tmp_path)
    assert f"Code: `{'f' * 12}` with uncommitted changes, not a git checkout." in document


def test_a_title_with_a_pipe_or_a_line_break_does_not_break_the_table(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, changes={"datasets.market1501.title": "A|B\nC"})
    header = next(line for line in document.splitlines() if line.startswith("| Method"))
    assert header == "| Method | A\\|B C mAP | A\\|B C R1 |"
    assert "| A\\|B C | Top-DB-Net |" in document


def test_every_row_of_a_table_has_as_many_cells_as_its_header():
    lines = table(["a", "b", "c"], [["1", "2|3", "4\n5"]]).splitlines()
    assert lines == ["| a | b | c |", "| :-- | --: | --: |", "| 1 | 2\\|3 | 4 5 |"]


@pytest.mark.parametrize(
    ("p", "text"), [(0.0312, "0.031"), (0.0004, "<0.001"), (1.0, "1.000"), (float("nan"), "–")]
)
def test_p_values_have_the_digits_that_matter(p, text):
    assert p_value(p) == text


def test_an_unknown_report_and_a_missing_option_are_named(tmp_path):
    params = tiny.params(tmp_path)
    arguments = (params, "tiny", tmp_path, None, PUBLISHED, tmp_path / "x")
    with pytest.raises(UserError, match="no report 'table3': name table1, table2, metrics, plots"):
        write_report("table3", *arguments)
    with pytest.raises(UserError, match="table1 needs --comparisons"):
        write_report("table1", *arguments)
