"""Fixtures of the retrieval tests."""

from pathlib import Path

import numpy as np
import pytest

from topdb.retrieval import machine


@pytest.fixture(scope="session")
def golden():
    return np.load(Path(__file__).parents[1] / "golden" / "ranking.npz")


@pytest.fixture(params=["small", "compiled"])
def both_kernels(request, monkeypatch):
    """Rank by numpy, then by the compiled kernels, whatever the size."""
    monkeypatch.setattr(machine, "SMALL", 2**62 if request.param == "small" else -1)
