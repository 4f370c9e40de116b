import json
import re

import pytest
import tiny

from topdb.errors import UserError
from topdb.reporting.rendering import p_value
from topdb.reporting.reports import write_report
from topdb.results.comparisons import write_comparisons

AP = {"baseline": (0.50, 0.54), "top-db-net": (0.60, 0.70)}


def write_results(results, dataset="market1501", rankings=("plain", "rk")):
    for method, values in AP.items():
        for seed, ap in zip((1, 2), values, strict=True):
            folder = tiny.write_run(results, dataset, method, seed)
            for ranking in rankings:
                tiny.write_queries(folder, [ap] * 4, ranking, first=[1, 1, 1, 2])


def render(folder, what="table1", changes=None, root=tiny.PAPERS) -> str:
    params = tiny.params(folder, changes)
    compared = tiny.compared(params, folder / "results", what, root)
    write_comparisons(compared, folder / "comparisons.parquet")
    out = folder / f"{what}.md"
    files = [folder / "comparisons.parquet"]
    write_report(what, params, "tiny", folder / "results", files, [out], root=root)
    return out.read_text(encoding="utf-8")


def cells(document: str, method: str) -> list[list[str]]:
    """The cells of the lines whose first cell is `method`."""
    lines = [line.strip("| ").split(" | ") for line in document.splitlines() if "|" in line]
    return [line[1:] for line in lines if line[0] == method]


def test_measured_cells_show_mean_deviation_and_the_published_value(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path)
    # 50 and 54: mean 52, deviation 2.8; three of four queries right in both. Behind the verdict the
    # margin that would do: the difference and 7.92, t at 0.96 with one degree, times 2.8 / sqrt(2).
    assert cells(document, "Baseline")[-1] == [
        "52.0±2.8&nbsp;?<br><sub>85.2, ±49.1, 3 seeds</sub>",
        "75.0±0.0&nbsp;▼<br><sub>94.1, ±19.1</sub>",
    ]
    # With two seeds one more run could fall anywhere: 65 ± 12.7 x 7.1 x 1.22. Three would show that
    # the mean is beyond the margin, and nine that the published run is none of these.
    assert cells(document, "Top-DB-Net")[-1] == [
        "65.0±7.1&nbsp;?<br><sub>85.8, ±60.4, 9 seeds</sub>",
        "75.0±0.0&nbsp;▼<br><sub>94.9, ±19.9</sub>",
    ]
    assert cells(document, "Top-DB-Net")[0] == ["85.8", "94.9"]  # the published row
    assert "Incomplete" not in document


def test_differences_to_the_reference_are_shown_with_their_tests(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path)
    (row,) = [line for line in document.splitlines() if line.startswith("| Market-1501 |")]
    assert "+13.0 [" in row
    # 2 + 2 seeds have six labellings: two comparisons cannot fall below 2 x 2 / 6. Four seeds have
    # 70, and reach 4 / 70, five 4 / 252.
    assert "With 2 + 2 seeds no p of the 2 comparisons (plain) can fall below 0.67" in document
    assert "5 + 5 seeds could bring it to 0.05." in document
    assert "two-sided. 2 seeds of each method.\n" in document
    assert "| Data set | Method | Δ mAP [95 %] | p | Δ R1 [95 %] | p |\n" in document
    assert "Holm over" not in document


def test_an_adjusted_p_that_can_say_something_is_shown(tmp_path):
    seeds = [1, 2, 3, 4, 5]
    for method, ap in (("baseline", 0.5), ("top-db-net", 0.7)):
        for seed in seeds:
            folder = tiny.write_run(tmp_path / "results", "market1501", method, seed)
            tiny.write_queries(folder, [ap + seed / 100] * 4, first=[1, 1, 1, 2])
    document = render(tmp_path, changes={"seeds": seeds})
    (row,) = [line for line in document.splitlines() if line.startswith("| Market-1501 |")]
    assert row.startswith("| Market-1501 | Top-DB-Net | +20.0 [")
    assert "] | 0.008 | 0.016 | " in row  # 2 / 252, and twice that
    assert "| Δ mAP [95 %] | p | p (Holm) | Δ R1 [95 %] | p | p (Holm) |\n" in document
    assert "Holm over all comparisons of the same ranking. 5 seeds of each method.\n" in document
    assert "can fall below" not in document


