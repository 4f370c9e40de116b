import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from topdb.errors import UserError
from topdb.results.comparisons import Comparisons


def compared(params, results) -> Comparisons:
    return tiny.compared(params, results)


def differences(params, results):
    return compared(params, results).differences


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
    found = differences(params, results)
    assert [(each.ranking, each.quantity) for each in found] == [("plain", "mAP"), ("plain", "R1")]
    ap, first = found
    assert (ap.dataset, ap.method, ap.reference) == ("market1501", "top-db-net", "baseline")
    assert ap.estimate == pytest.approx(10.0)
    assert (ap.seeds, ap.reference_seeds) == (3, 3)
    # Every seed beats every other: 2 of the 20 labellings are as clear.
    assert ap.p == ap.smallest_possible_p == pytest.approx(0.1)
    assert ap.low < 10.0 < ap.high
    assert first.estimate == pytest.approx(0.0, abs=1e-9)
    assert first.p == 1.0


def test_holm_adjusts_over_the_comparisons_of_one_ranking(params, results):
    write_cell(results, "baseline", {1: 0.50, 2: 0.52, 3: 0.54}, "rk")
    write_cell(results, "top-db-net", {1: 0.40, 2: 0.42, 3: 0.44}, "rk")
    found = {(each.ranking, each.quantity): each for each in differences(params, results)}
    assert len(found) == 4
    assert found["plain", "mAP"].adjusted_p == pytest.approx(0.2)  # 2 in the family, not 4
    assert found["plain", "R1"].adjusted_p == 1.0
    assert found["rk", "mAP"].adjusted_p == pytest.approx(0.2)
    assert {each.verdict for each in found.values()} == {"undecided"}


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
        each.method: each.verdict for each in differences(params, results) if each.quantity == "mAP"
    }
    assert verdicts == {"no-reg": "lower", "top-db-net": "higher"}  # p 2/924, Holm times 4


def test_missing_runs_are_left_out(params, results):
    for name in ("seed-2", "seed-3"):
        (results / f"market1501/top-db-net/{name}/plain/queries.parquet").unlink()
    ap, _ = differences(params, results)
    assert (ap.seeds, ap.reference_seeds) == (1, 3)
    assert ap.estimate == pytest.approx(8.0)
    assert math.isnan(ap.low)
    assert ap.smallest_possible_p == pytest.approx(0.5)
    (results / "market1501/top-db-net/seed-1/plain/queries.parquet").unlink()
    assert differences(params, results) == ()


def test_queries_without_a_match_count_in_neither_quantity(tmp_path):
    params = tiny.params(tmp_path, {"seeds": [1]})
    for method, ap in (("baseline", [0.5, None, 1.0]), ("top-db-net", [0.7, None, 1.0])):
        folder = tmp_path / f"results/market1501/{method}/seed-1"
        tiny.write_queries(folder, ap, first=[2, 0, 1])
    ap, first = differences(params, tmp_path / "results")
    assert ap.estimate == pytest.approx(10.0)
    assert first.estimate == pytest.approx(0.0)


def test_a_profile_may_name_its_own_reference(tmp_path, results):
    params = tiny.params(tmp_path, {"reference_method": "top-db-net"})
    found = differences(params, results)
    assert found
    assert {each.reference for each in found} == {"top-db-net"}
    assert {each.method for each in found} == {"baseline"}


def test_the_reference_method_must_be_run(tmp_path, results):
    params = tiny.params(tmp_path, {"methods": ["no-drop", "top-db-net"]})
    with pytest.raises(UserError, match="reference_method is baseline.*no-drop, top-db-net"):
        differences(params, results)


def test_runs_of_other_queries_are_not_mixed(params, results):
    folder = results / "market1501/top-db-net/seed-3"
    tiny.write_queries(folder, [0.5] * 10, paths=[f"other/{n}.jpg" for n in range(10)])
    with pytest.raises(UserError, match=r"seed-3/plain/queries.parquet is of other queries"):
        differences(params, results)


