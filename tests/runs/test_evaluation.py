import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny

import topdb.metrics
from topdb.config import RankingSettings
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.evaluation import read_metrics, read_queries, read_top
from topdb.results.features import read_features, write_features
from topdb.runs.evaluate import evaluate

PLAIN = RankingSettings()


def evaluated(*arguments, **options):
    """What `metrics.json` holds afterwards."""
    return evaluate(*arguments, **options).content()


def test_a_ranking_worked_out_by_hand(tmp_path):
    """Query 1 has gallery 0 and 2 right (1 is junk), query 2 one behind a distractor, 3 none.

    Query 1 ranks 0 (distance 1), 2 (2): AP 1, INP 1. Query 2 ranks the distractor (1), then its
    own (2.5): AP 1/2, INP 1/2. Query 3 has its only match under its own camera: junk.
    """
    path = tiny.write_features(tmp_path / "features.npz")
    metrics = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    assert metrics["mAP"] == pytest.approx(0.75)
    assert metrics["mINP"] == pytest.approx(0.75)
    assert metrics["cmc"] == {"1": 0.5, "5": 1.0, "10": 1.0, "20": 1.0}
    assert (metrics["queries"], metrics["queries_without_match"], metrics["gallery"]) == (2, 1, 6)
    assert metrics["features_digest"] == digest(path)
    assert metrics["evaluator"]["ap_rule"] == "step"
    assert metrics["evaluator"]["reranking"] is None
    written = json.loads((tmp_path / "plain/metrics.json").read_text())
    assert written.pop("digest").startswith("topdb-seal:")
    assert written == metrics
    assert metrics["queries_digest"] == digest(tmp_path / "plain/queries.parquet")
    assert metrics["top_digest"] == digest(tmp_path / "plain/top.parquet")

    rows = pq.read_table(tmp_path / "plain/queries.parquet").to_pylist()
    assert list(rows[0]) == ["path", "pid", "camid", "ap", "inp", "first_match_rank", "matches"]
    assert [row["path"] for row in rows] == ["query/1.jpg", "query/2.jpg", "query/3.jpg"]
    assert [row["ap"] for row in rows] == [1.0, 0.5, None]
    assert [row["inp"] for row in rows] == [1.0, 0.5, None]
    assert [row["first_match_rank"] for row in rows] == [1, 2, 0]
    assert [row["matches"] for row in rows] == [2, 1, 0]

    top = pq.read_table(tmp_path / "plain/top.parquet").to_pylist()
    assert list(top[0]) == ["query", "rank", "gallery", "right"]
    first = [row for row in top if row["query"] == "query/1.jpg"]
    assert [row["rank"] for row in first] == [1, 2, 3, 4, 5]
    assert [row["gallery"] for row in first] == [
        f"bounding_box_test/{number}.jpg" for number in (0, 2, 3, 4, 5)
    ]
    assert [row["right"] for row in first] == [True, True, False, False, False]
    assert [row["gallery"][-5] for row in top if row["query"] == "query/3.jpg"] == list("43201")


def test_the_rule_of_the_average_precision_is_the_parameters(tmp_path):
    path = tiny.write_features(tmp_path / "features.npz")
    settings = RankingSettings(ap_rule="trapezoid")
    metrics = evaluated(path, "plain", settings, tmp_path / "plain", threads=1)
    # Query 1: both precisions are 1. Query 2: the mean of 0/1 before and 1/2 at its match.
    assert metrics["mAP"] == pytest.approx((1.0 + 0.25) / 2)
    assert metrics["evaluator"]["ap_rule"] == "trapezoid"


def test_reranking_is_recorded_with_its_parameters(tmp_path):
    path = tiny.write_features(tmp_path / "features.npz")
    settings = RankingSettings(k1=3, k2=2, original_weight=0.5)
    metrics = evaluated(path, "rk", settings, tmp_path / "rk", threads=1)
    reranking = metrics["evaluator"]["reranking"]
    assert (reranking["k1"], reranking["k2"], reranking["lambda"]) == (3, 2, 0.5)
    assert 0.0 < metrics["mAP"] <= 1.0