def test_numbers_of_seeds_stand_in_cells_where_they_differ_and_else_in_the_caption(tmp_path):
    write_results(tmp_path / "results")
    assert "Measured cells: mean ± standard deviation between 2 seeds. In small" in render(tmp_path)
    tiny.write_queries(tiny.write_run(tmp_path / "results", "market1501", "no-reg", 1), [0.4] * 4)
    document = render(tmp_path, changes={"methods": ["baseline", "no-reg", "top-db-net"]})
    assert (
        "mean ± standard deviation between 2 seeds; another number of seeds stands in brackets"
        in document
    )
    assert cells(document, "no-reg Top-DB-Net")[-1][0].startswith("40.0 (1)&nbsp;…<br>")
    assert cells(document, "Top-DB-Net")[-1][0].startswith("65.0±7.1&nbsp;?<br>")
    assert "| p | Seeds |\n" in document
    rows = [line for line in document.splitlines() if line.startswith("| Market-1501 |")]
    assert [row.rpartition(" | ")[2] for row in rows] == ["1/2 |", "2/2 |"]


def test_what_few_seeds_cannot_show_counts_missing_comparisons_too(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, changes={"methods": ["baseline", "no-reg", "top-db-net"]})
    assert "no p of the 4 comparisons (plain) can fall below 1.00" in document


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
    assert cells(document, "Baseline")[-1] == [
        "50.0&nbsp;…<br><sub>85.2</sub>",
        "100.0&nbsp;…<br><sub>94.1</sub>",
    ]
    assert cells(document, "Top-DB-Net")[-1] == [
        "–&nbsp;…<br><sub>85.8</sub>",
        "–&nbsp;…<br><sub>94.9</sub>",
    ]
    assert "Measured cells: of a single seed" in document
    assert "**Incomplete**: 3 of 4 runs are missing." in document


def test_a_table_without_any_run_still_stands(tmp_path):
    document = render(tmp_path, "table2")
    assert "**Incomplete**: 4 of 4 runs are missing." in document
    assert cells(document, "Top-DB-Net+RK")[-1] == [
        "–&nbsp;…<br><sub>94.1</sub>",
        "–&nbsp;…<br><sub>95.5</sub>",
    ]
    assert "Difference" not in document


def test_table_2_shows_recomputed_places_and_marks_the_papers_oddities(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, "table2")
    assert cells(document, "SONA (Xia 2019)")[0][0] == "88.6<sub>1</sub>"
    assert cells(document, "BoT (Luo 2019)")[0][0] == "85.9<sub>6</sub>†"
    assert cells(document, "Top-DB-Net (Ours)")[0][0] == "85.8<sub>7</sub>†"
    assert "BoT (Luo 2019), Market-1501 mAP: the paper prints place 5; recomputed it is 6." in (
        document
    )
    assert "Top-DB-Net (Ours), Market-1501 mAP: the paper prints place 6; recomputed" in document
    assert cells(document, "Top-DB-Net+RK (Ours)")[0][0].startswith("94.1<sub>2</sub>")
    # Its mean would be the fourth of the block's three different values.
    assert cells(document, "Top-DB-Net+RK")[0] == [
        "65.0±7.1<sub>4</sub>&nbsp;?<br><sub>94.1, ±68.7, 5 seeds</sub>",
        "75.0±0.0<sub>4</sub>&nbsp;▼<br><sub>95.5, ±20.5</sub>",
    ]


def test_a_data_set_that_the_paper_does_not_show_has_no_rows_of_dashes(tmp_path):
    datasets = {"pets09": {"layout": "market1501", "root": "data/pets09"}}
    write_results(tmp_path / "results", "pets09")
    for what in ("table1", "table2"):
        document = render(tmp_path, what, {"datasets": datasets})
        assert "| Method | pets09 mAP | pets09 R1 |" in document
        assert cells(document, "Baseline")[-1] == ["52.0±2.8", "75.0±0.0"]
        assert "| – |" not in document
        assert "without its drop stream" not in document
        assert "Published" not in document
        assert "Sub-indices" not in document
        assert document.startswith("# Results of profile tiny\n")


def test_rows_without_a_value_are_left_out_and_named(tmp_path):
    datasets = {"cuhk03-labeled": {"layout": "market1501", "root": "data/x"}}
    write_results(tmp_path / "results", "cuhk03-labeled")
    methods = ["baseline", "bot", "top-db-net"]
    document = render(tmp_path, "table2", {"datasets": datasets, "methods": methods})
    assert cells(document, "SONA (Xia 2019)")[0][0].startswith("79.2")
    assert cells(document, "BoT (Luo 2019)") == []  # nothing printed, and no run
    assert "- No run yet, and no row: BoT." in document


def test_notes_name_data_code_machine_and_evaluator(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, "table2")
    assert "Profile `tiny`, recipe `released`, seeds 1, 2." in document
    assert "Data `market1501`: single query; digest `1234567890abcdef`." in document
    assert re.search("Code: digest `[0-9a-f]{16}`; commit 0123456789ab.", document)
    assert "a processor, 1 thread(s) a run; torch 2.14.1" in document
    assert "Evaluator `plain`: squared Euclidean, float32; AP rule `step`." in document
    assert "re-ranking `torchreid`, k1 = 20, k2 = 6, lambda = 0.3." in document


