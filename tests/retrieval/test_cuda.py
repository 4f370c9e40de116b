import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieval.strategies import cases, clustered

from topdb.retrieval import rank, rank_reranked, rerank_distances
from topdb.retrieval.checks import checked_pair
from topdb.retrieval.cuda import cuda_nearest_neighbours, cuda_products
from topdb.retrieval.neighbours import nearest_neighbours
from topdb.retrieval.progress import silent
from topdb.retrieval.workers import Workers

torch = pytest.importorskip("torch", reason="needs torch")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@settings(deadline=None, max_examples=40)
@given(case=cases(smallest_gallery=5), count=st.integers(1, 6))
def test_the_steps_on_a_cpu_keep_the_order_of_equal_neighbours(case, count):
    query, gallery = checked_pair(*case[:2])
    with Workers(1) as workers:
        expected = nearest_neighbours(query, gallery, count, workers, silent)
    found = cuda_nearest_neighbours(query, gallery, count, silent, torch_device="cpu")
    for field in ("indices", "distances", "farthest"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


def test_the_products_on_a_cpu():
    case = clustered()
    query, gallery = checked_pair(*case[:2])
    products = np.empty((7, len(gallery)), np.float32)
    cuda_products(query, gallery, torch_device="cpu")(3, 10, products)
    expected = case.query_features[3:10] @ case.gallery_features.T
    np.testing.assert_allclose(products, expected, rtol=1e-5, atol=1e-4)


@needs_gpu
def test_gpu_gives_the_same_scores_as_the_cpu():
    case = clustered(queries=200, gallery=3000)
    for evaluate in (rank, rank_reranked):
        cpu, gpu = evaluate(*case), evaluate(*case, device="cuda")
        np.testing.assert_allclose(gpu.ap, cpu.ap, rtol=0, atol=1e-5)


@needs_gpu
def test_gpu_gives_the_same_reranked_distances_as_the_cpu():
    case = clustered(queries=200, gallery=3000)
    cpu, gpu = rerank_distances(*case[:2]), rerank_distances(*case[:2], device="cuda")
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("evaluate", [rank, rank_reranked])
def test_missing_gpu_is_named(evaluate):
    with pytest.raises(ValueError, match="torch finds no CUDA GPU; use 'cpu'"):
        evaluate(*clustered(), device="cuda")
