"""Many cells against printed numbers: what chance does, and what a selected number does."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from topdb.statistics.checks import at_least, finite_values, not_negative, open_share
from topdb.statistics.verdict import CellFinding, cell_verdict

NODES = 128


def smallest_delta(values: ArrayLike, published: float, *, alpha: float = 0.05) -> float:
    """The smallest margin with which these runs would be REPRODUCED, in the caller's unit.

    values: (n,) one score a seed, n >= 2
    published: the number as printed
    alpha: level of the two one-sided tests
    returns: |mean - published| + t s / sqrt(n); any margin above it gives REPRODUCED

    It describes, and is no margin to judge by: that was fixed before the runs.
    Source: Schuirmann (1987), solved for the margin.
    Raises ValueError for fewer than two values and missing ones.
    """
    scores = finite_values("values", values, at_least=2)
    open_share("alpha", alpha)
    n = len(scores)
    reach = float(stdtrit(n - 1, 1 - alpha)) * float(scores.std(ddof=1)) / float(np.sqrt(n))
    return abs(float(scores.mean()) - published) + reach


def expected_maximum(k: int) -> float:
    """Expected largest of k standard normal numbers: 0 for 1, 0.85 for 3, 1.16 for 5.

    Source: the integral of x k phi(x) Phi(x)^(k - 1), by quadrature over the maximum's quantiles.
    Raises ValueError for fewer than one.
    """
    points, weights = _over_quantiles(256)
    return float(weights @ ndtri(points ** (1 / at_least("k", k, 1))))


@dataclass(frozen=True)
class SelectedFinding:
    """A cell's verdict if the published number is the best of k runs.

    k: runs of which the best was published
    published: the number less what the best of k has above the mean, in the caller's unit
    finding: the verdict against that number
    """

    k: int
    published: float
    finding: CellFinding


def verdicts_if_selected(
    values: ArrayLike,
    published: float,
    *,
    seeds: int,
    delta: float,
    rounding: float,
    alpha: float = 0.05,
    runs: Sequence[int] = (1, 3, 5),
) -> tuple[SelectedFinding, ...]:
    """A cell's verdict if the published number is the best of 1, 3 and 5 runs: a sensitivity row.

    values, published, seeds, delta, rounding, alpha: as `cell_verdict` takes them
    runs: the k to try

    From the published number the expected maximum of k normal runs with the measured deviation
    between our seeds is taken off. It says how far the verdict rests on the number's being one
    honest run; what was really done nobody can see from here. With fewer than two values nothing
    is taken off.
    Raises ValueError as `cell_verdict` does.
    """
    scores = finite_values("values", values, at_least=0)
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    found = []
    for k in runs:
        less = published - expected_maximum(k) * sd
        finding = cell_verdict(
            scores, less, seeds=seeds, delta=delta, rounding=rounding, alpha=alpha
        )
        found.append(SelectedFinding(k, less, finding))
    return tuple(found)


@dataclass(frozen=True)
class FalseCells:
    """BELOW and EXCEEDS that chance gives among true cells.

    expected: expected number of such verdicts
    below, exceeds: the two it consists of
    any: chance of at least one, cells taken as independent
    cells: number of cells
    """

    expected: float
    below: float
    exceeds: float
    any: float
    cells: int


def false_cells(
    sds: ArrayLike,
    *,
    seeds: int,
    deltas: ArrayLike,
    rounding: float = 0.05,
    alpha: float = 0.05,
    best_of: int = 1,
) -> FalseCells:
    """How many BELOW and EXCEEDS chance gives where every cell is truly the same.

    sds: (cells,) deviation between seeds, of ours and of the paper's runs alike
    seeds: seeds of each cell, at least 2
    deltas: (cells,) or one margin for all, same unit
    rounding: half a unit of the published number's last digit
    alpha: level of the two one-sided tests
    best_of: runs of which the paper printed the best

    The published number is one run of the same method, or the best of several. Seeds are normal.
    Measured deviations of few seeds scatter; the sum over many cells is less uncertain than each.
    Source: the decision table of `cell_verdict`, integrated over our deviation and the published
    run by quadrature.
    Raises ValueError for a negative deviation or margin.
    """
    spreads = finite_values("sds", sds, at_least=1)
    margins = np.broadcast_to(np.asarray(deltas, dtype=np.float64), spreads.shape)
    chances: dict[tuple[float, float], tuple[float, float]] = {}
    below = exceeds = 0.0
    none = 1.0
    for sd, delta in zip(spreads.tolist(), margins.tolist(), strict=True):
        key = (not_negative("sds", sd), not_negative("deltas", delta))
        if key not in chances:
            chances[key] = _false_cell(sd, delta, seeds, rounding, alpha, best_of)
        below += chances[key][0]
        exceeds += chances[key][1]
        none *= 1 - sum(chances[key])
    return FalseCells(below + exceeds, below, exceeds, 1 - none, len(spreads))


def _false_cell(
    sd: float, delta: float, seeds: int, rounding: float, alpha: float, best_of: int
) -> tuple[float, float]:
    """Return the chances of BELOW and EXCEEDS of one true cell."""
    freedom = at_least("seeds", seeds, 2) - 1
    if sd == 0:
        return 0.0, 0.0
    points, weights = _over_quantiles(NODES)
    ours = sd * np.sqrt(chdtri(freedom, 1 - points) / freedom)
    theirs = sd * ndtri(points ** (1 / at_least("best_of", best_of, 1)))
    beyond_margin = delta + stdtrit(freedom, 1 - alpha) * ours / np.sqrt(seeds)
    no_run_of_ours = stdtrit(freedom, 0.975) * ours * np.sqrt(1 + 1 / seeds) + rounding
    gap = np.maximum(beyond_margin, no_run_of_ours)[:, np.newaxis]
    error = sd / np.sqrt(seeds)
    below = weights @ ndtr((theirs - gap) / error) @ weights
    exceeds = weights @ ndtr((-theirs - gap) / error) @ weights
    return float(below), float(exceeds)


@cache
def _over_quantiles(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points in (0, 1), dense towards both ends, and weights that add up to 1."""
    points, weights = leggauss(nodes)
    # u = (3 x - x^3 + 2) / 4 gathers points at the ends, where quantiles run to infinity.
    return (3 * points - points**3 + 2) / 4, weights * (3 - 3 * points**2) / 4
