import re
from pathlib import Path

import pytest
import tiny

from topdb.errors import UserError
from topdb.results.runs import Cell, GridRun, cells, of_table, read_rows, runs, tables

PUBLISHED = tiny.ROOT / "reports/published"


def test_runs_are_every_combination_in_the_order_of_the_lists(tmp_path):
    profile = tiny.params(tmp_path, {"methods": ["top-db-net", "baseline"], "seeds": [7, 3]})
    assert list(runs(profile.selected())) == [
        GridRun("market1501", "top-db-net", 7),
        GridRun("market1501", "top-db-net", 3),
        GridRun("market1501", "baseline", 7),
        GridRun("market1501", "baseline", 3),
    ]


def test_cells_go_by_ranking_then_data_set_then_method(tmp_path):
    datasets = {
        name: {"layout": name, "root": f"data/{name}"} for name in ("market1501", "dukemtmc-reid")
    }
    profile = tiny.params(tmp_path, {"datasets": datasets, "methods": ["no-reg", "baseline"]})
    assert list(cells(profile.selected())) == [
        Cell(dataset, method, ranking)
        for ranking in ("plain", "rk")
        for dataset in ("market1501", "dukemtmc-reid")
        for method in ("no-reg", "baseline")
    ]


def test_the_shipped_mini_profile_has_every_method_that_the_paper_prints():
    from topdb.config import load

    profile = load(tiny.ROOT / "params.yaml").selected("mini")
    assert len(list(runs(profile))) == len(set(runs(profile))) == 11 * 4 * 5
    assert len(list(cells(profile))) == 11 * 4 * 2
    assert {row.method for row in read_rows(PUBLISHED)} == {*profile.methods}


def test_files_lie_where_the_workflow_expects_them():
    run = GridRun("market1501", "no-drop", 4)
    results = Path("results/mini")
    assert run.folder(results) == Path("results/mini/market1501/no-drop/seed-4")
    assert run.queries(results, "plain") == run.folder(results) / "plain" / "queries.parquet"
    assert run.metrics(results, "rk") == run.folder(results) / "rk" / "metrics.json"


def profile_of(tmp_path, *methods):
    return tiny.params(tmp_path, {"methods": list(methods)}).selected()


@pytest.mark.parametrize(
    ("methods", "first"),
    [
        (["top-db-net", "bot", "baseline"], ["top-db-net", "baseline"]),
        (["no-drop"], ["no-drop"]),
        (["bot", "mgn"], ["bot", "mgn"]),  # none of its own: all
    ],
)
def test_table_1_measures_its_own_methods_and_table_2_all(tmp_path, methods, first):
    profile = profile_of(tmp_path, *methods)
    found = {"table1": first, "table2": methods}
    assert tables(profile, published=PUBLISHED) == found
    rows = read_rows(PUBLISHED)
    assert of_table(profile, "table1", rows).methods == tuple(first)
    assert of_table(profile, "table2", rows).methods == profile.methods


def test_a_method_without_a_row_belongs_to_both_tables(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "my_method.py").write_text("")
    changes = {
        "method_folders": [str(own)],
        "methods": ["baseline", "my-method", "mgn", "top-db-net"],
    }
    profile = tiny.params(tmp_path, changes).selected()
    found = tables(profile, [own], PUBLISHED)
    assert found["table1"] == ["baseline", "my-method", "top-db-net"]
    assert found["table2"] == list(profile.methods)
    assert tables(profile, [own], tmp_path / "nothing")["table1"] == list(profile.methods)


GOOD = "table2,MGN (Wang 2018),mgn,plain"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([GOOD.replace("table2", "table3")], "has the table 'table3': name one of table1, table2"),
        (
            [GOOD.replace(",mgn,", ",nmg,")],
            "'MGN (Wang 2018)' has the method 'nmg': name one of abd",
        ),
        ([GOOD.replace("plain", "rr")], "has the ranking 'rr': name one of plain, rk"),
        ([GOOD.replace("mgn", "")], "the row 'MGN (Wang 2018)' has no method: fill it in"),
        (["table2,,mgn,plain"], "the row '?' has no row"),
        (["table2,MGN"], "the row 'MGN' has no method"),
        ([GOOD, GOOD], "has the row 'MGN (Wang 2018)' of table2 twice"),
        ([GOOD, "table2,MGN,mgn,plain"], "has two rows of table2 for mgn (plain)"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(tmp_path, rows, sentence):
    (tmp_path / "rows.csv").write_text("\n".join(["table,row,method,ranking", *rows]) + "\n")
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        read_rows(tmp_path)
    assert str(tmp_path / "rows.csv") in str(caught.value)


def test_files_that_are_no_rows_are_named(tmp_path):
    with pytest.raises(UserError, match=r"rows.csv does not exist: name the folder"):
        read_rows(tmp_path)
    (tmp_path / "rows.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"rows.csv is no readable CSV"):
        read_rows(tmp_path)
