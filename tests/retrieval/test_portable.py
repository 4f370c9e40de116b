"""Rankings by numpy alone: the bits of the compiled kernels."""

import importlib.util

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from retrieval.strategies import Case, cases, clustered

from topdb.retrieval import (
    AP_RULES,
    SingleGalleryShot,
    feature_distances,
    machine,
    rank,
    rank_distances,
    rank_reranked,
)

SHOTS = st.sampled_from([None, SingleGalleryShot(repeats=3, seed=1)])
fixtures_stay = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def both(monkeypatch):
    """Call a function with the compiled kernels alone, and with numpy alone."""

    def call(function, *arguments, **options):
        found = []
        for small in (-1, 2**62):
            monkeypatch.setattr(machine, "SMALL", small)
            found.append(function(*arguments, **options))
        return found

    return call


def require_equal_bits(compiled, small):
    assert compiled.columns.keys() == small.columns.keys()
    for name in compiled.columns:
        assert compiled.columns[name].dtype == small.columns[name].dtype
        assert compiled.columns[name].tobytes() == small.columns[name].tobytes(), name
    for name in ("matches", "cmc", "top"):
        assert getattr(compiled, name).tobytes() == getattr(small, name).tobytes(), name


@fixtures_stay
@given(
    case=st.booleans().flatmap(lambda parts: cases(parts=parts)),
    rule=st.sampled_from(AP_RULES),
    shot=SHOTS,
    threads=st.sampled_from([1, 2]),
)
def test_features_are_ranked_alike(case, rule, shot, threads, both):
    assume(case.has_match())
    options = {"ap_rule": rule, "top": 5, "single_gallery_shot": shot, "threads": threads}
    require_equal_bits(*both(rank, *case, **options))


@fixtures_stay
@given(
    case=cases(smallest_gallery=8),
    k1=st.integers(1, 8),
    variant=st.sampled_from(["torchreid", "zhong2017"]),
    rule=st.sampled_from(AP_RULES),
)
def test_reranked_features_are_ranked_alike(case, k1, variant, rule, both):
    assume(case.has_match())
    options = {"k1": k1, "k2": 2, "variant": variant, "ap_rule": rule, "top": 5}
    require_equal_bits(*both(rank_reranked, *case, **options))


@fixtures_stay
@given(
    case=cases(),
    dtype=st.sampled_from([np.float16, np.float32, np.float64, np.int32]),
    zero=st.sampled_from([0.0, -0.0]),
)
def test_given_distances_are_ranked_alike(case, dtype, zero, both):
    assume(case.has_match())
    distances = feature_distances(*case[:2]).astype(dtype)
    distances[::2][distances[::2] == 0] = zero  # equal to 0, and another bit pattern
    require_equal_bits(*both(rank_distances, distances, *case.labels))


@pytest.mark.parametrize("parts", [None, 4])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e16])
def test_distances_of_ordinary_features_have_equal_bits(parts, scale, both):
    case = clustered(parts=parts)
    features = [np.float32(scale) * each for each in case[:2]]
    compiled, small = both(feature_distances, *features)
    assert compiled.tobytes() == small.tobytes()
    require_equal_bits(*both(rank, *features, *case.labels, top=20))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case([[0.0]], [[1.0]], [1], [1], [0], [1]), id="one image"),
        pytest.param(
            Case([[0.0]] * 2, [[1.0]] * 4, [1, 2], [1, 1, 0, 2], [0, 0], [0, 1, 0, 0]),
            id="all distances equal, and a query with junk alone",
        ),
        pytest.param(
            Case([[0.0]] * 3, [[1.0], [0.5]], [1, 2, 3], [0, 2], [0, 0, 0], [1, 1]),
            id="queries without a match at both ends",
        ),
    ],
)
def test_degenerate_cases(case, both):
    require_equal_bits(*both(rank, *case, top=3))


def test_few_distances_are_ranked_by_numpy_and_all_without_numba(monkeypatch):
    assert machine.kernels_for(machine.SMALL).__name__ == "topdb.retrieval.portable"
    assert machine.kernels_for(machine.SMALL + 1).__name__ == "topdb.retrieval.kernels"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert machine.kernels_for(2**40).__name__ == "topdb.retrieval.portable"
