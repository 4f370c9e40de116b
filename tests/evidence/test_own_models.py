"""Two models of one's own, and more: what is said of them, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny

from topdb.errors import UserError
from topdb.evidence.matching import match
from topdb.evidence.own_models import SCOPE, Compared
from topdb.models import compare
from topdb.statistics import (
    checkpoint_difference,
    difference_interval,
    exact_label_permutation,
    holm,
    two_way_test,
)

PEOPLE = 40
QUERIES = 2 * PEOPLE
PIDS = [1 + number // 2 for number in range(QUERIES)]


def write_scores(folder: Path, level: float, seeds: int, luck: int) -> Path:
    """A model's folder: AP around a level, people of their own difficulty, seeds with some luck."""
    hardness = np.repeat(np.random.default_rng(1).normal(0, 0.15, PEOPLE), 2)
    rng = np.random.default_rng(luck)
    for seed in range(1, seeds + 1):
        ap = level + hardness + rng.normal(0, 0.004) + rng.normal(0, 0.03, QUERIES)
        tiny.write_queries(folder / f"seed-{seed}", np.clip(ap, 0, 1).tolist(), pids=PIDS)
    return folder


def of(found: Compared, name: str, quantity: str = "mAP"):
    return next(each for each in found.of(quantity) if each.name == name)


@pytest.fixture
def two(tmp_path):
    return write_scores(tmp_path / "a", 0.5, 3, 2), write_scores(tmp_path / "b", 0.6, 3, 3)


def test_the_answer_names_the_higher_the_interval_and_what_so_few_seeds_cannot_show(two):
    found = compare(two)
    pair = found.pairs_of("mAP")[0]
    assert (pair.name, pair.reference, pair.over) == ("b", "a", "people and seeds")
    assert (pair.verdict, pair.won + pair.lost) == ("higher", QUERIES)
    assert found.sentence == (
        f"b is higher by {pair.estimate:.1f} mAP [{pair.low:.1f}, {pair.high:.1f}] over people and "
        "seeds; with 3 + 3 seeds no permutation test can go below p = 0.10: run 4 + 4."
    )
    assert 8 < pair.low < 10 < pair.high < 12
    assert [(each.first, each.last) for each in found.of("mAP")] == [(1, 1), (2, 2)]


def test_the_numbers_are_those_of_the_statistics(two):
    found = compare(two, quantities=["mINP"])
    pair = found.pairs_of("mINP")[0]
    a, b = (each.by_query["mINP"] for each in found.matched.models)
    beside = difference_interval(b, a, PIDS, rng=np.random.default_rng(0))
    assert pair.estimate == pytest.approx(beside.estimate)
    assert (pair.low, pair.high) == pytest.approx((beside.low, beside.high), abs=0.1)
    tested = two_way_test(b, a, PIDS)
    assert pair.p == pytest.approx(2 * min(tested.p_above, tested.p_below))
    exact = exact_label_permutation(b.mean(axis=1), a.mean(axis=1))
    assert pair.permutation_p == exact.p == 0.1


def test_neither_the_order_of_the_models_nor_their_names_change_a_number(two, tmp_path):
    first, turned = compare(two), compare(two[::-1])
    assert (first.models, first.pairs) == (turned.models, turned.pairs)
    assert compare(two, seed=1).pairs[0].low != first.pairs[0].low
    assert compare(two).pairs == first.pairs


def test_four_seeds_need_no_more(tmp_path):
    write_scores(tmp_path / "a", 0.5, 4, 2)
    write_scores(tmp_path / "b", 0.6, 4, 3)
    assert compare([tmp_path / "a", tmp_path / "b"]).sentence.endswith("over people and seeds.")


def test_models_that_cannot_be_told_apart_share_their_places(tmp_path):
    folders = [write_scores(tmp_path / name, 0.6, 4, luck) for luck, name in enumerate("ab", 5)]
    found = compare(folders)
    assert "cannot be told apart" in found.sentence
    assert [(each.first, each.last) for each in found.of("mAP")] == [(1, 2), (1, 2)]
    assert found.pairs_of("mAP")[0].verdict == "undecided"


