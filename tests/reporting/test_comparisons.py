import math

import pyarrow.parquet as pq
import pytest
import tiny

from topdb.errors import UserError
from topdb.reporting.comparisons import compare, read_comparisons, write_comparisons


def write_cell(results, method, by_seed, ranking="plain", dataset="market1501"):
    """Write a run a seed, each with a constant AP and the first four of ten queries right."""
    for seed, ap in by_seed.items():
        folder = results / dataset / method / f"seed-{seed}"
        tiny.write_queries(folder, [ap] * 10, ranking, first=[1] * 4 + [2] * 6)


@pytest.fixture
def results(tmp_path):
    write_cell(tmp_path / "results", "baseline", {1: 0.50, 2: 0.52, 3: 0.54})
    write_cell(tmp_path / "results", "top-db-net", {1: 0.60, 2: 0.62, 3: 0.64})
    return tmp_path / "results"


@pytest.fixture
def params(tmp_path):
    return tiny.params(tmp_path, {"seeds": [1, 2, 3]})


def test_a_difference_worked_out_by_hand(params, results):
    found = compare(params, "tiny", results)
    assert [(each.ranking, each.quantity) for each in found] == [("plain", "mAP"), ("plain", "R1")]
    ap, first = found
    assert (ap.dataset, ap.method, ap.reference) == ("market1501", "top-db-net", "baseline")
    assert ap.estimate == pytest.approx(10.0)
    assert ap.seeds == "3/3"
    # Every seed beats every other: 2 of the 20 labellings are as clear.
    assert ap.p == ap.smallest_possible_p == pytest.approx(0.1)
    assert ap.low < 10.0 < ap.high
    assert first.estimate == pytest.approx(0.0, abs=1e-9)
    assert first.p == 1.0


def test_holm_adjusts_over_the_comparisons_of_one_ranking(params, results):
    write_cell(results, "baseline", {1: 0.50, 2: 0.52, 3: 0.54}, "rk")
    write_cell(results, "top-db-net", {1: 0.40, 2: 0.42, 3: 0.44}, "rk")
    found = {(each.ranking, each.quantity): each for each in compare(params, "tiny", results)}
    assert len(found) == 4
    assert found["plain", "mAP"].adjusted_p == pytest.approx(0.2)  # 2 in the family, not 4
    assert found["plain", "R1"].adjusted_p == 1.0
    assert found["rk", "mAP"].adjusted_p == pytest.approx(0.2)
    assert {each.verdict for each in found.values()} == {"open"}


def test_enough_seeds_give_a_verdict_with_the_right_sign(tmp_path):
    seeds = range(1, 7)
    params = tiny.params(
        tmp_path, {"seeds": list(seeds), "methods": ["baseline", "no-reg", "top-db-net"]}
    )
    results = tmp_path / "results"
    write_cell(results, "baseline", {seed: 0.50 + seed / 100 for seed in seeds})
    write_cell(results, "no-reg", {seed: 0.30 + seed / 100 for seed in seeds})
    write_cell(results, "top-db-net", {seed: 0.70 + seed / 100 for seed in seeds})
    verdicts = {
        each.method: each.verdict
        for each in compare(params, "tiny", results)
        if each.quantity == "mAP"
    }
    assert verdicts == {"no-reg": "lower", "top-db-net": "higher"}  # p 2/924, Holm times 4


def test_missing_runs_are_left_out(params, results):
    for name in ("seed-2", "seed-3"):
        (results / f"market1501/top-db-net/{name}/plain/queries.parquet").unlink()
    ap, _ = compare(params, "tiny", results)
    assert ap.seeds == "1/3"
    assert ap.estimate == pytest.approx(8.0)
    assert math.isnan(ap.low)
    assert ap.smallest_possible_p == pytest.approx(0.5)
    (results / "market1501/top-db-net/seed-1/plain/queries.parquet").unlink()
    assert compare(params, "tiny", results) == []


def test_queries_without_a_match_count_in_neither_quantity(tmp_path):
    params = tiny.params(tmp_path, {"seeds": [1]})
    for method, ap in (("baseline", [0.5, None, 1.0]), ("top-db-net", [0.7, None, 1.0])):
        folder = tmp_path / f"results/market1501/{method}/seed-1"
        tiny.write_queries(folder, ap, first=[2, 0, 1])
    ap, first = compare(params, "tiny", tmp_path / "results")
    assert ap.estimate == pytest.approx(10.0)
    assert first.estimate == pytest.approx(0.0)


def test_the_file_gives_back_what_was_compared(params, results, tmp_path):
    path = tmp_path / "comparisons.parquet"
    write_comparisons(params, "tiny", results, path)
    assert repr(read_comparisons(path)) == repr(compare(params, "tiny", results))  # NaN too
    write_comparisons(params, "tiny", results, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_a_file_without_comparisons_has_all_columns(params, tmp_path):
    write_comparisons(params, "tiny", tmp_path / "nothing", tmp_path / "comparisons.parquet")
    assert read_comparisons(tmp_path / "comparisons.parquet") == []
    names = pq.read_schema(tmp_path / "comparisons.parquet").names
    assert {"dataset", "estimate", "low", "high", "p", "adjusted_p", "verdict"} <= set(names)


def test_missing_numbers_come_back_as_nan(params, results, tmp_path):
    for name in ("seed-2", "seed-3"):
        (results / f"market1501/top-db-net/{name}/plain/queries.parquet").unlink()
    write_comparisons(params, "tiny", results, tmp_path / "comparisons.parquet")
    assert math.isnan(read_comparisons(tmp_path / "comparisons.parquet")[0].low)


def test_the_reference_method_must_be_run(tmp_path, results):
    params = tiny.params(tmp_path, {"statistics.reference_method": "no-drop"})
    with pytest.raises(UserError, match="reference_method is no-drop.*baseline, top-db-net"):
        compare(params, "tiny", results)


def test_runs_of_other_queries_are_not_mixed(params, results):
    folder = results / "market1501/top-db-net/seed-3"
    tiny.write_queries(folder, [0.5] * 10, paths=[f"other/{n}.jpg" for n in range(10)])
    with pytest.raises(UserError, match=r"seed-3/plain/queries.parquet is of other queries"):
        compare(params, "tiny", results)


@pytest.mark.parametrize("content", [b"", b"no table", b"PAR1 cut"])
def test_broken_files_are_named(params, results, tmp_path, content):
    broken = results / "market1501/baseline/seed-1/plain/queries.parquet"
    broken.write_bytes(content)
    with pytest.raises(UserError, match="no readable table of queries") as caught:
        compare(params, "tiny", results)
    assert str(broken) in str(caught.value)
    path = tmp_path / "comparisons.parquet"
    path.write_bytes(content)
    with pytest.raises(UserError, match="run `topdb compare` first"):
        read_comparisons(path)
    path.unlink()
    with pytest.raises(UserError, match="run `topdb compare` first"):
        read_comparisons(path)
