import csv
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.params import CosineSchedule, StepSchedule, load
from topdb.training.schedule import learning_rate

GOLDEN = Path(__file__).parents[1] / "golden" / "learning_rate.csv"
COSINE = CosineSchedule(kind="cosine", base=0.008, warmup_epochs=2.0)
STEPS = StepSchedule(kind="steps", base=1.0, warmup_epochs=4, stair_epochs=2, milestones=(7, 9))


def test_the_paper_profile_has_the_authors_rate_in_each_of_its_400_epochs():
    schedule = load(tiny.ROOT / "params.yaml").selected("paper").training.schedule
    with GOLDEN.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 400
    for row in rows:
        epoch = int(row["epoch"])
        for moment in (epoch, epoch + 0.5):
            found = learning_rate(schedule, int(moment), moment % 1, 400)
            assert found == pytest.approx(float(row["learning_rate"]), rel=1e-12)


def test_stairs_and_milestones_count_epochs_from_one():
    rates = [learning_rate(STEPS, epoch, 1.0, 10) for epoch in range(10)]
    # Three stairs: epoch 1 is on the first, 2 and 3 on the second, 4 on the third.
    assert rates == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_the_cosine_starts_at_zero_peaks_after_the_warm_up_and_ends_at_zero():
    assert learning_rate(COSINE, 0, 0.0, 10) == 0.0
    assert learning_rate(COSINE, 1, 0.0, 10) == pytest.approx(0.004)
    assert learning_rate(COSINE, 2, 0.0, 10) == pytest.approx(0.008)
    assert learning_rate(COSINE, 6, 0.0, 10) == pytest.approx(0.004)
    assert learning_rate(COSINE, 10, 0.0, 10) == pytest.approx(0.0, abs=1e-18)


@settings(deadline=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_the_cosine_rises_and_then_falls_and_stays_in_its_bounds(one, other):
    early, late = sorted((one, other))
    first, second = (learning_rate(COSINE, int(moment), moment % 1, 10) for moment in (early, late))
    assert 0.0 <= first <= 0.008
    if late <= 2.0:
        assert first <= second
    if early >= 2.0:
        assert first >= second
