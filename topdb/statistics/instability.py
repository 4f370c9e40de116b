"""One collapsed or outlying run among a cell's few."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from topdb.statistics.checks import finite_values, not_negative, open_share

LOST = 0.5
"""Share of what the median run has above chance, whose loss is a collapse."""


@dataclass(frozen=True)
class UnstableRun:
    """A run that is not like the others of its cell.

    place: its place among the values, from 0
    value: its score, in the caller's unit
    collapsed: whether it lost half of what the median run has above chance; else it is an outlier
    reason: one sentence
    """

    place: int
    value: float
    collapsed: bool
    reason: str


@dataclass(frozen=True)
class Stability:
    """What the runs of one cell say about each other.

    runs: those that are not like the others, in the order of the values
    n: runs that were looked at
    """

    runs: tuple[UnstableRun, ...]
    n: int

    @property
    def stable(self) -> bool:
        """Whether no run stands out."""
        return not self.runs

    def mark(self) -> str:
        """What is printed beside the cell: `one of 5 runs collapsed`; empty if it is stable."""
        words = []
        for what, several in (("collapsed", True), ("stands out", False)):
            number = sum(run.collapsed == several for run in self.runs)
            if number:
                verb = "stand out" if not several and number > 1 else what
                words.append(f"{'one' if number == 1 else number} of {self.n} runs {verb}")
        return ", ".join(words)


def stability(
    values: ArrayLike,
    *,
    chance: float = 0.0,
    false_alarm: float = 0.01,
    lost: float = LOST,
    floor: float = 0.0,
    usual_sd: float | None = None,
    usual_freedom: float = float("inf"),
) -> Stability:
    """Find the runs of a cell that collapsed or stand out.

    values: (n,) one score a seed, in any unit; fewer than 3 have no outlier
    chance: score of a network that knows nothing, same unit
    false_alarm: chance that a cell of normal, equal seeds has a run called an outlier
    lost: share of what the median run has above chance; who loses more has collapsed
    floor: distance from the other runs up to which a run never stands out, same unit
    usual_sd: deviation between seeds of comparable cells (the pooled one of the grid's other
    cells, or a reference's), same unit; None where there is none
    usual_freedom: degrees of freedom of usual_sd, for instance cells x (seeds - 1)

    Three rules, and one is enough:

    - Absolute: a run below chance + (1 - lost) x (median - chance) has collapsed. It sees any
      number of collapsed runs that is fewer than half, from three seeds. Normal seeds never come
      near it where their deviation is a small part of the score.
    - Relative: the run farthest from the mean of the others, in units of their deviation, against
      the t quantile at 1 - false_alarm / (2 n) with n - 2 degrees of freedom (Grubbs, 1950, "Sample
      criteria for testing outlying observations"; exact but for Bonferroni's inequality). At n = 3
      only a distance of some 230 deviations counts, at 5 one of 11, at 10 one of 5.
    - Against the usual deviation, where one is given: distances from the median over usual_sd
      against the t quantile at the same level, times sqrt(1 + pi / (2 n)) for the median's own
      error. With it three seeds are enough. The two rules share false_alarm.

    It cannot see a method's collapses where no run collapsed here. Five runs of a method that
    collapses in one of ten show none in 59 % of studies.
    Raises ValueError for missing or infinite values, and shares outside (0, 1).
    """
    scores = finite_values("values", values, at_least=0)
    open_share("false_alarm", false_alarm)
    open_share("lost", lost)
    not_negative("floor", floor)
    n = len(scores)
    if n < 3:
        return Stability((), n)
    median = float(np.median(scores))
    border = chance + (1 - lost) * (median - chance)
    level = false_alarm if usual_sd is None else false_alarm / 2
    found: dict[int, UnstableRun] = {}
    low = np.flatnonzero(scores < border).tolist() if median > chance else []
    for place in low:
        reason = f"It has {scores[place]:.4g}, the median run {median:.4g}, chance {chance:.4g}."
        found[place] = UnstableRun(place, float(scores[place]), True, reason)
    for place, distance, limit in (
        *_farthest(scores, level),
        *_beyond_usual(scores, level, usual_sd, usual_freedom),
    ):
        if place not in found and distance > max(limit, floor):
            reason = f"It lies {distance:.3g} from the other runs, where {limit:.3g} is usual."
            found[place] = UnstableRun(place, float(scores[place]), False, reason)
    return Stability(tuple(found[place] for place in sorted(found)), n)


def _farthest(scores: NDArray[np.float64], level: float) -> list[tuple[int, float, float]]:
    """Return the farthest run's place, its distance from the others' mean, and the limit of it."""
    n = len(scores)
    place = int(np.argmax(np.abs(scores - scores.mean())))
    others = np.delete(scores, place)
    spread = float(others.std(ddof=1)) * float(np.sqrt(1 + 1 / (n - 1)))
    limit = float(stdtrit(n - 2, 1 - level / (2 * n))) * spread
    return [(place, abs(float(scores[place] - others.mean())), limit)]


def _beyond_usual(
    scores: NDArray[np.float64], level: float, usual_sd: float | None, freedom: float
) -> list[tuple[int, float, float]]:
    if usual_sd is None:
        return []
    n = len(scores)
    quantile = float(stdtrit(freedom, 1 - level / (2 * n)))
    limit = quantile * not_negative("usual_sd", usual_sd) * float(np.sqrt(1 + np.pi / (2 * n)))
    distances = np.abs(scores - np.median(scores))
    return [(place, float(distance), limit) for place, distance in enumerate(distances)]


def pooled_sd(cells: Sequence[ArrayLike]) -> tuple[float, float]:
    """The deviation between seeds of comparable cells, and its degrees of freedom.

    cells: the scores of each cell, one a seed; those of fewer than two do not count
    returns: root of the median of the cells' variances over the median of chi-square / freedom,
    so that one unstable cell does not widen it; and the sum of their degrees of freedom over 1.5,
    about what a median is worth of a mean
    NaN and 0 where no cell has two runs.
    """
    known = [finite_values("cells", cell, at_least=0) for cell in cells]
    known = [cell for cell in known if len(cell) > 1]
    if not known:
        return float("nan"), 0.0
    freedoms = np.array([len(cell) - 1.0 for cell in known])
    # Wilson and Hilferty (1931): the median of chi-square with f degrees is f (1 - 2 / (9 f))^3.
    middle = (1 - 2 / (9 * freedoms)) ** 3
    variances = np.array([cell.var(ddof=1) for cell in known]) / middle
    return float(np.sqrt(np.median(variances))), float(freedoms.sum() / 1.5)
