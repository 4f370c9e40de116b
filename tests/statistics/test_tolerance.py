import numpy as np
import pytest
from scipy.stats import t

from topdb.statistics import drift_tolerance


def test_agrees_with_the_formula():
    found = drift_tolerance(0.4, 5, 3, alpha=0.01, cells=16, floor=0.0)
    assert found == pytest.approx(t.ppf(1 - 0.01 / 32, 4) * 0.4 * np.sqrt(1 / 5 + 1 / 3))


def test_floor_is_the_smallest_tolerance():
    assert drift_tolerance(0.0, 5, 5, alpha=0.01, cells=16, floor=1.0) == 1.0


def test_unchanged_program_is_rarely_called():
    rng = np.random.default_rng(1)
    called = []
    for _ in range(1000):
        reference, new = rng.normal(90, 0.4, (8, 5)), rng.normal(90, 0.4, (8, 3))
        called.append(
            any(
                abs(now.mean() - then.mean())
                > drift_tolerance(then.std(ddof=1), 5, 3, alpha=0.1, cells=8, floor=0.0)
                for then, now in zip(reference, new, strict=True)
            )
        )
    assert 0.05 <= np.mean(called) <= 0.12


def test_more_seeds_and_fewer_cells_are_stricter():
    base = drift_tolerance(0.4, 5, 5, alpha=0.01, cells=16, floor=0.0)
    assert drift_tolerance(0.4, 10, 5, alpha=0.01, cells=16, floor=0.0) < base
    assert drift_tolerance(0.4, 5, 10, alpha=0.01, cells=16, floor=0.0) < base
    assert drift_tolerance(0.4, 5, 5, alpha=0.01, cells=1, floor=0.0) < base


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reference_sd": float("nan")}, "reference_sd is nan"),
        ({"reference_n": 1}, "reference_n is 1"),
        ({"n": 0}, "n is 0"),
        ({"alpha": 0.0}, r"alpha is 0\.0"),
        ({"cells": 0}, "cells is 0"),
        ({"floor": -1.0}, r"floor is -1\.0"),
    ],
)
def test_bad_input_is_refused(changed, message):
    given = {"reference_sd": 0.4, "reference_n": 5, "n": 5, "alpha": 0.01, "cells": 4, "floor": 0.1}
    with pytest.raises(ValueError, match=message):
        drift_tolerance(**(given | changed))
