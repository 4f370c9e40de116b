"""Many problems told in one sentence."""

import pytest

from topdb.datasets.problems import Problems
from topdb.errors import UserError


def told(*messages: str) -> str:
    problems = Problems()
    for message in messages:
        with problems.collecting():
            raise UserError(message)
    assert bool(problems) == bool(messages)
    with pytest.raises(UserError) as caught:
        problems.require_none()
    return str(caught.value)


def test_none_is_none() -> None:
    problems = Problems()
    with problems.collecting():
        pass
    problems.require_none()
    assert not problems


def test_one_is_told_as_it_is() -> None:
    assert told("a.jpg is empty: replace it.") == "a.jpg is empty: replace it."


def test_a_shared_remedy_is_told_once() -> None:
    said = told("a is empty: replace it.", "b is cut: replace it.")
    assert said == "2 files are wrong: a is empty; b is cut: replace it (each of them)."


def test_each_keeps_a_remedy_of_its_own() -> None:
    said = told("a is empty: replace it.", "b is in CMYK: convert it.")
    assert said == "2 files are wrong: a is empty: replace it; b is in CMYK: convert it."


def test_ten_are_named_and_the_rest_are_counted() -> None:
    said = told(*(f"{n}.jpg is empty: replace it." for n in range(1234)))
    assert said.startswith("1,234 files are wrong: 0.jpg is empty; 1.jpg is empty; ")
    assert said.endswith("9.jpg is empty; and 1,224 more: replace it (each of them).")


def test_other_errors_pass() -> None:
    with pytest.raises(OSError, match="disk"), Problems().collecting():
        raise OSError("disk")
