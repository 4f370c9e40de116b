"""The scores of the finished runs of a grid, query by query, read from their files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.config import Profile
from topdb.errors import UserError
from topdb.metrics import Metric, metric
from topdb.results.evaluation import Summary
from topdb.results.runs import Cell, cells
from topdb.results.stored import Evaluation, StoredRun, evaluations, stored_runs

_RANK = "first_match_rank"
_AGAIN = "run `topdb evaluate` again."


@dataclass(frozen=True, eq=False)
class CellScores:
    """Scores of one cell, in percent."""

    seeds: tuple[int, ...]
    """Seeds whose runs are there, in the profile's order."""
    people: NDArray[np.int64]
    """(Q,) person of each query."""
    by_query: dict[str, NDArray[np.float64]]
    """By metric: (seeds, Q) score of each query, NaN where it has no valid match."""
    paths: tuple[str, ...]
    """Q image files of the queries, relative to the data set."""
    first_match_rank: NDArray[np.int64]
    """(seeds, Q) rank, from 1, of the first right match; below 1 where there is none."""
    evaluated: NDArray[np.bool_]
    """(Q,) whether a query has a valid match."""
    collapsed: tuple[int, ...] = ()
    """Seeds whose features are all one and the same: their scores mean nothing."""

    @property
    def unsound(self) -> str:
        """Say why the cell has no mean; empty where it has one."""
        if not self.collapsed:
            return ""
        listed = ", ".join(map(str, self.collapsed))
        return (
            f"{len(self.collapsed)} of {len(self.seeds)} runs collapsed to equal features (seed "
            f"{listed}): there is no mean of scores that are the gallery's order."
        )

    def by_seed(self, metric_name: str) -> NDArray[np.float64]:
        """Return the metric of each run, (seeds,)."""
        return np.asarray(np.nanmean(self.by_query[metric_name], axis=1))

    def of_seeds(self, seeds: tuple[int, ...], metric_name: str) -> NDArray[np.float64]:
        """Return the metric of the given seeds' queries, (given seeds, Q), in their order."""
        return self.by_query[metric_name][[self.seeds.index(seed) for seed in seeds]]

    def require_people(self, dataset: str) -> None:
        """Raise a UserError where all queries with a match are of one person."""
        if len(np.unique(self.people[self.evaluated])) < 2:
            raise UserError(
                f"the queries of {dataset} that have a match are all of one person, from whom "
                "nothing follows about others: evaluate on two people or more."
            )


Scores = Mapping[Cell, CellScores | None]
"""The cells of a grid; None where no run of the cell is there."""


def read_scores(
    profile: Profile,
    results: Path,
    metrics: Sequence[str],
    stored: Sequence[StoredRun] | None = None,
) -> Scores:
    """Read all cells of a profile; within a data set, all must be of the same queries.

    Runs that are not there, or not evaluated, are left out. `stored` are the finished runs, where
    they were read before.

    Raises
    ------
    UserError
        A file is broken, holds impossible values, or does not belong where it lies
        (`topdb.results.stored`), or two runs on a data set were not scored on the same queries.
    """
    if stored is None:
        stored = stored_runs(profile, results)
    return scores_of(cells(profile), evaluations(stored, profile.rankings), metrics)


def scores_of(
    wanted: Iterable[Cell], evaluated: Sequence[Evaluation], metrics: Sequence[str]
) -> Scores:
    """Read some cells; those of one data set must be of the same queries. All else as above."""
    own: dict[Cell, list[tuple[StoredRun, Summary]]] = {cell: [] for cell in wanted}
    for each, ranking, summary in evaluated:
        own[Cell(each.run.dataset, each.run.method, ranking)].append((each, summary))
    found = {cell: _read_cell(cell, runs, metrics) for cell, runs in own.items()}
    first: dict[str, tuple[Cell, CellScores]] = {}
    for cell, scores in found.items():
        if scores is None:
            continue
        reference, known = first.setdefault(cell.dataset, (cell, scores))
        if known.paths != scores.paths or not np.array_equal(known.people, scores.people):
            raise UserError(
                f"{_name(cell)} and {_name(reference)} were scored on different queries of "
                f"{cell.dataset}: run `topdb evaluate` on features of the same data set."
            )
        if not np.array_equal(known.evaluated, scores.evaluated):
            raise UserError(
                f"{_name(cell)} and {_name(reference)} have no match for different queries of "
                f"{cell.dataset}: run `topdb evaluate` on features of the same gallery."
            )
    return found


def _read_cell(
    cell: Cell, runs: Sequence[tuple[StoredRun, Summary]], metrics: Sequence[str]
) -> CellScores | None:
    """Read a cell's evaluated runs; None where there is none."""
    wanted = [metric(name) for name in metrics]
    seeds: list[int] = []
    collapsed: list[int] = []
    paths: tuple[str, ...] = ()
    people, evaluated = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    scores: dict[str, list[NDArray[np.float64]]] = {each.name: [] for each in wanted}
    ranks = []
    for each_run, summary in runs:
        file = each_run.files.queries(cell.ranking)
        queries = each_run.queries(cell.ranking, summary)
        found, person, matched = queries.paths, queries.pids, queries.evaluated
        if seeds and (paths != found or not np.array_equal(people, person)):
            raise UserError(
                f"{file} is of other queries than the cell's other runs: run `topdb evaluate` on "
                "all of them again."
            )
        if seeds and not np.array_equal(evaluated, matched):
            raise UserError(
                f"{file} has no match for other queries than the cell's other runs: run `topdb "
                "evaluate` on all of them again."
            )
        paths, people, evaluated = found, person, matched
        if summary.collapsed:
            collapsed.append(each_run.run.seed)
        seeds.append(each_run.run.seed)
        ranks.append(queries.columns[_RANK])
        for each in wanted:
            if each.column not in queries.columns:
                raise UserError(
                    f"{file} lacks the column {each.column}: run `topdb evaluate` again."
                )
            scores[each.name].append(_percent(file, each, queries.columns[each.column], matched))
    if not seeds:
        return None
    by_query = {name: np.stack(each) for name, each in scores.items()}
    return CellScores(
        tuple(seeds), people, by_query, paths, np.stack(ranks), evaluated, tuple(collapsed)
    )


def _percent(
    file: Path, wanted: Metric, values: NDArray[Any], matched: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the metric of each query; NaN where it has no valid match."""
    scores = np.where(matched, 100.0 * wanted.per_query(values), np.nan)
    for number in np.flatnonzero(matched & ~((scores >= 0.0) & (scores <= 100.0))):
        raise UserError(
            f"{file}: query {number} has {wanted.column} {values[number]!r}, which is outside "
            f"[0, 1]: {_AGAIN}"
        )
    return scores


def _name(cell: Cell) -> str:
    return f"{cell.dataset}/{cell.method}/{cell.ranking}"