def write_parts(folder, **changes):
    """The query at the origin; sums over two parts of 4 (wrong), 5 (right) and 6 (right).

    As whole vectors they would be 4, 3.5 and 4.2 away, and the right one first.
    """
    arrays = {
        "query_features": np.zeros((1, 2, 1), np.float32),
        "query_pids": np.array([1]),
        "query_camids": np.array([0]),
        "query_paths": np.array(["query/1.jpg"]),
        "gallery_features": np.array([[[4], [0]], [[2.5], [2.5]], [[3], [3]]], np.float32),
        "gallery_pids": np.array([2, 1, 1]),
        "gallery_camids": np.array([1, 1, 1]),
        "gallery_paths": np.array(["a", "b", "c"]),
    }
    return tiny.write_features(folder / "features.npz", **(arrays | changes))


def test_features_with_parts_are_ranked_by_the_sum_over_them(tmp_path):
    path = write_parts(tmp_path)
    assert read_features(path).parts == 2
    metrics = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    assert metrics["mAP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics["cmc"]["1"] == 0
    told = metrics["evaluator"]["distance"]
    assert told == "sum over 2 parts of Euclidean distances, float32"
    top = pq.read_table(tmp_path / "plain/top.parquet").to_pylist()
    assert [row["gallery"] for row in top] == ["a", "b", "c"]

    settings = RankingSettings(k1=2, k2=1, original_weight=1.0)
    metrics = evaluated(path, "rk", settings, tmp_path / "rk", threads=1)
    assert metrics["mAP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics["evaluator"]["reranking"]["power_of_summed_distance"] == 4


def test_features_without_parts_tell_the_squared_distance(tmp_path):
    path = tiny.write_features(tmp_path / "features.npz")
    assert read_features(path).parts is None
    metrics = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    assert metrics["evaluator"]["distance"] == "squared Euclidean, float32"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gallery_features": np.ones((3, 2), np.float32)}, "2 parts and gallery_features no"),
        ({"gallery_features": np.ones((3, 3, 1), np.float32)}, "2 parts and gallery_features 3"),
        ({"query_features": np.zeros((1, 2, 1, 1), np.float32)}, "query_features has 4 dim"),
        ({"query_features": np.full((1, 2, 1), np.inf)}, "query_features row 0, part 0, holds"),
    ],
)
def test_parts_that_have_no_score_are_named(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        evaluate(write_parts(tmp_path, **changes), "plain", PLAIN, tmp_path / "out", threads=1)
    assert not (tmp_path / "out").exists()


def test_single_gallery_shot_changes_the_curve_alone(tmp_path):
    """Query 1's person has the images at 1 and 2, and nobody else is as near: rank 1 in any draw.

    Query 2's only match (2.5 away) competes with the one image of person 0 (1 away), which stays
    in the gallery as one more person: rank 2 in any draw.
    """
    path = tiny.write_features(tmp_path / "features.npz")
    whole = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    settings = RankingSettings(single_gallery_shot=7)
    shot = evaluated(path, "plain", settings, tmp_path / "shot", threads=1)
    assert shot["cmc"] == {"1": 0.5, "5": 1.0, "10": 1.0, "20": 1.0}
    assert shot["mAP"] == whole["mAP"]
    assert shot["evaluator"]["single_gallery_shot"] == {"repeats": 7, "seed": 0}
    assert whole["evaluator"]["single_gallery_shot"] is None


def test_the_command_draws_single_gallery_shots(tmp_path, monkeypatch):
    """The query's person has images at 0.1 and 9, another one at 1: the draw decides the rank."""
    path = tiny.write_features(
        tmp_path / "features.npz",
        query_features=np.array([[0.0]], np.float32),
        query_pids=np.array([1]),
        query_camids=np.array([0]),
        query_paths=np.array(["query/1.jpg"]),
        gallery_features=np.array([[0.1], [9.0], [1.0]], np.float32),
        gallery_pids=np.array([1, 1, 2]),
        gallery_camids=np.array([1, 1, 1]),
        gallery_paths=np.array(["a", "b", "c"]),
    )
    first = {}
    for draws in (0, 4000):
        options = ("--out", tmp_path / str(draws), "--single-gallery-shot", str(draws))
        assert tiny.topdb(monkeypatch, "evaluate", path, *options) == 0
        first[draws] = json.loads((tmp_path / str(draws) / "plain/metrics.json").read_text())[
            "cmc"
        ]["1"]
    assert first[0] == 1.0
    assert first[4000] == pytest.approx(0.5, abs=0.04)
    options = ("--out", tmp_path / "x", "--single-gallery-shot", "-1")
    assert tiny.topdb(monkeypatch, "evaluate", path, *options) == 2


def test_the_first_images_of_a_reranking_are_the_reranked_ones(tmp_path):
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(1, 6), 6)
    features = rng.normal(size=(5, 8))[people - 1] + 1.2 * rng.normal(size=(30, 8))
    path = tiny.write_features(
        tmp_path / "features.npz",
        query_features=(features[::6]).astype(np.float32),
        query_pids=people[::6],
        query_camids=np.zeros(5, int),
        query_paths=np.array([f"query/{n}.jpg" for n in range(5)]),
        gallery_features=features.astype(np.float32),
        gallery_pids=people,
        gallery_camids=np.ones(30, int),
        gallery_paths=np.array([f"gallery/{n}.jpg" for n in range(30)]),
    )
    settings = RankingSettings(k1=6, k2=3)
    found = {}
    for ranking in ("plain", "rk"):
        evaluate(path, ranking, settings, tmp_path / ranking, threads=1)
        found[ranking] = pq.read_table(tmp_path / ranking / "top.parquet").to_pylist()
        queries = pq.read_table(tmp_path / ranking / "queries.parquet").to_pylist()
        first = {row["query"]: row["right"] for row in found[ranking] if row["rank"] == 1}
        assert first == {row["path"]: row["first_match_rank"] == 1 for row in queries}
    assert found["plain"] != found["rk"]
    assert len(found["rk"]) == 5 * 10


