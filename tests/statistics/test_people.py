import numpy as np
import pytest

from topdb.statistics.pigeonhole import person_sums


def test_sums_and_counts_by_hand():
    runs = {"a": np.array([[1.0, 2.0, np.nan, 4.0]])}
    found = person_sums(runs, [5, 3, 3, 5])["a"]
    assert found.counts.tolist() == [1, 2]
    assert found.sums.tolist() == [[2, 5]]


def test_person_without_an_evaluated_query_is_left_out():
    runs = {"a": np.array([[1.0, np.nan, 3.0]])}
    assert person_sums(runs, [1, 2, 3])["a"].counts.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("runs", "people", "message"),
    [
        ({"a": [[1.0, 2.0]]}, [1, 2, 3], "a has shape"),
        ({"a": [[1.0, 2.0]]}, [1.0, 2.0], "whole number"),
        ({"a": [[1.0, 2.0]]}, [1, 1], "1 persons"),
        ({"a": [[1.0, np.inf]]}, [1, 2], "infinite"),
        ({"a": [[1.0, 2.0], [np.nan, 2.0]]}, [1, 2], "other queries"),
        ({"a": np.empty((0, 2))}, [1, 2], "no run"),
    ],
)
def test_bad_input_is_refused(runs, people, message):
    with pytest.raises(ValueError, match=message):
        person_sums({name: np.asarray(scores) for name, scores in runs.items()}, people)
