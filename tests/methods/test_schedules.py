import csv
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.config import load
from topdb.methods import find
from topdb.methods.contract import Cosine, Milestones, Moment, Stairs
from topdb.methods.contract.resolving import resolved

GOLDEN = Path(__file__).parents[1] / "golden" / "learning_rate.csv"
COSINE = Cosine(warmup=2.0)
STAIRS = Stairs(warmup=4, stair=2, milestones=(7, 9))
FOUR = ["baseline", "no-drop", "no-reg", "top-db-net"]


def rate(schedule, base: float, start: float, end: float, epochs: int) -> float:
    """The rate of a step that begins and ends at these epochs of the recipe's clock."""
    return schedule.rate(base, Moment(int(start), start, end), epochs)


@pytest.mark.parametrize("method", FOUR)
def test_the_paper_profile_has_the_authors_rate_in_each_of_its_400_epochs(method):
    paper = load(tiny.ROOT / "params.yaml").selected("paper")
    changes = paper.changes_of(method, "market1501")
    recipe = resolved(find(method), method, paper.side(method), paper.scale, changes)
    assert recipe.epochs == recipe.whole_passes == 400
    (rule,) = recipe.rules.values()
    with GOLDEN.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 400
    for row in rows:
        epoch = int(row["epoch"])
        for moment in (epoch, epoch + 0.5):
            found = rate(recipe.schedule, rule.rate, moment, moment + 0.5, 400)
            assert found == pytest.approx(float(row["learning_rate"]), rel=1e-12)


def test_stairs_and_milestones_count_epochs_from_one():
    rates = [rate(STAIRS, 1.0, epoch + 0.9, epoch + 1.0, 10) for epoch in range(10)]
    # Three stairs: epoch 1 is on the first, 2 and 3 on the second, 4 on the third.
    assert rates == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_the_cosine_starts_at_zero_peaks_after_the_warm_up_and_ends_at_zero():
    rates = {end: rate(COSINE, 0.008, max(0.0, end - 0.5), end, 10) for end in (0, 1, 2, 6, 10)}
    assert rates[0] == 0.0
    assert rates[1] == pytest.approx(0.004)
    assert rates[2] == pytest.approx(0.008)
    assert rates[6] == pytest.approx(0.004)
    assert rates[10] == pytest.approx(0.0, abs=1e-18)


@settings(deadline=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_the_cosine_rises_and_then_falls_and_stays_in_its_bounds(one, other):
    early, late = sorted((one, other))
    first, second = (rate(COSINE, 0.008, moment, moment, 10) for moment in (early, late))
    assert 0.0 <= first <= 0.008
    if late <= 2.0:
        assert first <= second
    if early >= 2.0:
        assert first >= second


def test_milestones_cut_the_rate_from_their_moment_on_and_the_warm_up_rises_by_epochs():
    schedule = Milestones(at=(4, 6.5), factor=0.5, warmup=2, start=0.1)
    rates = [rate(schedule, 1.0, start, start + 0.1, 10) for start in (0, 0.9, 1, 1.9, 2, 3.9)]
    assert rates == pytest.approx([0.1, 0.1, 0.55, 0.55, 1.0, 1.0])
    assert rate(schedule, 1.0, 4.0, 4.1, 10) == pytest.approx(0.5)
    assert rate(schedule, 1.0, 6.4, 6.6, 10) == pytest.approx(0.5)
    assert rate(schedule, 1.0, 6.5, 6.6, 10) == pytest.approx(0.25)
    assert {rate(Milestones(), 0.3, start, start + 1, 10) for start in range(10)} == {0.3}
