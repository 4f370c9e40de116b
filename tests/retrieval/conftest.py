"""Fixtures of the retrieval tests."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def golden():
    return np.load(Path(__file__).parents[1] / "golden" / "ranking.npz")
