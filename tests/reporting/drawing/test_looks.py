import math

import pytest

from topdb.reporting.drawing.style import looks
from topdb.reporting.scales import FAR_APART, logarithmic
from topdb.reporting.turns import KNOWN, turns

OWN = [f"own-{number}" for number in range(5)]


def test_no_two_methods_look_the_same():
    found = looks([*KNOWN, *OWN]).values()
    for attribute in ("colour", "marker", "line"):
        assert len({getattr(look, attribute) for look in found}) == len(KNOWN) + len(OWN)


def test_a_method_looks_the_same_whichever_others_are_there():
    every = looks(KNOWN)
    assert looks(["mhn", "own-0", "baseline"]) == {
        "mhn": every["mhn"],
        "own-0": looks(OWN)["own-0"],
        "baseline": every["baseline"],
    }
    assert list(looks(["mhn", "own-0", "baseline"])) == ["mhn", "own-0", "baseline"]


def test_more_methods_than_looks_take_turns_with_what_the_known_ones_leave():
    found = turns([*KNOWN, *OWN, "more"], len(KNOWN) + len(OWN))
    assert found["more"] == found["own-0"] == len(KNOWN)
    assert [found[method] for method in KNOWN] == list(range(len(KNOWN)))


@pytest.mark.parametrize(
    ("values", "far"),
    [
        ([1.0, FAR_APART + 1, math.nan], True),
        ([1.0, FAR_APART - 1], False),
        ([0.0, 100.0], False),
        ([-1.0, 100.0], False),
        ([math.nan, math.inf], False),
        ([], False),
    ],
)
def test_a_scale_is_logarithmic_where_a_straight_one_hides_the_small_values(values, far):
    assert logarithmic(values) is far
