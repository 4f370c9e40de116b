import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from retrieval import definitions
from retrieval.strategies import cases, clustered

from topdb.retrieval import (
    neighbours,
    rank_distances,
    rank_reranked,
    rerank,
    rerank_distances,
)
from topdb.retrieval.checks import checked_pair
from topdb.retrieval.machine import Workers, silent

POWER = {"torchreid": 2, "zhong2017": 1}


def squared_distances_of_all(case):
    features = np.concatenate(case[:2]).astype(np.float64)
    return ((features[:, None] - features) ** 2).sum(axis=2)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    case=cases(smallest_gallery=8),
    variant=st.sampled_from(sorted(POWER)),
    k1=st.integers(1, 8),
    k2=st.integers(1, 8),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_equals_the_definition(case, variant, k1, k2, lambda_):
    expected = definitions.rerank(
        squared_distances_of_all(case), len(case.query_features), k1, k2, lambda_, POWER[variant]
    )
    found = rerank_distances(*case[:2], variant=variant, k1=k1, k2=k2, lambda_=lambda_)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", sorted(POWER))
@pytest.mark.parametrize("panel", [(7, 7), (20, 64), (10, 90), (1024, 8192)])
def test_ordinary_features_in_panels_of_any_size(variant, panel, monkeypatch):
    monkeypatch.setattr(neighbours, "PANEL_ROWS", panel[0])
    monkeypatch.setattr(neighbours, "PANEL_COLUMNS", panel[1])
    case = clustered(queries=23, gallery=150)
    expected = definitions.rerank(squared_distances_of_all(case), 23, 20, 6, 0.3, POWER[variant])
    found = rerank_distances(*case[:2], variant=variant)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "lambda_"), [(20, 6, 0.3), (5, 1, 0.1), (7, 3, 0.5)])
def test_golden_numbers_of_the_released_implementation(golden, k1, k2, lambda_):
    names = "query_features gallery_features query_pids gallery_pids query_camids gallery_camids"
    case = [golden[name] for name in names.split()]
    parameters = {"k1": k1, "k2": k2, "lambda_": lambda_}
    name = f"rk_k1={k1}_k2={k2}_lambda={lambda_}__"
    found = rerank_distances(*case[:2], **parameters)
    np.testing.assert_allclose(found, golden[f"{name}distances"], rtol=0, atol=1e-6)
    result = rank_reranked(*case, **parameters)
    assert result.mAP == pytest.approx(float(golden[f"{name}mAP"]), abs=1e-6)
    np.testing.assert_allclose(result.cmc, golden[f"{name}cmc20"], rtol=0, atol=1e-6)


def test_scores_are_those_of_the_reranked_distances():
    case = clustered()
    whole = rank_distances(rerank_distances(*case[:2]), *case.labels)
    in_blocks = rank_reranked(*case)
    np.testing.assert_array_equal(whole.ap, in_blocks.ap)
    np.testing.assert_array_equal(whole.cmc, in_blocks.cmc)


def test_blocks_cover_the_queries_in_order():
    case = clustered(queries=700, gallery=30_000, dimensions=4, persons=700)
    blocks = [(first, len(block)) for first, block in rerank(*case[:2]).blocks()]
    assert len(blocks) > 1
    assert [first for first, _ in blocks] == list(np.cumsum([0] + [n for _, n in blocks[:-1]]))
    assert sum(rows for _, rows in blocks) == 700


def test_nearest_of_equal_neighbours_by_index():
    # Images 0 to 4 coincide: the list of each holds the first three, whoever asks.
    features = np.zeros((5, 2), np.float32)
    query, gallery = checked_pair(features[:2], features[2:])
    with Workers(1) as workers:
        found = neighbours.nearest_neighbours(query, gallery, 3, workers, silent)
    assert found.indices.tolist() == [[0, 1, 2]] * 5


def test_identical_features_give_equal_distances_and_no_nan():
    found = rerank_distances(np.ones((2, 3)), np.ones((9, 3)), k1=3, k2=2)
    assert np.isfinite(found).all()


def test_progress_names_its_stages():
    stages = []
    rank_reranked(*clustered(), progress=lambda stage, share: stages.append((stage, share)))
    assert [stage for stage, share in stages if share == 1.0] == [
        "nearest neighbours",
        "encoding",
        "query expansion",
        "ranking",
    ]


def test_many_ordinary_features_equal_the_definition():
    case = clustered(queries=100, gallery=1000)
    expected = definitions.rerank(squared_distances_of_all(case), 100, 20, 6, 0.3, 2)
    np.testing.assert_allclose(rerank_distances(*case[:2]), expected, rtol=0, atol=1e-6)