@pytest.mark.parametrize("content", [b"", b"no table", b"PAR1 cut"])
def test_broken_files_are_named(params, results, content):
    broken = results / "market1501/baseline/seed-1/plain/queries.parquet"
    broken.write_bytes(content)
    with pytest.raises(UserError, match="no readable table of queries") as caught:
        compared(params, results)
    assert str(broken) in str(caught.value)


def test_the_intervals_draws_do_not_depend_on_what_else_is_compared(tmp_path, results):
    write_cell(results, "no-drop", {1: 0.50, 2: 0.52, 3: 0.54})
    more = ["baseline", "no-drop", "top-db-net"]
    alone = tiny.params(tmp_path, {"seeds": [1, 2, 3]})
    first = differences(alone, results)
    among = differences(tiny.params(tmp_path, {"seeds": [1, 2, 3], "methods": more}), results)
    assert [each.low for each in first] == [
        each.low for each in among if each.method == "top-db-net"
    ]


def test_a_cell_is_held_against_the_printed_number(params, results):
    cell = compared(params, results).cell("market1501", "baseline", "plain", "mAP")
    # 50, 52, 54 against the paper's 85.2.
    assert (cell.published, cell.delta, cell.seeds, cell.planned_seeds) == (85.2, 1.0, 3, 3)
    assert cell.estimate == pytest.approx(52.0 - 85.2)
    assert cell.verdict == "BELOW"
    assert cell.low < cell.estimate < cell.high < -cell.delta


def test_cells_of_rendered_data_are_compared_with_nothing(tmp_path, results):
    changes = {"seeds": [1, 2, 3], "datasets.market1501.render": tiny.RENDER}
    found = compared(tiny.params(tmp_path, changes), results)
    assert found.rendered
    assert {each.verdict for each in found.cells} == {""}
    assert all(math.isnan(each.published) for each in found.cells)
    assert all(math.isnan(each.published) for each in (*found.differences, *found.claim_parts))
    (claim,) = [each for each in found.claims if each.id == "full-over-baseline-mAP"]
    assert claim.verdict == "OPEN"


def test_a_cell_that_the_paper_does_not_print_has_no_verdict(tmp_path):
    results = tmp_path / "results"
    datasets = {"pets09": {"layout": "market1501", "root": "data/pets09"}}
    write_cell(results, "baseline", {1: 0.5, 2: 0.6}, dataset="pets09")
    found = compared(tiny.params(tmp_path, {"datasets": datasets}), results)
    cell = found.cell("pets09", "baseline", "plain", "mAP")
    assert (cell.verdict, cell.reason) == ("", "The paper prints no value for this cell.")
    assert cell.mean == pytest.approx(55.0)
    assert found.cell("pets09", "nobody", "plain", "mAP") is None


def test_one_seed_has_its_checkpoints_tested_and_no_verdict(tmp_path):
    params = tiny.params(tmp_path, {"seeds": [1], "rankings": ["plain"]})
    results = tmp_path / "results"
    write_cell(results, "baseline", {1: 0.5})
    write_cell(results, "top-db-net", {1: 0.6})
    found = compared(params, results)
    assert {each.verdict for each in found.cells} == {"INCOMPLETE"}
    assert found.cells[0].reason == "One seed is declared; a verdict needs two."
    assert {each.verdict for each in found.claims} == {"OPEN"}
    ap, first = found.one_seed_parts
    assert (ap.id, ap.people) == ("full-over-baseline-mAP", 10)
    assert ap.estimate == pytest.approx(10.0)
    # Of 2^10 assignments of signs, one is as clear: p is about 1/1024, and never 0.
    assert 0.0 < ap.p < 0.01
    assert ap.scope == "these checkpoints, not these methods"
    assert first.p == 1.0


def test_methods_of_different_queries_are_not_compared(params, results):
    for seed in (1, 2, 3):
        folder = results / f"market1501/top-db-net/seed-{seed}"
        tiny.write_queries(folder, [0.5] * 9)
    with pytest.raises(UserError, match=r"top-db-net/plain and .*different queries of market1501"):
        compared(params, results)


