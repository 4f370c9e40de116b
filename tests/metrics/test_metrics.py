import sys

import numpy as np
import pytest

import topdb.metrics
from topdb.metrics import MatchRanks, columns, metric, metrics

MATCHES = MatchRanks(np.array([2, 4, 1, 7, 8, 30]), np.array([2, 0, 3, 1]))
"""Four queries; the second has no valid match."""

LATE = """
import numpy as np
from topdb.metrics import Metric

def last_match_rank(matches):
    return matches.column(matches.ranks[matches.lasts], 0)

def fractions(ranks):
    return np.where(ranks < 1, np.nan, ranks.astype(float))

METRICS = (Metric("last", "last match", "last_match_rank", last_match_rank, fractions, "lower"),)
"""


@pytest.fixture
def drop_in(tmp_path, monkeypatch):
    """Writes a metric's file into a folder that the package looks into as its own."""
    monkeypatch.setattr(topdb.metrics, "__path__", [*topdb.metrics.__path__, str(tmp_path)])

    def write(source, name="late"):
        (tmp_path / f"{name}.py").write_text(source)

    yield write
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(f"topdb.metrics.{file.stem}", None)


def of(name, matches=MATCHES):
    each = metric(name)
    stored = columns(matches)[each.column]
    return each.per_query(stored), each.summary(stored)


def test_the_order_is_that_of_the_files():
    assert list(metrics()) == ["mAP", "R1", "R5", "R10", "R20", "mINP"]
    assert all(name == each.name for name, each in metrics().items())
    assert list(columns(MATCHES)) == ["ap", "first_match_rank", "inp"]


def test_average_precision_worked_by_hand():
    values, summary = of("mAP")
    expected = [(1 / 2 + 2 / 4) / 2, np.nan, (1 + 2 / 7 + 3 / 8) / 3, 1 / 30]
    np.testing.assert_allclose(values, expected, rtol=1e-15)
    assert summary == pytest.approx(np.nanmean(expected), abs=1e-15)


def test_trapezoid_worked_by_hand():
    values, _ = of("mAP", MatchRanks(np.array([2, 4, 1]), np.array([2, 1]), "trapezoid"))
    expected = [((0 / 1 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2, 1.0]
    np.testing.assert_allclose(values, expected, rtol=1e-15)


def test_inverse_negative_penalty_worked_by_hand():
    values, summary = of("mINP")
    np.testing.assert_allclose(values, [2 / 4, np.nan, 3 / 8, 1 / 30], rtol=1e-15)
    assert summary == pytest.approx((2 / 4 + 3 / 8 + 1 / 30) / 3)


@pytest.mark.parametrize(
    ("name", "hits"),
    [("R1", [0, None, 1, 0]), ("R5", [1, None, 1, 0]), ("R20", [1, None, 1, 0])],
)
def test_hits_worked_by_hand(name, hits):
    values, summary = of(name)
    np.testing.assert_array_equal(values, np.array(hits, float))
    assert summary == sum(hit for hit in hits if hit is not None) / 3


def test_stored_ranks_below_one_are_of_queries_without_match():
    values = metric("R5").per_query(np.array([-1, 0, 1, 5, 6]))
    np.testing.assert_array_equal(values, [np.nan, np.nan, 1, 1, 0])


def test_a_metric_is_one_file(drop_in):
    drop_in(LATE)
    assert list(metrics())[-2:] == ["mINP", "last"]
    assert metric("last").better == "lower"
    values, summary = of("last")
    np.testing.assert_array_equal(values, [4, np.nan, 8, 30])
    assert summary == 14


def test_an_unknown_metric_is_a_key_error():
    with pytest.raises(KeyError):
        metric("R3")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"last"', '"mAP"', "called mAP"),
        ('"last_match_rank"', '"ap"', "mAP.*last.*column ap"),
    ],
)
def test_a_metric_that_takes_anothers_place_is_named(old, new, said, drop_in):
    drop_in(LATE.replace(old, new))
    with pytest.raises(ValueError, match=said):
        metrics()


def test_a_metric_that_returns_another_shape_is_named(drop_in):
    drop_in(LATE.replace("matches.column(matches.ranks[matches.lasts], 0)", "matches.ranks"))
    with pytest.raises(ValueError, match=r"metric last returns shape \(6,\) for 4 queries"):
        columns(MATCHES)
