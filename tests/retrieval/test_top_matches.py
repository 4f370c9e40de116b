import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from retrieval.strategies import cases, clustered

from topdb.retrieval import (
    rank,
    rank_reranked,
    rerank,
    rerank_distances,
    top_matches,
    top_of_blocks,
)


@settings(deadline=None, max_examples=60)
@given(case=cases(), k=st.integers(1, 50))
def test_nearest_valid_images_in_stable_order(case, k):
    distances = ((case.query_features[:, None] - case.gallery_features) ** 2).sum(axis=2)
    found = top_matches(*case, k)
    assert found.shape == (len(distances), k)
    for row, pid, camid, places in zip(
        distances, case.query_pids, case.query_camids, found, strict=True
    ):
        junk = (case.gallery_pids == pid) & (case.gallery_camids == camid)
        expected = [g for g in np.argsort(row, kind="stable") if not junk[g]][:k]
        assert places.tolist() == expected + [-1] * (k - len(expected))


def test_of_reranked_distances():
    case = clustered()
    distances = rerank_distances(*case[:2])
    found = top_of_blocks(rerank(*case[:2]).blocks(), distances.shape, *case.labels, 5)
    expected = top_of_blocks([(0, distances)], distances.shape, *case.labels, 5)
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=60)
@given(case=cases(), k=st.integers(1, 50))
def test_a_ranking_gives_the_same_images_beside_the_same_scores(case, k):
    assume(case.has_match())
    result = rank(*case, top=k)
    np.testing.assert_array_equal(result.top, top_matches(*case, k))
    np.testing.assert_array_equal(result.ap, rank(*case).ap)


def test_a_reranking_gives_its_own_order():
    case = clustered()
    result = rank_reranked(*case, top=5)
    distances = rerank_distances(*case[:2])
    expected = top_of_blocks([(0, distances)], distances.shape, *case.labels, 5)
    np.testing.assert_array_equal(result.top, expected)
    assert (result.top != rank(*case, top=5).top).any()


def test_no_image_is_returned_that_nobody_asked_for():
    case = clustered()
    assert rank(*case).top.shape == (len(case.query_pids), 0)
    with pytest.raises(ValueError, match="top is -1"):
        rank(*case, top=-1)
