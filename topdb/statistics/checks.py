"""The refusals that several functions of this package share."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Alternative = Literal["two-sided", "greater", "less"]


def known_alternative(alternative: str) -> None:
    """Refuse an alternative hypothesis that no test here knows, by a ValueError."""
    if alternative not in get_args(Alternative):
        raise ValueError(f"alternative is {alternative!r}: give 'two-sided', 'greater' or 'less'.")


def finite_values(name: str, values: ArrayLike, *, at_least: int) -> NDArray[np.float64]:
    """The values as a (n,) float64 array, or a ValueError that names them.

    name: what the caller calls the values, for the message
    values: (n,) numbers, one a seed, in any unit
    at_least: smallest n that the caller can work with
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(
            f"{name} has {array.ndim} dimensions where one is needed: give one number a seed."
        )
    if len(array) < at_least:
        raise ValueError(
            f"{name} has {len(array)} values where at least {at_least} are needed: run more seeds."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} has values that are missing or infinite: leave out the runs that are not "
            "there."
        )
    return array


def open_share(name: str, value: float) -> float:
    """The value if it lies strictly between 0 and 1, or a ValueError that names it."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}: give a share strictly between 0 and 1.")
    return value


def not_negative(name: str, value: float) -> float:
    """The value if it is finite and at least 0, or a ValueError that names it."""
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}: give a finite number of at least 0.")
    return value


def at_least(name: str, value: int, smallest: int) -> int:
    """The value if it is at least the smallest, or a ValueError that names it."""
    if value < smallest:
        raise ValueError(f"{name} is {value}: give a whole number of at least {smallest}.")
    return value
