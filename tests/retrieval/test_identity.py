import json

import pytest

from topdb.retrieval import SingleGalleryShot, identity
from topdb.retrieval.identity import VERSION


def test_plain_ranking_has_no_reranking():
    found = identity("plain", ap_rule="trapezoid")
    assert found["ap_rule"] == "trapezoid"
    assert found["reranking"] is None


def test_reranking_names_its_variant_and_parameters():
    found = identity("rk", variant="zhong2017", k1=5, k2=2, lambda_=0.5)["reranking"]
    assert (found["variant"], found["power_of_euclidean_distance"]) == ("zhong2017", 2)
    assert (found["k1"], found["k2"], found["lambda"]) == (5, 2, 0.5)


def test_features_with_parts_name_the_sum_and_its_power():
    plain = identity("plain", parts=8)
    assert plain["distance"] == "sum over 8 parts of Euclidean distances, float32"
    assert identity("plain", parts=1)["distance"].startswith("sum over 1 part of ")
    assert identity("plain")["distance"] == "squared Euclidean, float32"
    for variant, power in (("torchreid", 4), ("zhong2017", 2)):
        reranking = identity("rk", variant=variant, parts=8)["reranking"]
        assert reranking["power_of_summed_distance"] == power
        assert "power_of_euclidean_distance" not in reranking
    with pytest.raises(ValueError, match="parts is 0"):
        identity(parts=0)


def test_the_rules_have_a_version_and_the_metric_a_name():
    plain, cosine = identity(), identity(metric="cosine")
    assert plain["version"] == cosine["version"] == VERSION
    assert (plain["metric"], cosine["metric"]) == ("euclidean", "cosine")
    assert cosine["distance"] == "squared Euclidean, float32, of features of unit length"
    with pytest.raises(ValueError, match="metric is 'manhattan'"):
        identity(metric="manhattan")


def test_fits_json():
    text = json.dumps(identity("rk", single_gallery_shot=SingleGalleryShot(seed=4)))
    assert json.loads(text)["single_gallery_shot"] == {"repeats": 10, "seed": 4}