def test_only_the_original_distance_ranks_as_plain(tmp_path):
    path = tiny.write_features(tmp_path / "features.npz")
    settings = RankingSettings(k1=3, k2=2, original_weight=1.0)
    reranked = evaluated(path, "rk", settings, tmp_path / "rk", threads=1)
    plain = evaluated(path, "plain", settings, tmp_path / "plain", threads=1)
    assert reranked["mAP"] == pytest.approx(plain["mAP"])


@pytest.mark.parametrize("name", ["query_features", "gallery_camids", "query_paths"])
def test_a_missing_array_is_named(tmp_path, name):
    path = tiny.write_features(tmp_path / "features.npz", **{name: None})
    with pytest.raises(UserError, match=f"lacks the array {name}"):
        read_features(path)


def test_pickled_objects_are_refused(tmp_path):
    objects = np.array([{"a": 1}, None, None], dtype=object)
    path = tiny.write_features(tmp_path / "features.npz", query_pids=objects)
    with pytest.raises(UserError, match="no readable .npz file.*allow_pickle"):
        read_features(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"features.npz does not exist"):
        read_features(tmp_path / "features.npz")


def damage(path, kind):
    if kind == "an array that is no archive":
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
    elif kind == "compressed and altered":
        arrays = {name: np.zeros(999) for name in vars(read_features(path))}
        with path.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        alter(path, 70)
    elif kind == "altered":
        alter(path, 200)
    elif kind == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_bytes({"empty": b"", "text": b"no features\n"}[kind])


