import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieval.strategies import cases, clustered

from topdb.retrieval import feature_distances, rank, rank_reranked, rerank_distances
from topdb.retrieval.checks import checked_pair
from topdb.retrieval.cuda import cuda_nearest_neighbours, cuda_products, cuda_sums
from topdb.retrieval.machine import Workers, silent
from topdb.retrieval.neighbours import Neighbours, nearest_neighbours

torch = pytest.importorskip("torch", reason="needs torch")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@settings(deadline=None, max_examples=60)
@given(
    case=cases(smallest_gallery=5) | cases(smallest_gallery=5, parts=True), count=st.integers(1, 6)
)
def test_the_steps_on_a_cpu_keep_the_order_of_equal_neighbours(case, count):
    # Parts of one number have whole distances. torch rounds other square roots its own way on a
    # CPU; those of CUDA are rounded as numpy's are.
    features = (f[:, :, :1] if f.ndim == 3 else f for f in case[:2])
    query, gallery = checked_pair(*features)
    with Workers(1) as workers:
        expected = nearest_neighbours(query, gallery, count, workers, silent)
    found = Neighbours(*cuda_nearest_neighbours(query, gallery, count, silent, torch_device="cpu"))
    for field in ("indices", "distances", "farthest"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


def test_the_products_on_a_cpu():
    case = clustered()
    query, gallery = checked_pair(*case[:2])
    products = np.empty((7, len(gallery)), np.float32)
    cuda_products(query, gallery, torch_device="cpu")(3, 10, products)
    expected = case.query_features[3:10] @ case.gallery_features.T
    np.testing.assert_allclose(products, expected, rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(case=cases(parts=True))
def test_the_sums_on_a_cpu(case):
    query, gallery = checked_pair(*case[:2])
    found = np.empty((len(query), len(gallery)), np.float32)
    sums = cuda_sums(query, gallery, torch_device="cpu")
    middle = len(query) // 2
    sums(0, middle, found[:middle])
    sums(middle, len(query), found[middle:])
    np.testing.assert_allclose(found, feature_distances(*case[:2]), rtol=1e-6)


def test_the_sums_of_ordinary_features_on_a_cpu():
    case = clustered(parts=4)
    query, gallery = checked_pair(*case[:2])
    found = np.empty((7, len(gallery)), np.float32)
    cuda_sums(query, gallery, torch_device="cpu")(3, 10, found)
    np.testing.assert_allclose(found, feature_distances(*case[:2])[3:10], rtol=1e-5)


def test_scores_by_the_steps_on_a_cpu(monkeypatch):
    import functools

    from topdb.retrieval import cuda

    for name in ("cuda_products", "cuda_sums", "cuda_nearest_neighbours"):
        on_cpu = functools.partial(getattr(cuda, name), torch_device="cpu")
        monkeypatch.setattr(cuda, name, on_cpu)
    for case in (clustered(), clustered(parts=4)):
        for evaluate in (rank, rank_reranked):
            expected, found = evaluate(*case), evaluate(*case, device="cuda")
            np.testing.assert_allclose(found.ap, expected.ap, rtol=0, atol=1e-5)


@needs_gpu
@pytest.mark.parametrize("parts", [None, 4])
def test_gpu_gives_the_same_scores_as_the_cpu(parts):
    case = clustered(queries=200, gallery=3000, parts=parts)
    for evaluate in (rank, rank_reranked):
        cpu, gpu = evaluate(*case), evaluate(*case, device="cuda")
        np.testing.assert_allclose(gpu.ap, cpu.ap, rtol=0, atol=1e-5)


@needs_gpu
@pytest.mark.parametrize("parts", [None, 4])
def test_gpu_gives_the_same_reranked_distances_as_the_cpu(parts):
    case = clustered(queries=200, gallery=3000, parts=parts)
    cpu, gpu = rerank_distances(*case[:2]), rerank_distances(*case[:2], device="cuda")
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("evaluate", [rank, rank_reranked])
def test_missing_gpu_is_named(evaluate):
    with pytest.raises(ValueError, match="torch finds no CUDA GPU; use 'cpu'"):
        evaluate(*clustered(), device="cuda")
