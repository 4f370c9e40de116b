from pathlib import Path

import tiny

from topdb.results.runs import Cell, Run, cells, runs


def test_runs_are_every_combination_in_the_order_of_the_lists(tmp_path):
    profile = tiny.params(tmp_path, {"methods": ["top-db-net", "baseline"], "seeds": [7, 3]})
    assert list(runs(profile.selected())) == [
        Run("market1501", "top-db-net", 7),
        Run("market1501", "top-db-net", 3),
        Run("market1501", "baseline", 7),
        Run("market1501", "baseline", 3),
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
    assert len(list(runs(profile))) == len(set(runs(profile))) == 14 * 4 * 5
    assert len(list(cells(profile))) == 14 * 4 * 2


def test_files_lie_where_the_workflow_expects_them():
    run = Run("market1501", "no-drop", 4)
    results = Path("results/mini")
    assert run.folder(results) == Path("results/mini/market1501/no-drop/seed-4")
    assert run.queries(results, "plain") == run.folder(results) / "plain" / "queries.parquet"
    assert run.metrics(results, "rk") == run.folder(results) / "rk" / "metrics.json"
