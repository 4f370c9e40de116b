import numpy as np
import pytest
from retrieval.strategies import clustered

from topdb.retrieval import (
    SingleGalleryShot,
    feature_distances,
    identity,
    rank,
    rank_distances,
    rank_reranked,
    rerank,
    squared_distances,
    top_matches,
)

CASE = clustered(queries=6, gallery=40)


def changed(**arrays):
    return CASE._replace(**arrays)


def with_value(array, row, value):
    copy = np.array(array, dtype=np.float64)
    copy[row, 1] = value
    return copy


BAD = {
    "NaN": (
        changed(query_features=with_value(CASE.query_features, 3, np.nan)),
        r"query_features row 3 holds NaN; .*leave the image out",
    ),
    "infinite": (
        changed(gallery_features=with_value(CASE.gallery_features, 17, np.inf)),
        r"gallery_features row 17 holds an infinite value; ",
    ),
    "overflow": (
        changed(gallery_features=with_value(CASE.gallery_features, 5, 1e25)),
        r"gallery_features row 5 is so long .*; scale the features down",
    ),
    "several rows": (
        changed(query_features=np.full_like(CASE.query_features, np.nan)),
        r"row 0 \(and 5 more rows\)",
    ),
    "dimensions": (
        changed(query_features=CASE.query_features[:, :5]),
        r"query_features has 5 dimensions and gallery_features 32; extract both",
    ),
    "flat": (changed(query_features=CASE.query_features[0]), r"query_features has 1 dimensions; "),
    "text": (changed(query_features=np.full((6, 32), "x")), r"query_features has dtype"),
    "empty query": (changed(query_features=np.empty((0, 32))), r"query_features is empty"),
    "empty gallery": (changed(gallery_features=np.empty((0, 32))), r"gallery_features is empty"),
    "short pids": (
        changed(gallery_pids=CASE.gallery_pids[:-1]),
        r"gallery_pids has shape \(39,\) and the gallery has 40 rows; ",
    ),
    "long camids": (changed(query_camids=np.zeros(7, int)), r"query_camids has shape \(7,\)"),
    "real pids": (changed(query_pids=np.ones(6)), r"query_pids has dtype float64; "),
    "distractor query": (
        changed(query_pids=np.array([1, 2, 0, 3, 4, 5])),
        r"query_pids row 2 is 0, the number of distractors; ",
    ),
    "junk pid": (
        changed(gallery_pids=np.where(np.arange(40) == 8, -1, CASE.gallery_pids)),
        r"gallery_pids row 8 is -1; leave junk images out",
    ),
    "no match": (changed(query_pids=np.full(6, 99)), r"no row of query_pids has a match"),
}


