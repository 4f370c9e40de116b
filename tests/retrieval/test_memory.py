"""Memory that does not grow with the product of query and gallery."""

import tracemalloc

import pytest
from retrieval.strategies import clustered

from topdb.retrieval import rank, rank_reranked

MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("evaluate", "parts", "limit"),
    [(rank, None, 40), (rank_reranked, None, 100), (rank, 4, 75), (rank_reranked, 4, 100)],
)
def test_no_matrix_over_all_pairs(evaluate, parts, limit):
    case = clustered(
        queries=2500, gallery=17_500, dimensions=8, persons=1500, noise=0.1, parts=parts
    )
    evaluate(*case)  # what imports and compilation take is no part of it
    tracemalloc.start()
    try:
        evaluate(*case)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit * MEGABYTE  # query x gallery: 167 MB; all pairs: 1,526 MB