def test_trainings_that_went_wrong_are_counted_and_named(tmp_path):
    results = tmp_path / "results"
    write_results(results)
    wrong = {"epoch": 2, "what": "loss", "value": 1.7e17, "limit": 38.0}
    folder = tiny.write_run(results, "market1501", "baseline", 2, diverged=wrong)
    document = render(tmp_path)
    assert (
        "**Diverged**: 1 of 4 trainings, whose scores are part of the means "
        "(market1501/baseline/seed-2: loss of epoch 2 was 1.7e+17, beyond 38)." in document
    )
    # A score of equal features is the gallery's order: no mean, difference or verdict is of it.
    path = folder / "plain/metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "collapsed": True}))
    document = render(tmp_path)
    assert (
        "**Collapsed** (`plain`): 1 of 4 runs give every image the same features, and their cells "
        "have no mean (market1501/baseline/seed-2)." in document
    )
    assert cells(document, "Baseline")[-1] == [
        "–&nbsp;…<br><sub>85.2, one of 2 runs collapsed</sub>",
        "–&nbsp;…<br><sub>94.1, one of 2 runs collapsed</sub>",
    ]
    assert cells(document, "Top-DB-Net")[-1][0].startswith("65.0±7.1&nbsp;?<br>")
    assert "52.0" not in document
    assert "| Market-1501 |" not in document  # a difference to the baseline