@pytest.mark.parametrize("evaluate", [rank, rank_reranked])
@pytest.mark.parametrize(("case", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(evaluate, case, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*case)


PARTS = clustered(queries=6, gallery=40, parts=4)


def with_part(array, row, part, value):
    copy = np.array(array, dtype=np.float64)
    copy[row, part, 1] = value
    return copy


BAD_PARTS = {
    "NaN": (
        PARTS._replace(query_features=with_part(PARTS.query_features, 3, 2, np.nan)),
        r"query_features row 3, part 2, holds NaN; .*leave the image out",
    ),
    "infinite": (
        PARTS._replace(gallery_features=with_part(PARTS.gallery_features, 17, 0, -np.inf)),
        r"gallery_features row 17, part 0, holds an infinite value; ",
    ),
    "overflow": (
        PARTS._replace(gallery_features=with_part(PARTS.gallery_features, 5, 3, 1e25)),
        r"gallery_features row 5, part 3, is so long .*; scale the features down",
    ),
    "several rows": (
        PARTS._replace(query_features=np.full_like(PARTS.query_features, np.nan)),
        r"query_features row 0 \(and 5 more rows\), part 0, holds NaN",
    ),
    "parts against none": (
        PARTS._replace(gallery_features=CASE.gallery_features),
        r"query_features has 4 parts and gallery_features no parts "
        r"\(shapes \(6, 4, 8\) and \(40, 32\)\); extract both with the same network",
    ),
    "none against one part": (
        CASE._replace(gallery_features=CASE.gallery_features[:, None]),
        r"query_features has no parts and gallery_features 1 part \(shapes",
    ),
    "parts": (
        PARTS._replace(query_features=PARTS.query_features[:, :3]),
        r"query_features has 3 parts and gallery_features 4 parts",
    ),
    "dimensions": (
        PARTS._replace(query_features=PARTS.query_features[:, :, :5]),
        r"query_features has 5 dimensions and gallery_features 8; extract both",
    ),
    "no part": (
        PARTS._replace(query_features=PARTS.query_features[:, :0]),
        r"query_features is empty \(shape \(6, 0, 8\)\)",
    ),
    "four axes": (
        PARTS._replace(query_features=PARTS.query_features[None]),
        r"query_features has 4 dimensions; .*\(N, D\) or \(N, parts, D\)",
    ),
}


@pytest.mark.parametrize("evaluate", [rank, rank_reranked])
@pytest.mark.parametrize(("case", "message"), BAD_PARTS.values(), ids=BAD_PARTS)
def test_bad_parts_are_named(evaluate, case, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*case)


def test_parts_have_no_squared_distance():
    with pytest.raises(ValueError, match="query_features has 4 parts.*use feature_distances"):
        squared_distances(*PARTS[:2])


def test_features_without_parts_have_the_squared_distance():
    np.testing.assert_array_equal(feature_distances(*CASE[:2]), squared_distances(*CASE[:2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": -1}, r"k1 is -1; give a whole number of at least 1"),
        ({"k2": -3}, r"k2 is -3; "),
        ({"k1": 0}, r"k1 is 0; "),
        ({"k1": 2.5}, r"k1 is 2.5; "),
        ({"lambda_": 1.1}, r"lambda_ is 1.1; give a number in \[0, 1\]"),
        ({"lambda_": float("nan")}, r"lambda_ is nan"),
        ({"k1": 41}, r"k1 is 41 and gallery_features has only 40 rows; "),
        ({"k2": 41}, r"k2 is 41 and gallery_features has only 40 rows; "),
        ({"variant": "other"}, r"variant is 'other'; choose one of torchreid, zhong2017"),
        ({"device": "tpu"}, r"device is 'tpu'; choose one of cpu, cuda"),
        ({"threads": 0}, r"threads is 0"),
    ],
)
def test_bad_parameter_of_reranking_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        rerank(*CASE[:2], **options)
    with pytest.raises(ValueError, match=message):
        rank_reranked(*CASE, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ap_rule": "area"}, r"ap_rule is 'area'; choose one of step, trapezoid"),
        ({"max_rank": 0}, r"max_rank is 0; "),
    ],
)
def test_bad_option_of_ranking_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        rank(*CASE, **options)
    with pytest.raises(ValueError, match=message):
        rank_distances(np.zeros((6, 40)), *CASE.labels, **options)


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (np.full((6, 40), np.nan), r"distances row 0 holds NaN"),
        (np.zeros((0, 40)), r"distances has shape \(0, 40\)"),
        (np.zeros(40), r"distances has shape \(40,\)"),
        (np.zeros((6, 40), complex), r"distances has dtype complex128"),
        (np.zeros((6, 39)), r"gallery_pids has shape \(40,\) and the gallery has 39 rows"),
    ],
)
def test_bad_distances_are_named(distances, message):
    with pytest.raises(ValueError, match=message):
        rank_distances(distances, *CASE.labels)


def test_bad_single_gallery_shot_is_named():
    with pytest.raises(ValueError, match="repeats is 0"):
        SingleGalleryShot(repeats=0)
    with pytest.raises(ValueError, match="seed is -1"):
        SingleGalleryShot(seed=-1)


def test_bad_identity_is_named():
    with pytest.raises(ValueError, match="ranking is 'best'; choose one of plain, rk"):
        identity("best")
    with pytest.raises(ValueError, match="k1 is -2"):
        identity("rk", k1=-2)


def test_bad_k_of_top_matches_is_named():
    with pytest.raises(ValueError, match="k is 0"):
        top_matches(*CASE, 0)


def test_other_real_types_are_taken():
    half = CASE.query_features.astype(np.float16)
    expected = squared_distances(half.astype(np.float32), CASE.gallery_features)
    np.testing.assert_array_equal(squared_distances(half, CASE.gallery_features), expected)
