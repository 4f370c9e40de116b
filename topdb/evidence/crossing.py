"""Runs tested on other data sets, beside those that were trained there, and beside each other.

Both sides of each comparison are scored on the queries of one data set, the target, so that its
people are the same. No number of the source's own test is looked at.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from topdb.config import Crossing, Profile, Ranking, StatisticsSettings
from topdb.evidence.comparing import family_of_differences
from topdb.evidence.instability import Marks, unstable_cells
from topdb.evidence.pairs import Interval, Pair, interval
from topdb.results.comparisons import Difference
from topdb.results.runs import Cell
from topdb.results.scores import CellScores, Scores
from topdb.statistics import headline


@dataclass(frozen=True)
class Level:
    """Runs of one cell on the target, in percent; NaN without a run, or where one collapsed."""

    seeds: int
    mean: float
    sd: float
    unstable: str
    """Which runs are unlike the others."""


@dataclass(frozen=True)
class CrossedCell:
    """A method trained on one data set and tested on another, under a ranking and by a metric."""

    crossing: Crossing
    method: str
    ranking: Ranking
    quantity: str
    across: Level
    own: Level
    """The same method trained on the target."""
    drop: Interval
    """Own minus across, over people and seeds."""


@dataclass(frozen=True)
class CrossedGrid:
    """What the cross-domain table says."""

    cells: tuple[CrossedCell, ...]
    differences: tuple[Difference, ...]
    """Every method minus the reference method on the target; a family by ranking. They have no
    verdict."""

    def cell(self, name: str, method: str, ranking: Ranking, quantity: str) -> CrossedCell:
        """Return the cell of the crossing of that name."""
        (found,) = (
            each
            for each in self.cells
            if (each.crossing.name, each.method) == (name, method)
            and (each.ranking, each.quantity) == (ranking, quantity)
        )
        return found


def cross(
    profile: Profile, settings: StatisticsSettings, metrics: Sequence[str], scores: Scores
) -> CrossedGrid:
    """Compare a grid's crossings; `scores` are those of `topdb.results.crossings.read_crossed`.

    Raises
    ------
    UserError
        All queries of a data set are of one person.
    """
    at_home = {cell: each for cell, each in scores.items() if cell.dataset in profile.datasets}
    away = {cell: each for cell, each in scores.items() if cell not in at_home}
    marks = {**unstable_cells(at_home, metrics), **unstable_cells(away, metrics)}
    cells = tuple(
        _cell(settings, scores, marks, crossing, Cell(crossing.target, method, ranking), quantity)
        for ranking in profile.rankings
        for crossing in profile.crossings
        for method in profile.methods
        for quantity in metrics
    )
    differences: list[Difference] = []
    for ranking in profile.rankings:
        pairs = [
            Pair(
                Cell(crossing.name, method, ranking),
                Cell(crossing.name, settings.reference_method, ranking),
                quantity,
            )
            for crossing in profile.crossings
            for method in profile.methods
            if method != settings.reference_method
            for quantity in metrics
        ]
        if settings.reference_method not in profile.methods:
            continue
        intervals = {pair: interval(settings, pair, scores) for pair in pairs}
        found = family_of_differences(settings, pairs, scores, intervals, {})
        differences += [replace(each, verdict="") for each in found]
    return CrossedGrid(cells, tuple(differences))


def _cell(
    settings: StatisticsSettings,
    scores: Scores,
    marks: Marks,
    crossing: Crossing,
    own: Cell,
    quantity: str,
) -> CrossedCell:
    across = replace(own, dataset=crossing.name)
    return CrossedCell(
        crossing=crossing,
        method=own.method,
        ranking=own.ranking,
        quantity=quantity,
        across=_level(scores.get(across), quantity, marks.get((across, quantity), "")),
        own=_level(scores.get(own), quantity, marks.get((own, quantity), "")),
        drop=interval(settings, Pair(own, across, quantity), scores),
    )


def _level(scores: CellScores | None, quantity: str, mark: str) -> Level:
    if scores is None or scores.unsound:
        return Level(len(scores.seeds) if scores else 0, math.nan, math.nan, mark)
    found = headline(scores.by_seed(quantity))
    return Level(len(scores.seeds), found.mean, found.sd, mark)
