"""Features (N, parts, D), whose distance is the sum over the parts of Euclidean distances."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from retrieval import definitions
from retrieval.strategies import cases, clustered

from topdb.retrieval import (
    VARIANTS,
    SingleGalleryShot,
    distances,
    feature_distances,
    neighbours,
    rank,
    rank_distances,
    rank_reranked,
    rerank_distances,
    squared_distances,
    top_matches,
)

POWER_OF_SUM = {"torchreid": 4, "zhong2017": 2}
pytestmark = pytest.mark.usefixtures("both_kernels")
fixtures_stay = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def whole(case):
    """Rounded features: their products are exact, whatever the order of the additions."""
    return case._replace(
        query_features=np.round(4 * case.query_features),
        gallery_features=np.round(4 * case.gallery_features),
    )


def as_one_part(case):
    return case._replace(
        query_features=case.query_features[:, None], gallery_features=case.gallery_features[:, None]
    )


def distances_of_all(case):
    features = np.concatenate(case[:2])
    return definitions.summed_distances(features, features)


def test_distance_worked_by_hand():
    # Parts (3, 4) and (0, 5) from the origin: 5 + 5. As one vector it would be the root of 50.
    found = feature_distances(np.zeros((1, 2, 2)), [[[3, 4], [0, 5]], [[0, 1], [0, 0]]])
    assert found.dtype == np.float32
    assert found.tolist() == [[10, 1]]


def test_order_worked_by_hand():
    # Sums over two parts: 4, 6 and 5. Without parts the images are 4, 4.24 and 3.54 away.
    gallery = [[[4], [0]], [[3], [3]], [[2.5], [2.5]]]
    case = ([[[0], [0]]], gallery, [1], [2, 3, 1], [0], [1, 1, 1])
    assert rank(*case, top=3).top.tolist() == [[0, 2, 1]]
    assert rank(*case).first_match_rank.tolist() == [2]
    whole = (np.zeros((1, 2)), np.reshape(gallery, (3, 2)), *case[2:])
    assert rank(*whole, top=3).top.tolist() == [[2, 0, 1]]


@fixtures_stay
@given(case=cases(parts=True), tile=st.sampled_from([1, 90, 2**25]))
def test_distances_equal_the_definition(case, tile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "TILE_BYTES", tile)
        found = feature_distances(*case[:2])
    np.testing.assert_array_equal(found, definitions.summed_distances(*case[:2]))


@fixtures_stay
@given(case=cases(parts=True), k=st.integers(1, 50))
def test_ranking_equals_the_definition_of_a_stable_ranking(case, k):
    assume(case.has_match())
    lists = definitions.ranked_lists(definitions.summed_distances(*case[:2]), *case.labels)
    result = rank(*case, top=k)
    expected = [definitions.step_ap(ranks) for ranks in lists]
    np.testing.assert_allclose(result.ap, expected, rtol=0, atol=1e-12)
    first = [ranks[0] if ranks else 0 for ranks in lists]
    np.testing.assert_array_equal(result.first_match_rank, first)
    np.testing.assert_array_equal(result.top, top_matches(*case, k))


def test_ordinary_features_equal_a_stable_sort_of_the_same_distances():
    case = clustered(gallery=700, parts=4)
    distances = feature_distances(*case[:2])
    lists = definitions.ranked_lists(distances, *case.labels)
    expected = [definitions.step_ap(ranks) for ranks in lists]
    np.testing.assert_allclose(rank(*case).ap, expected, rtol=0, atol=1e-12)
    exact = definitions.summed_distances(*case[:2])
    np.testing.assert_allclose(distances, exact, rtol=1e-5)


def test_distances_have_the_bits_that_numpy_gives():
    case = clustered(gallery=5000, parts=8, dimensions=96)
    expected = definitions.summed_distances_in_float32(*case[:2])
    assert feature_distances(*case[:2]).tobytes() == expected.tobytes()
    in_order = rank_distances(expected, *case.labels, top=5)
    np.testing.assert_array_equal(rank(*case).ap, in_order.ap)
    np.testing.assert_array_equal(rank(*case, top=5).top, in_order.top)


def test_equal_distances_come_in_the_order_of_the_gallery():
    gallery = np.array([[1, 2], [2, -1], [-2, 1]], np.float32)[:, :, None]
    ranks = [
        rank(np.zeros((1, 2, 1)), gallery, [1], np.roll([1, 2, 2], place), [0], [1, 1, 1])
        for place in range(3)
    ]
    assert [int(result.first_match_rank[0]) for result in ranks] == [1, 2, 3]


def test_equal_features_are_at_distance_zero_or_just_above_and_never_nan():
    features = np.random.default_rng(0).standard_normal((30, 3, 70)).astype(np.float32)
    found = np.diag(feature_distances(features, features))
    assert (found >= 0).all()
    assert found.max() < 0.05


def test_one_part_ranks_as_its_root():
    case = whole(clustered())
    one = as_one_part(case)
    expected = np.sqrt(squared_distances(*case[:2]))
    np.testing.assert_array_equal(feature_distances(*one[:2]), expected)
    np.testing.assert_array_equal(rank(*one, top=10).top, rank(*case, top=10).top)


def test_several_blocks_and_tiles_equal_the_whole_matrix():
    case = clustered(queries=700, gallery=30_000, dimensions=4, persons=700, parts=2)
    result = rank(*case, top=3)
    distances = feature_distances(*case[:2])
    np.testing.assert_array_equal(result.ap, rank_distances(distances, *case.labels).ap)
    exact = definitions.summed_distances(case.query_features[::50], case.gallery_features)
    np.testing.assert_allclose(distances[::50], exact, rtol=1e-4, atol=1e-3)


def test_read_only_memory_map_is_taken(tmp_path):
    case = clustered(parts=4)
    np.save(tmp_path / "gallery.npy", case.gallery_features)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    for evaluate in (rank, rank_reranked):
        assert evaluate(case.query_features, mapped, *case.labels).mAP == evaluate(*case).mAP


def test_other_layouts_and_types_are_taken():
    case = clustered(parts=4)
    turned = case.gallery_features.astype(np.float64).transpose(1, 0, 2).copy().transpose(1, 0, 2)
    found = feature_distances(case.query_features, turned)
    np.testing.assert_array_equal(found, feature_distances(*case[:2]))


def test_single_gallery_shot_uses_the_sums():
    # The person's images are at the sums 2 and 6, the other person's at 5. Without parts they are
    # 1.41 and 4.24 away, the other one 5: rank 1 in any draw.
    gallery = [[[1], [1]], [[3], [3]], [[5], [0]]]
    case = ([[[0], [0]]], gallery, [1], [1, 1, 2], [0], [1, 1, 1])
    result = rank(*case, single_gallery_shot=SingleGalleryShot(repeats=4000, seed=3))
    assert result.cmc[0] == pytest.approx(0.5, abs=0.04)


@fixtures_stay
@given(
    case=cases(smallest_gallery=8, parts=True),
    variant=st.sampled_from(VARIANTS),
    k1=st.integers(1, 8),
    k2=st.integers(1, 8),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_reranking_equals_the_definition(case, variant, k1, k2, lambda_):
    expected = definitions.rerank(
        distances_of_all(case), len(case.query_features), k1, k2, lambda_, POWER_OF_SUM[variant]
    )
    found = rerank_distances(*case[:2], variant=variant, k1=k1, k2=k2, lambda_=lambda_)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("panel", "tile"), [((7, 7), 84), ((20, 64), 1000), ((1024, 8192), 2**25)])
def test_ordinary_features_in_panels_of_any_size(variant, panel, tile, monkeypatch):
    monkeypatch.setattr(neighbours, "PANEL_ROWS", panel[0])
    monkeypatch.setattr(neighbours, "PANEL_COLUMNS", panel[1])
    monkeypatch.setattr(distances, "TILE_BYTES", tile)
    case = clustered(queries=23, gallery=150, parts=4)
    expected = definitions.rerank(distances_of_all(case), 23, 20, 6, 0.3, POWER_OF_SUM[variant])
    found = rerank_distances(*case[:2], variant=variant)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_part_reranks_as_features_without_parts(variant):
    case = whole(clustered(queries=100, gallery=1000))
    found = rerank_distances(*as_one_part(case)[:2], variant=variant)
    np.testing.assert_allclose(
        found, rerank_distances(*case[:2], variant=variant), rtol=0, atol=2e-6
    )


def test_reranking_of_ordinary_features_equals_the_definition():
    case = whole(clustered(queries=100, gallery=1000, parts=4))
    expected = definitions.rerank(
        distances_of_all(case), 100, 20, 6, 0.3, POWER_OF_SUM["torchreid"]
    )
    np.testing.assert_allclose(rerank_distances(*case[:2]), expected, rtol=0, atol=2e-6)


def test_scores_are_those_of_the_reranked_distances():
    case = clustered(parts=4)
    at_once = rank_distances(rerank_distances(*case[:2]), *case.labels, top=5)
    in_blocks = rank_reranked(*case, top=5)
    np.testing.assert_array_equal(in_blocks.ap, at_once.ap)
    np.testing.assert_array_equal(in_blocks.top, at_once.top)


def test_only_the_original_distance_ranks_as_plain():
    case = whole(clustered(parts=4))
    for variant in VARIANTS:
        result = rank_reranked(*case, variant=variant, lambda_=1.0)
        np.testing.assert_allclose(result.ap, rank(*case).ap, rtol=0, atol=1e-12)


def test_identical_features_give_equal_distances_and_no_nan():
    found = rerank_distances(np.ones((2, 2, 3)), np.ones((9, 2, 3)), k1=3, k2=2)
    assert np.isfinite(found).all()
