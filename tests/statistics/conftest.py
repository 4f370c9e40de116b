"""Simulations of levels and power that take long."""

import pytest


@pytest.fixture
def long(request: pytest.FixtureRequest) -> None:
    """Skip a test that takes long, unless `--soak` asks for it."""
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `pytest tests/statistics --soak`")