def alter(path, position):
    content = bytearray(path.read_bytes())
    content[position : position + 20] = b"\xff" * 20
    path.write_bytes(content)


@pytest.mark.parametrize(
    "kind",
    [
        "an array that is no archive",
        "compressed and altered",
        "altered",
        "cut short",
        "empty",
        "text",
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, kind):
    path = tiny.write_features(tmp_path / "features.npz")
    damage(path, kind)
    with pytest.raises(UserError, match="no readable .npz file") as caught:
        read_features(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query_features": np.full((3, 1), np.nan, np.float32)}, "query_features row 0"),
        ({"query_features": np.zeros((3, 2), np.float32)}, "dimensions"),
        ({"query_pids": np.array([1, 2])}, "query_paths has 3 entries and query_pids 2"),
        ({"query_paths": np.array(["a"])}, "query_paths has 1 entries and query_pids 3"),
        ({"gallery_paths": np.array(["a"])}, "gallery_paths has 1 entries and gallery_pids 6"),
        ({"gallery_pids": np.zeros(6, int)}, "no row of query_pids has a match"),
        ({"gallery_pids": np.ones(6)}, "gallery_pids has dtype float64"),
    ],
)
def test_arrays_that_have_no_score_are_named_and_nothing_is_written(tmp_path, changes, said):
    path = tiny.write_features(tmp_path / "features.npz", **changes)
    with pytest.raises(UserError, match=said) as caught:
        evaluate(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "plain").exists()


ADDED = """
import numpy as np
from topdb.metrics import Metric

def last_match_rank(matches):
    return matches.column(matches.ranks[matches.lasts], 0)

def of_queries(ranks):
    return np.where(ranks < 1, np.nan, ranks.astype(float))

METRICS = (Metric("last", "last match", "last_match_rank", last_match_rank, of_queries, "lower"),)
"""


def test_a_metric_that_is_dropped_in_gets_its_column_and_its_mean(tmp_path, monkeypatch):
    (tmp_path / "added_metric.py").write_text(ADDED)
    monkeypatch.setattr(topdb.metrics, "__path__", [*topdb.metrics.__path__, str(tmp_path)])
    path = tiny.write_features(tmp_path / "features.npz")
    try:
        metrics = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    finally:
        sys.modules.pop("topdb.metrics.added_metric", None)
    assert metrics["last"] == 2.0
    assert list(metrics)[:4] == ["mAP", "mINP", "cmc", "last"]
    read = read_queries(tmp_path / "plain/queries.parquet")
    assert list(read.columns) == ["ap", "inp", "last_match_rank", "first_match_rank"]
    assert read.columns["last_match_rank"].tolist() == [2, 2, 0]
    assert read_metrics(tmp_path / "plain/metrics.json").metrics["last"] == 2.0