def test_one_run_against_one_is_about_these_checkpoints(two):
    found = compare([two[0] / "seed-1", two[1] / "seed-2"])
    pair = found.pairs_of("mAP")[0]
    assert (pair.over, pair.runs, pair.reference_runs) == ("people", 1, 1)
    assert SCOPE in pair.test
    assert found.sentence.endswith(f"over people, p < 0.001: {SCOPE}.")
    assert math.isnan(pair.permutation_p)
    a, b = (each.by_query["mAP"][0] for each in found.matched.models)
    beside = checkpoint_difference(b, a, PIDS)
    assert (pair.low, pair.high) == pytest.approx((beside.low, beside.high))
    assert pair.p == pytest.approx(1 / 10_001)


def test_one_run_against_three_is_about_checkpoints_too(two):
    found = compare([two[0] / "seed-1", two[1]])
    assert found.pairs[0].over == "people"
    assert [each.over for each in found.of("mAP")] == ["people and seeds", "people"]


def test_three_models_are_a_table_with_holm_over_all_pairs_and_places(tmp_path):
    folders = [
        write_scores(tmp_path / name, level, 4, luck)
        for luck, (name, level) in enumerate({"a": 0.5, "b": 0.6, "c": 0.6}.items())
    ]
    found = compare(folders)
    assert {each.name: (each.first, each.last) for each in found.of("mAP")} == {
        "a": (3, 3),
        "b": (1, 2),
        "c": (1, 2),
    }
    pairs = found.pairs_of("mAP")
    assert [each.adjusted_p for each in pairs] == pytest.approx(holm([each.p for each in pairs]))
    assert "cannot be told apart as first of 3 by mAP" in found.sentence
    assert "after Holm over 3 pairs: run 5 + 5." in found.sentence  # 3 x 2 / 70 > 0.05
    assert len(found.queries) == QUERIES
    gains = [each.difference for each in found.queries]
    assert gains == sorted(gains, reverse=True)


def test_queries_are_paired_by_name_whatever_their_order_and_folder(two):
    straight = compare(two)
    for number in (1, 2, 3):
        file = two[1] / f"seed-{number}/plain/queries.parquet"
        table = pq.read_table(file)
        names = [f"/data/market/{each}" for each in table["path"].to_pylist()]
        table = table.set_column(table.column_names.index("path"), "path", [names])
        pq.write_table(table.take(np.arange(QUERIES)[::-1]), file)
    assert compare(two).pairs == straight.pairs


def test_one_network_ranked_in_two_ways_is_paired(tmp_path):
    """Re-ranking adds 1 point to each query of each network: no network's luck is in that."""
    for seed in (1, 2, 3, 4, 5, 6):
        ap = np.random.default_rng(seed).uniform(0.1, 0.9, QUERIES)
        run = tmp_path / f"model/seed-{seed}"
        tiny.write_queries(run, ap.tolist(), pids=PIDS)
        tiny.write_queries(run, (ap + 0.01).tolist(), "rk", pids=PIDS)
        for ranking in ("plain", "rk"):
            (tmp_path / ranking).mkdir(exist_ok=True)
            (tmp_path / ranking / f"seed-{seed}").symlink_to(run / ranking)
    with pytest.raises(UserError, match=r"different rules \(re-ranking: None and .*--other-rules"):
        compare([tmp_path / "plain", tmp_path / "rk"])
    found = compare([tmp_path / "plain", tmp_path / "rk"], other_rules=True)
    pair = found.pairs_of("mAP")[0]
    assert (pair.name, pair.paired, pair.smallest_permutation_p) == ("rk", True, 2 / 64)
    assert (pair.estimate, pair.low, pair.high) == pytest.approx((1, 1, 1))


def change_metrics(folder: Path, **changes: object) -> None:
    file = folder / "plain/metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def other(folder: Path, **changes: object) -> None:
    tiny.write_queries(folder, [0.5] * QUERIES, **{"pids": PIDS, **changes})


