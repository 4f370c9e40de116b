import numpy as np
import pytest
from retrieval.strategies import clustered

from topdb.retrieval import rank, rank_reranked, rerank_distances

torch = pytest.importorskip("torch", reason="needs torch")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


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
