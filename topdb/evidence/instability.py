"""Runs that are unlike the others of their cell: they mark it, and bar what rests on its mean."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from topdb.results.runs import Cell
from topdb.results.scores import Scores
from topdb.statistics import pooled_sd, stability

ALIKE = 1.0
"""Points up to which a run never stands out: few margins are smaller."""

Marks = Mapping[tuple[Cell, str], str]
"""By cell and metric: `one of 5 runs collapsed`; cells whose runs are alike have none."""


def unstable_cells(scores: Scores, metrics: Sequence[str]) -> Marks:
    """Return the marks of all cells that have one.

    The usual deviation between seeds is that of the same method on the other data sets, or, if it
    is larger, that of the cell's other runs: data sets where a method scatters more are no fault.
    """
    found: dict[tuple[Cell, str], str] = {}
    for cell, own in scores.items():
        if own and own.unsound:
            count = "one" if len(own.collapsed) == 1 else len(own.collapsed)
            mark = f"{count} of {len(own.seeds)} runs collapsed"
            found |= {(cell, metric): mark for metric in metrics}
    for metric in metrics:
        values = {
            cell: own.by_seed(metric) for cell, own in scores.items() if own and not own.unsound
        }
        for cell, by_seed in values.items():
            sd, freedom = pooled_sd(_elsewhere(cell, values))
            mark = stability(
                by_seed,
                floor=ALIKE,
                usual_sd=max(sd, _of_the_others(by_seed)) if freedom > 0 else None,
                usual_freedom=freedom or math.inf,
            ).mark()
            if mark:
                found[cell, metric] = mark
    return found


def _of_the_others(by_seed: NDArray[np.float64]) -> float:
    """Return the deviation of a cell's runs without the one farthest from their median."""
    if len(by_seed) < 3:
        return 0.0
    farthest = int(np.argmax(np.abs(by_seed - np.median(by_seed))))
    return float(np.delete(by_seed, farthest).std(ddof=1))


def _elsewhere(cell: Cell, values: Mapping[Cell, NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return the method's scores on the other data sets, under the same ranking."""
    return [
        own
        for other, own in values.items()
        if (other.method, other.ranking) == (cell.method, cell.ranking)
        and other.dataset != cell.dataset
    ]
