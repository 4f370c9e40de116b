"""How far a measured number may drift from its reference before a guard calls it."""

import numpy as np
from scipy.special import stdtrit

from topdb.statistics.checks import at_least, not_negative, open_share


def drift_tolerance(
    reference_sd: float,
    reference_n: int,
    n: int,
    *,
    alpha: float,
    cells: int,
    floor: float,
) -> float:
    """Largest difference between a new mean and its reference that is still no drift.

    reference_sd: standard deviation between the reference's seeds (n - 1 in the denominator), in
    the caller's unit
    reference_n: seeds of the reference, at least 2
    n: seeds of the new mean, at least 1
    alpha: chance that an unchanged program is called in any of the cells
    cells: numbers that are guarded together, which share alpha equally (Bonferroni)
    floor: smallest tolerance, same unit, for drift that is real and does not matter
    returns: max(floor, t quantile at 1 - alpha / (2 cells) with reference_n - 1 degrees of
    freedom x reference_sd x sqrt(1 / reference_n + 1 / n))

    The new runs' own deviation is not used. A fault that makes runs scatter would widen its own
    tolerance, and a single new run has none. Under no drift the new seeds have the reference's
    deviation, hence the false alarm rate holds. Where the new runs use the reference's seeds,
    the two means agree better than independent ones, and the rate is smaller still.

    Source: the prediction interval for the mean of n future observations (Hahn and Meeker, 1991,
    "Statistical intervals", chapter 4).
    Raises ValueError for a reference of fewer than two seeds, or a deviation or floor that is
    missing or negative.
    """
    not_negative("reference_sd", reference_sd)
    not_negative("floor", floor)
    at_least("reference_n", reference_n, 2)
    at_least("n", n, 1)
    open_share("alpha", alpha)
    quantile = float(stdtrit(reference_n - 1, 1 - alpha / (2 * at_least("cells", cells, 1))))
    return max(floor, quantile * reference_sd * float(np.sqrt(1 / reference_n + 1 / n)))
