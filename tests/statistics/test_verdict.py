import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.statistics import (
    CellFinding,
    CellVerdict,
    cell_verdict,
)

QUIET = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])


def judge(values, published=90.0, **options) -> CellFinding:
    return cell_verdict(
        values, published, **({"seeds": 5, "delta": 1.0, "rounding": 0.05} | options)
    )


@pytest.mark.parametrize(
    ("mean", "noise", "verdict"),
    [
        (90.0, 1, CellVerdict.REPRODUCED),
        (90.6, 1, CellVerdict.REPRODUCED),
        (92.0, 1, CellVerdict.EXCEEDS),
        (88.0, 1, CellVerdict.BELOW),
        (91.0, 1, CellVerdict.INCONCLUSIVE),
        (89.0, 1, CellVerdict.INCONCLUSIVE),
        (90.0, 20, CellVerdict.INCONCLUSIVE),
    ],
)
def test_rows_of_the_decision_table(mean, noise, verdict):
    assert judge(mean + noise * QUIET).verdict == verdict


def test_no_difference_found_is_not_reproduced():
    from scipy.stats import ttest_1samp

    values = 90.3 + 20 * QUIET
    assert ttest_1samp(values, 90).pvalue > 0.05
    found = judge(values)
    assert found.verdict == CellVerdict.INCONCLUSIVE
    assert found.seeds_to_settle is not None
    assert found.seeds_to_settle > 5
    assert str(found.seeds_to_settle) in found.reason


def test_significant_but_small_difference_is_reproduced():
    from scipy.stats import ttest_1samp

    values = 90.5 + QUIET
    assert ttest_1samp(values, 90).pvalue < 0.05
    assert judge(values).verdict == CellVerdict.REPRODUCED


def test_published_run_that_could_be_ours_is_no_reason_to_say_below():
    values = np.tile(87.5 + 10 * QUIET, 8)
    found = judge(values)
    assert found.equivalence.high < -1
    assert found.prediction.contains(90.0)
    assert found.verdict == CellVerdict.INCONCLUSIVE
    assert found.seeds_to_settle is None
    assert "runs of the original" in found.reason


def test_seeds_that_would_settle_it_settle_it():
    # Beyond the margin by 0.4, deviation 0.9: any number of such runs may give the published one.
    scattered = 91.4 + 0.9 * QUIET / QUIET.std(ddof=1)
    found = judge(scattered)
    assert (found.verdict, found.seeds_to_settle) == (CellVerdict.INCONCLUSIVE, None)
    assert found.reason == (
        "The interval of the difference contains an end of the margin: more runs of the original "
        "would settle it."
    )
    # Beyond it by three deviations: five seeds leave the published run possible, more do not.
    noisy = 93.0 + QUIET / QUIET.std(ddof=1)
    found = judge(noisy)
    assert found.equivalence.low > 1
    assert found.verdict == CellVerdict.INCONCLUSIVE
    assert found.seeds_to_settle == 9
    assert found.reason.endswith("could be one of ours: a new study of 9 seeds would settle it.")
    rng = np.random.default_rng(0)
    studies = [judge(rng.normal(93.0, 1.0, 9), seeds=9).verdict for _ in range(400)]
    assert 0.75 < np.mean([verdict == CellVerdict.EXCEEDS for verdict in studies]) < 0.9


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_missing_runs_are_incomplete_however_good(n):
    found = judge((90.0 + QUIET)[:n])
    assert found.verdict == CellVerdict.INCOMPLETE
    assert found.reason == f"{n} of 5 runs are there."
    assert (found.headline is None) == (n == 0)
    assert (found.equivalence is None) == (n < 2)


@given(mean=st.floats(85, 95), noise=st.floats(0.1, 10), scale=st.sampled_from([0.01, 1.0, 7.0]))
@settings(deadline=None)
def test_unit_does_not_matter(mean, noise, scale):
    values = mean + noise * QUIET
    percent = judge(values)
    other = judge(scale * values, scale * 90.0, delta=scale * 1.0, rounding=scale * 0.05)
    assert other.verdict == percent.verdict


@given(offset=st.floats(0, 5), noise=st.floats(0.1, 10))
@settings(deadline=None)
def test_higher_and_lower_are_judged_alike(offset, noise):
    mirrored = {CellVerdict.EXCEEDS: CellVerdict.BELOW, CellVerdict.BELOW: CellVerdict.EXCEEDS}
    up, down = (judge(side * offset + noise * QUIET, 0.0).verdict for side in (1, -1))
    assert down == mirrored.get(up, up)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="seeds is 1"):
        judge([90.0, 90.1], seeds=1)
    with pytest.raises(ValueError, match="values has values that are missing"):
        judge([90.0, math.nan])