REFUSED = {
    "other queries": (
        lambda run: other(run, paths=[f"query/{number + 1}.jpg" for number in range(QUERIES)]),
        r"different queries, 0.jpg and 0 more",
    ),
    "other people": (
        lambda run: other(run, pids=[*PIDS[:-1], 99]),
        rf"{QUERIES - 1}.jpg is person 40 in the one and 99 in the other",
    ),
    "another gallery": (
        lambda run: change_metrics(run, gallery=7),
        f"galleries of {QUERIES} and 7",
    ),
    "other images": (
        lambda run: change_metrics(run, gallery_digests={"people": "x", "images": "y"}),
        "galleries of different people or cameras",
    ),
    "another rule": (
        lambda run: change_metrics(run, evaluator={"ap_rule": "trapezoid"}),
        r"different rules \(ap_rule: step and trapezoid\)",
    ),
    "a query without a match": (
        lambda run: (
            other(run) or tiny.write_queries(run, [None, *[0.5] * (QUERIES - 1)], pids=PIDS)
        ),
        "query/0.jpg has 1 and 0 right images",
    ),
    "one person": (lambda run: other(run, pids=[1] * QUERIES), "different people"),
    "a run twice": (
        lambda run: change_metrics(run, features_digest="features of b seed-1"),
        "b holds .*seed-2.* twice",
    ),
    "a shared run": (
        lambda run: change_metrics(run, features_digest="features of a seed-1"),
        "a and b share some runs and not all",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_by_name(name, two):
    change, said = REFUSED[name]
    change_metrics(two[0] / "seed-1", gallery_digests={"people": "z", "images": "y"})
    change(two[1] / "seed-2")
    with pytest.raises(UserError, match=said) as refused:
        compare(two)
    if name != "a shared run":
        assert "seed-2" in str(refused.value)


def test_other_cameras_of_the_same_queries_are_refused_and_a_shift_of_all_is_not(two):
    file = two[1] / "seed-2/plain/queries.parquet"
    table = pq.read_table(file)
    column = table.column_names.index("camid")
    pq.write_table(table.set_column(column, "camid", [[4] * QUERIES]), file)
    compare(two)
    pq.write_table(table.set_column(column, "camid", [[*range(QUERIES)]]), file)
    with pytest.raises(UserError, match="different cameras"):
        compare(two)


def test_queries_of_one_person_say_nothing_of_others(tmp_path):
    for name in "ab":
        tiny.write_queries(tmp_path / name / "seed-1", [0.5, 0.6], pids=[3, 3])
    with pytest.raises(UserError, match="all of one person"):
        compare([tmp_path / "a", tmp_path / "b"])


def test_the_same_scores_under_two_names_are_refused(two, tmp_path):
    (tmp_path / "copy").symlink_to(two[0])
    with pytest.raises(UserError, match="given twice"):
        compare([two[0], tmp_path / "copy"])
    for seed in (1, 2, 3):
        other(tmp_path / f"c/seed-{seed}")
        other(tmp_path / f"d/seed-{seed}")
        for name in "cd":
            change_metrics(tmp_path / f"{name}/seed-{seed}", features_digest=f"same {seed}")
    with pytest.raises(UserError, match="same features, scored alike"):
        compare([tmp_path / "c", tmp_path / "d"])


def test_a_metric_that_was_not_stored_is_named(two):
    file = two[0] / "seed-1/plain/queries.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["inp"]), file)
    with pytest.raises(UserError, match="lacks the column inp that mINP is read from"):
        compare(two)


def test_doubts_come_along_once(two):
    for seed in (1, 2, 3):
        change_metrics(two[0] / f"seed-{seed}", doubts=["30 images were left out"])
    assert compare(two).notes == ("a: 30 images were left out.",)


def test_matching_keeps_the_place_of_each_query(two):
    found = match([each.model for each in compare(two).matched.models], ["mAP"])
    assert [len(each.rows) for each in found.models] == [3, 3]
