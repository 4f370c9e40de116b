import math

import numpy as np
import pytest

from topdb.statistics import headline


def test_mean_and_spread_of_hand_worked_seeds():
    found = headline([94.0, 95.0, 96.0])
    assert (found.mean, found.sd, found.n) == (95.0, 1.0, 3)


def test_one_seed_has_no_spread():
    found = headline([94.9])
    assert (found.mean, found.n) == (94.9, 1)
    assert math.isnan(found.sd)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], np.ones((2, 2))])
def test_values_that_are_no_seeds_are_refused(values):
    with pytest.raises(ValueError, match="values has"):
        headline(values)