def test_notes_name_what_is_odd_about_the_data(tmp_path):
    results = tmp_path / "results"
    write_results(results)
    told = {
        "protocol": "Market-1501, single query",
        "content": "fedcba9876543210" * 4,
        "conversions": {"grey": 1200, "turned": 2},
        "copies": {"gallery": 3},
        "leaks": ["2 query images are in the gallery (a and b)"],
    }
    for path in results.glob("market1501/*/*/run.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "data": told}))
    document = render(tmp_path, "table2")
    assert (
        "Data `market1501`: Market-1501, single query; digest `1234567890abcdef`; content "
        "`fedcba9876543210`." in document
    )
    assert "Converted in `market1501`: 1,200 grey, 2 turned." in document
    assert "Copies of other images in `market1501`: 3 of gallery." in document
    assert (
        "**Doubtful**, data `market1501`: 2 query images are in the gallery (a and b)." in document
    )


def recipe_notes(document):
    notes = document.partition("## Notes")[2].splitlines()
    return [note for note in notes if note.startswith(("- Recipe of", "- **Changed**"))]


def test_notes_say_whose_recipe_is_another_one_and_what_was_changed(tmp_path):
    results = tmp_path / "results"
    note = "Its authors released no code"
    for seed in (1, 2):
        tiny.write_run(
            results,
            "market1501",
            "baseline",
            seed,
            recipe={"side": "described", "note": note},
            changes=["baseline: epochs 300", "baseline on market1501: rate 0.1"],
        )
        tiny.write_run(
            results,
            "market1501",
            "top-db-net",
            seed,
            recipe={"side": "released", "note": "Half as wide.", "epochs": 2},
            changes=["baseline: epochs 300"],
        )
    assert recipe_notes(render(tmp_path)) == [
        "- Recipe of `baseline`: `described`. Its authors released no code.",
        "- Recipe of `top-db-net`: `released`. Half as wide.",
        "- **Changed** in the recipes: baseline: epochs 300; baseline on market1501: rate 0.1.",
    ]


@pytest.mark.parametrize(
    "recipe", ["released", {"side": "released"}, {"side": "released", "note": ""}]
)
def test_notes_say_nothing_of_a_recipe_that_is_the_profiles(tmp_path, recipe):
    tiny.write_run(tmp_path / "results", "market1501", "baseline", 1, recipe=recipe)
    assert recipe_notes(render(tmp_path)) == []


def test_a_method_of_the_other_recipe_is_named_whether_there_is_a_note_or_not(tmp_path):
    tiny.write_run(tmp_path / "results", "market1501", "baseline", 1, recipe="described")
    assert recipe_notes(render(tmp_path)) == ["- Recipe of `baseline`: `described`."]


def test_code_that_was_changed_or_is_no_checkout_is_called_so(tmp_path):
    environment = {"versions": {"torch": "2"}, "device": "x", "threads": 1}
    changed = {"of": "topdb", "state": "changed", "files": ["topdb/code.py"], "more_files": 2}
    for seed, state in ((1, {"of": "topdb", "state": "none"}), (2, changed)):
        tiny.write_run(
            tmp_path / "results",
            "market1501",
            "baseline",
            seed,
            code=f"{seed}" * 64,
            environment={**environment, "checkouts": [state]},
        )
    document = render(tmp_path)
    assert "; no commit has it (changed: topdb/code.py and 2 more); no git checkout." in document
    assert f"**Different code** in runs of `baseline`: `{'1' * 16}`, `{'2' * 16}`." in document


def test_a_title_with_a_pipe_or_a_line_break_does_not_break_the_table(tmp_path):
    write_results(tmp_path / "results")
    document = render(tmp_path, changes={"datasets.market1501.title": "A|B\nC"})
    header = next(line for line in document.splitlines() if line.startswith("| Method"))
    assert header == "| Method | A\\|B C mAP | A\\|B C R1 |"
    assert "| A\\|B C | Top-DB-Net |" in document


def test_every_row_of_a_table_has_as_many_cells_as_its_header(tmp_path):
    write_results(tmp_path / "results")
    tables: list[list[str]] = [[]]
    for line in render(tmp_path, "table2").splitlines():
        tables += [[]] if not line.startswith("|") else []
        tables[-1] += [line] if line.startswith("|") else []
    tables = [table for table in tables if table]
    assert len(tables) == 3
    for table in tables:
        assert {line.count(" |") for line in table} == {table[0].count(" |")}
        rule = table[1].strip("| ").split(" | ")
        assert rule == [":--", *["--:"] * (len(rule) - 1)]


@pytest.mark.parametrize(
    ("p", "text"), [(0.0312, "0.031"), (0.0004, "<0.001"), (1.0, "1.000"), (float("nan"), "–")]
)
def test_p_values_have_the_digits_that_matter(p, text):
    assert p_value(p) == text


def test_an_unknown_report_and_a_missing_option_are_named(tmp_path):
    params = tiny.params(tmp_path)
    arguments = (params, "tiny", tmp_path, [], [tmp_path / "x"], None, (), tiny.PAPERS)
    with pytest.raises(
        UserError, match="no report 'table3': name table1, table2, verdict, metrics, plots"
    ):
        write_report("table3", *arguments)
    with pytest.raises(UserError, match="table1 needs --comparisons"):
        write_report("table1", *arguments)


def test_a_profile_of_re_ranking_alone_has_its_rows_in_table_1(tmp_path):
    write_results(tmp_path / "results", rankings=("rk",))
    document = render(tmp_path, changes={"rankings": ["rk"]})
    assert cells(document, "Baseline+RK")[0] == ["52.0±2.8", "75.0±0.0"]
    assert cells(document, "Top-DB-Net+RK")[0][1] == "75.0±0.0&nbsp;▼<br><sub>95.5, ±20.5</sub>"
    assert "The profile has no plain ranking" in document


def test_the_answer_stands_above_the_table(tmp_path):
    write_results(tmp_path / "results")
    answer = render(tmp_path).splitlines()[2]
    assert answer == (
        "**0 of 6 cells reproduce (3 BELOW, 3 INCONCLUSIVE), 0 of 8 claims hold (8 OPEN). 0.1 "
        "BELOW or EXCEEDS are expected by chance.**"
    )


@pytest.mark.parametrize("key", ["index_digest", "environment", "dataset"])
def test_a_run_that_lacks_a_key_is_named(tmp_path, key):
    write_results(tmp_path / "results")
    path = tmp_path / "results/market1501/baseline/seed-2/run.json"
    record = json.loads(path.read_text())
    del record[key]
    path.write_text(json.dumps(record))
    with pytest.raises(
        UserError, match=f"seed-2/run.json lacks the key '{key}': delete it and train"
    ):
        render(tmp_path)


def test_metrics_that_lack_their_evaluator_are_named(tmp_path):
    write_results(tmp_path / "results")
    path = tmp_path / "results/market1501/baseline/seed-2/plain/metrics.json"
    path.write_text("{}")
    with pytest.raises(UserError, match=r"metrics.json lacks the key 'queries': run `topdb"):
        render(tmp_path)


def test_a_table_has_three_formats_and_no_others(tmp_path):
    write_results(tmp_path / "results")
    render(tmp_path)
    params = tiny.params(tmp_path)
    arguments = ("tiny", tmp_path / "results", [tmp_path / "comparisons.parquet"])
    root = {"root": tiny.PAPERS}
    with pytest.raises(UserError, match=r"t.html has no format: end its name in .md, .csv, .tex"):
        write_report("table1", params, *arguments, [tmp_path / "t.md", tmp_path / "t.html"], **root)
    assert not (tmp_path / "t.md").exists()
    with pytest.raises(UserError, match="metrics is written to one place"):
        write_report("metrics", params, *arguments, [tmp_path / "a", tmp_path / "b"], **root)
