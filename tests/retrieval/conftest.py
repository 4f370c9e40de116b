"""Fixtures of the retrieval tests."""

from pathlib import Path

import numpy as np
import pytest

from topdb.retrieval import small_ranking, small_reranking


@pytest.fixture(params=["numpy", "compiled"])
def path(request, monkeypatch):
    """Both implementations: numpy's for small evaluations, and the kernels."""
    if request.param == "compiled":
        monkeypatch.setattr(small_ranking, "LARGEST_WORK", 0)
        monkeypatch.setattr(small_reranking, "LARGEST_IMAGES", 0)
    return request.param


@pytest.fixture(scope="session")
def golden():
    return np.load(Path(__file__).parents[1] / "golden" / "ranking.npz")
