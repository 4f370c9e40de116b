import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from topdb.examples import ScoredRuns, choices
from topdb.results.runs import Cell


def runs(ap, people=None, matches=None, method="top-db-net", ranking="plain", tmp="top.parquet"):
    """Runs of one seed, or of as many as `ap` has rows."""
    scores = np.atleast_2d(np.array(ap, float))
    count = scores.shape[1]
    return ScoredRuns(
        cell=Cell("market1501", method, ranking),
        seeds=tuple(range(1, len(scores) + 1)),
        paths=tuple(f"query/{n}.jpg" for n in range(count)),
        people=np.array(range(1, count + 1) if people is None else people),
        matches=np.array([1] * count if matches is None else matches),
        ap=scores,
        first=(None, None),  # whose ranked lists nobody asks for here
    )


def rows(found, kind):
    return [choice.row for choice in found if choice.kind == kind]


def test_best_and_worst_are_by_the_mean_over_seeds():
    own = runs([[0.9, 0.1, 0.5], [0.1, 0.3, 0.8]])  # means 0.5, 0.2, 0.65
    found = list(choices(own, None, None, 2))
    assert rows(found, "best") == [2, 0]
    assert rows(found, "worst") == [1, 0]
    assert {choice.kind for choice in found} == {"best", "worst"}


def test_of_equals_more_matches_come_first_then_the_order_of_the_queries():
    own = runs([1.0, 1.0, 1.0, 0.2], matches=[1, 3, 1, 9])
    assert rows(choices(own, None, None, 3), "best") == [1, 0, 2]


def test_a_person_is_shown_once_in_a_kind():
    own = runs([1.0, 0.9, 0.8, 0.7], people=[5, 5, 6, 6])
    assert rows(choices(own, None, None, 3), "best") == [0, 2]


def test_changes_are_shown_with_both_lists_and_only_where_there_are_any():
    own, reference = runs([0.9, 0.5, 0.1]), runs([0.2, 0.5, 0.3], method="baseline")
    reranked = runs([0.9, 0.9, 0.9], ranking="rk")
    found = list(choices(own, reference, reranked, 3))
    assert rows(found, "gained") == [0]
    assert rows(found, "lost") == [2]
    assert rows(found, "rk-gained") == [2, 1]
    assert rows(found, "rk-lost") == []
    lists = {choice.kind: [each.cell for each in choice.lists] for choice in found}
    assert [cell.method for cell in lists["gained"]] == ["baseline", "top-db-net"]
    assert [cell.ranking for cell in lists["rk-gained"]] == ["plain", "rk"]


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=12), st.integers(1, 5))
def test_a_query_without_a_match_is_never_chosen(ap, count):
    scores = [np.nan if value is None else value for value in ap]
    found = list(choices(runs(scores), runs(scores[::-1], method="baseline"), None, count))
    assert all(ap[choice.row] is not None for choice in found)
    for kind in ("best", "worst"):
        assert len(rows(found, kind)) == min(count, sum(value is not None for value in ap))