def test_what_was_written_is_read_again(tmp_path):
    path = tiny.write_features(tmp_path / "features.npz")
    metrics = evaluated(path, "plain", PLAIN, tmp_path / "plain", threads=1)
    queries = read_queries(tmp_path / "plain/queries.parquet")
    assert queries.paths == ("query/1.jpg", "query/2.jpg", "query/3.jpg")
    assert queries.evaluated.tolist() == [True, True, False]
    np.testing.assert_array_equal(queries.columns["ap"], [1.0, 0.5, np.nan])
    assert queries.matches.tolist() == [2, 1, 0]
    nearest = read_top(tmp_path / "plain/top.parquet").by_query()
    assert nearest["query/1.jpg"][:2] == [
        ("bounding_box_test/0.jpg", True),
        ("bounding_box_test/2.jpg", True),
    ]
    assert read_metrics(tmp_path / "plain/metrics.json").content() == metrics
    write_features(tmp_path / "again.npz", read_features(path))
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_the_cosine_ranks_by_angle(tmp_path):
    """Person 1 lies along one axis and person 2 along the other, whatever the lengths."""
    changes = {
        "query_features": np.array([[9, 0], [0, 0.1]], np.float32),
        "query_pids": np.array([1, 2]),
        "query_camids": np.array([0, 0]),
        "query_paths": np.array(["query/1.jpg", "query/2.jpg"]),
        "gallery_features": np.array([[0, 9.0], [0.1, 0]], np.float32),
        "gallery_pids": np.array([2, 1]),
        "gallery_camids": np.array([1, 1]),
        "gallery_paths": np.array(["gallery/2.jpg", "gallery/1.jpg"]),
    }
    path = tiny.write_features(tmp_path / "features.npz", **changes)
    cosine = RankingSettings(metric="cosine")
    found = evaluated(path, "plain", cosine, tmp_path / "cosine", threads=1)
    assert (found["mAP"], found["evaluator"]["metric"]) == (1.0, "cosine")
    assert evaluated(path, "plain", PLAIN, tmp_path / "euclidean", threads=1)["mAP"] == 0.75
    changes["gallery_features"] = np.array([[0, 0], [1, 0]], np.float32)
    tiny.write_features(path, **changes)
    with pytest.raises(UserError, match="row 0 is all zeros"):
        evaluate(path, "plain", cosine, tmp_path / "zeros", threads=1)
    for side in ("query", "gallery"):
        changes[f"{side}_features"] = np.ones((2, 3, 4), np.float32)
    tiny.write_features(path, **changes)
    with pytest.raises(UserError, match="query_features has parts"):
        evaluate(path, "plain", cosine, tmp_path / "parts", threads=1)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("query_features", np.array([[np.nan], [1.0], [2.0]], np.float32), "row 0 holds NaN"),
        ("query_features", np.array(["a", "b", "c"]), "dimensions"),
        ("gallery_features", np.array([["2001"]] * 6, "datetime64[Y]"), "real numbers"),
        ("gallery_camids", np.array(0.0), "shape"),
        ("query_camids", np.array(["2001"] * 3, "datetime64[Y]"), "whole numbers"),
        ("gallery_pids", np.arange(2), "entries"),
    ],
)
def test_what_cannot_be_ranked_by_cosine_is_named(name, wrong, said, tmp_path):
    lengths = {"query_features": np.array([[1.0], [10.0], [20.0]], np.float32)}
    path = tiny.write_features(tmp_path / "features.npz", **{**lengths, name: wrong})
    with pytest.raises(UserError, match=said):
        evaluate(path, "plain", RankingSettings(metric="cosine"), tmp_path / "out", threads=1)


def test_galleries_are_told_apart_by_people_and_images_in_any_order(tmp_path):
    """Paths of another folder, another order and cameras from 1 are the same gallery."""
    path = tiny.write_features(tmp_path / "features.npz")
    digests = [evaluate(path, "plain", PLAIN, tmp_path / "a", threads=1).gallery_digests]
    with np.load(path) as arrays:
        own = dict(arrays)
    back = slice(None, None, -1)
    turned = {name: own[name][back] for name in own if name.startswith("gallery")}
    turned["gallery_paths"] = np.array([f"/data/{each}" for each in turned["gallery_paths"]])
    for name in ("query_camids", "gallery_camids"):
        turned[name] = (turned if name in turned else own)[name] + 1
    other = {"gallery_pids": np.array([1, 1, 1, 0, 2, 4])}
    for changes in (turned, other, {"gallery_paths": np.array([f"{n}.jpg" for n in range(6, 12)])}):
        tiny.write_features(path, **changes)
        digests.append(evaluate(path, "plain", PLAIN, tmp_path / "a", threads=1).gallery_digests)
    assert read_metrics(tmp_path / "a/metrics.json").gallery_digests == digests[-1]
    first, same, people, images = digests
    assert first == same
    assert (first["people"] != people["people"], first["images"] == people["images"]) == (
        True,
        True,
    )
    assert (first["people"] == images["people"], first["images"] != images["images"]) == (
        True,
        True,
    )
