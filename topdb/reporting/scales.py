"""Which scale a plot needs."""

import math
from collections.abc import Iterable

FAR_APART = 20.0
"""How many times the least value the greatest is where a straight scale hides the small ones."""


def logarithmic(values: Iterable[float]) -> bool:
    """Return whether positive values are so different that a logarithmic scale shows them."""
    known = [value for value in values if math.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > FAR_APART
