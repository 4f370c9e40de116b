"""Simulated seeds of one cell or of two: added one at a time, or some of them collapsed."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from topdb.statistics import alpha_at_look, stability


def false_reproduced(
    rng: np.random.Generator, *, planned: int, most: int, rule: bool, studies: int
) -> float:
    """Share of studies called REPRODUCED at any look, where the true mean is just beyond delta."""
    runs = rng.standard_normal((studies, most)) + 10.0  # delta 10 deviations, published 0
    called = np.zeros(studies, dtype=bool)
    for n in range(planned, most + 1):
        alpha = alpha_at_look(n, planned=planned, most=most) if rule else 0.05
        mean, sd = runs[:, :n].mean(axis=1), runs[:, :n].std(axis=1, ddof=1)
        called |= mean + stdtrit(n - 1, 1 - alpha) * sd / np.sqrt(n) < 10.0
    return float(called.mean())


def reproduced_at(
    rng: np.random.Generator, *, n: int, alpha: float, sd: float, studies: int
) -> float:
    """Chance of REPRODUCED at one look of n seeds, delta 1, where the true means are the same."""
    runs = sd * rng.standard_normal((studies, n))
    reach = stdtrit(n - 1, 1 - alpha) * runs.std(axis=1, ddof=1) / np.sqrt(n)
    return float((np.abs(runs.mean(axis=1)) + reach < 1.0).mean())


def false_holds(
    rng: np.random.Generator, *, planned: int, most: int, rule: bool, studies: int
) -> float:
    """Share of studies of one data set that hold at any look, where there is no difference.

    The interval at 2.5 % on its side and the test over seeds at 5 %, both by t.
    """
    first, second = rng.standard_normal((2, studies, most))
    called = np.zeros(studies, dtype=bool)
    for n in range(planned, most + 1):
        look = [alpha_at_look(n, planned=planned, most=most, alpha=a) for a in (0.025, 0.05)]
        interval, test = look if rule else (0.025, 0.05)
        v = [own[:, :n].var(axis=1, ddof=1) / n for own in (first, second)]
        t = (first[:, :n].mean(axis=1) - second[:, :n].mean(axis=1)) / np.sqrt(v[0] + v[1])
        freedom = (v[0] + v[1]) ** 2 / ((v[0] ** 2 + v[1] ** 2) / (n - 1))
        called |= (stdtr(freedom, -t) <= interval) & (stdtr(2 * n - 2, -t) <= test)
    return float(called.mean())


def false_alarms(rng: np.random.Generator, *, n: int, usual: bool, studies: int) -> float:
    """Share of cells of n normal seeds in which a run is called unlike the others."""
    found = 0
    for _ in range(studies):
        usual_sd = float(np.sqrt(rng.chisquare(40) / 40)) if usual else None
        cell = 80 + rng.standard_normal(n)
        found += not stability(cell, usual_sd=usual_sd, usual_freedom=40).stable
    return found / studies


def collapsing(
    rng: np.random.Generator, *, seeds: int, depth: float, sd: float, studies: int
) -> NDArray[np.float64]:
    """(studies, seeds) runs at 80 points, of which one in ten loses `depth`."""
    healthy = 80 + sd * rng.standard_normal((studies, seeds))
    return healthy - depth * (rng.random((studies, seeds)) < 0.1)


def coverage_of_collapsing(
    rng: np.random.Generator, *, seeds: int, depth: float, sd: float, studies: int
) -> dict[str, float]:
    """What a 95 % interval of the mean covers, in all cells and in those without a mark."""
    runs = collapsing(rng, seeds=seeds, depth=depth, sd=sd, studies=studies)
    marked = np.array([not stability(own, usual_sd=sd, usual_freedom=40).stable for own in runs])
    error = runs.std(axis=1, ddof=1) / np.sqrt(seeds)
    reach = stdtrit(seeds - 1, 0.975) * error
    over_all = np.abs(runs.mean(axis=1) - (80 - depth / 10)) <= reach
    of_healthy = np.abs(runs.mean(axis=1) - 80) <= reach
    hit = (runs < 80 - depth / 2).any(axis=1)
    return {
        "marked": float(marked.mean()),
        "collapsed and marked": float(marked[hit].mean()),
        "all cells, mean over all runs": float(over_all.mean()),
        "unmarked cells, mean over all runs": float(over_all[~marked].mean()),
        "unmarked cells, mean of runs that do not collapse": float(of_healthy[~marked].mean()),
    }