def test_methods_of_different_galleries_are_not_compared(params, results):
    for seed in (1, 2, 3):
        folder = results / f"market1501/top-db-net/seed-{seed}"
        tiny.write_queries(folder, [0.5] * 9 + [None])
    with pytest.raises(UserError, match=r"no match for different queries of market1501"):
        compared(params, results)


def rewrite(path, **columns):
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"pid": [None, *range(9)]}, "query 0 has no person id"),
        ({"pid": [*range(9), -4]}, "query 9 has pid -4"),
        ({"pid": pa.array([2**63, *range(9)], pa.uint64())}, "query 0 has pid 9223372036854775808"),
        ({"first_match_rank": pa.array([2**63] * 10, pa.uint64())}, "query 0 has first_match_rank"),
        ({"first_match_rank": [0] + [1] * 9}, "an ap and no first_match_rank for the same query"),
        ({"ap": [0.5] * 9 + [1.2]}, r"query 9 has ap 1.2, which is outside \[0, 1\]"),
        ({"ap": [0.5] * 9 + [-0.1]}, "outside"),
        ({"ap": [float("nan")] * 10}, "query 0 has ap nan"),
        ({"ap": pa.nulls(10, pa.float64())}, "has no query with a match"),
        ({"first_match_rank": ["one"] * 10}, "query 0 has first_match_rank 'one'"),
        ({"ap": [0.5] * 9 + [None]}, "says mAP 0.5.* where its queries have 0.5"),
    ],
)
def test_impossible_scores_are_named(params, results, columns, sentence):
    rewrite(results / "market1501/baseline/seed-2/plain/queries.parquet", **columns)
    with pytest.raises(UserError, match=sentence):
        compared(params, results)


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
@pytest.mark.parametrize(
    ("ap", "pids"), [([0.5, 0.6, 0.7], [3, 3, 3]), ([0.5, None, None], [1, 2, 3])]
)
def test_queries_of_a_single_person_are_named(tmp_path, ap, pids, seeds):
    params = tiny.params(tmp_path, {"seeds": seeds})
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            folder = tmp_path / f"results/market1501/{method}/seed-{seed}"
            tiny.write_queries(folder, ap, pids=pids)
    with pytest.raises(UserError, match="of market1501 that have a match are all of one person"):
        compared(params, tmp_path / "results")


def test_holm_counts_the_comparisons_whose_runs_are_missing(tmp_path):
    methods = ["baseline", "no-drop", "top-db-net"]
    params = tiny.params(tmp_path, {"seeds": [1, 2, 3], "methods": methods})
    results = tmp_path / "results"
    write_cell(results, "baseline", {1: 0.50, 2: 0.52, 3: 0.54})
    write_cell(results, "top-db-net", {1: 0.60, 2: 0.62, 3: 0.64})
    ap, _ = differences(params, results)
    assert ap.p == pytest.approx(0.1)
    assert ap.adjusted_p == pytest.approx(0.4)  # four are declared, two of them without runs


def test_verdicts_reasons_call_data_sets_by_their_titles(tmp_path):
    params = tiny.params(tmp_path, {"rankings": ["plain"]})
    results = tmp_path / "results"
    for method, ap in (("baseline", [0.5, 0.9, 0.7]), ("top-db-net", [0.9, 0.5, 0.7])):
        for seed in (1, 2):
            tiny.write_queries(results / f"market1501/{method}/seed-{seed}", ap)
    reasons = {claim.id: claim.reason for claim in compared(params, results).claims}
    assert reasons["full-over-baseline-mAP"] == ("The interval contains 0 on Market-1501.")


def test_a_path_that_is_no_text_is_named(params, results):
    path = results / "market1501/baseline/seed-2/plain/queries.parquet"
    table = pq.read_table(path)
    broken = pa.array([b"\xff"] * 10, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("path"), "path", broken), path)
    with pytest.raises(UserError, match="no readable table of queries"):
        compared(params, results)
