"""Settings of the whole test run."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parent))


# How long an example takes says more about the machine and what else it does.
hypothesis.settings.register_profile("topdb", deadline=None)
hypothesis.settings.load_profile("topdb")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="Try the faults that take long, too.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try whole projects first: small tests then fill what is left of the workers' time."""
    items.sort(key=lambda item: "system" not in item.path.parts)
    for item in items:
        if item.get_closest_marker("soak") and not item.config.getoption("--soak"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: tried by `make soak`"))
