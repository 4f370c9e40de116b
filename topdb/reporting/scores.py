"""The scores of the finished runs of a grid, query by query, read from their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.config import Profile
from topdb.errors import UserError
from topdb.results.runs import Cell, GridRun, cells

QUANTITIES = ("mAP", "R1")
_LARGEST = 2**63
"""No person or rank has such a number; 64 bits do not hold it."""


@dataclass(frozen=True, eq=False)
class CellScores:
    """Scores of one cell, in percent."""

    seeds: tuple[int, ...]
    """Seeds whose runs are there, in the profile's order."""
    people: NDArray[np.int64]
    """(Q,) person of each query."""
    by_query: dict[str, NDArray[np.float64]]
    """For mAP and R1: (seeds, Q) score of each query, NaN where it has no valid match."""
    paths: tuple[str, ...]
    """Q image files of the queries, relative to the data set."""
    first_match_rank: NDArray[np.int64]
    """(seeds, Q) rank, from 1, of the first right match; below 1 where there is none."""

    def by_seed(self, quantity: str) -> NDArray[np.float64]:
        """Return the quantity of each run, (seeds,)."""
        return np.asarray(np.nanmean(self.by_query[quantity], axis=1))

    def require_people(self, dataset: str) -> None:
        """Raise a UserError where all queries with a match are of one person."""
        if len(np.unique(self.people[~_unmatched(self)])) < 2:
            raise UserError(
                f"the queries of {dataset} that have a match are all of one person, from whom "
                "nothing follows about others: evaluate on two people or more."
            )

    def of_seeds(self, seeds: tuple[int, ...], quantity: str) -> NDArray[np.float64]:
        """Return the quantity of the given seeds' queries, (given seeds, Q), in their order."""
        return self.by_query[quantity][[self.seeds.index(seed) for seed in seeds]]


Scores = Mapping[Cell, CellScores | None]
"""The cells of a grid; None where no run of the cell is there."""


def read_scores(profile: Profile, results: Path) -> Scores:
    """Read all cells of a profile; within a data set, all must be of the same queries.

    Raises
    ------
    UserError
        A file is broken or holds impossible values, or two runs on a data set were not scored on
        the same queries.
    """
    found = {cell: read_cell(profile, results, cell) for cell in cells(profile)}
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
        if not np.array_equal(_unmatched(known), _unmatched(scores)):
            raise UserError(
                f"{_name(cell)} and {_name(reference)} have no match for different queries of "
                f"{cell.dataset}: run `topdb evaluate` on features of the same gallery."
            )
    return found


def read_cell(profile: Profile, results: Path, cell: Cell) -> CellScores | None:
    """Read a cell's runs; those that are not there are left out. None where there is none.

    Raises
    ------
    UserError
        A file is broken or holds impossible values, or the runs were not scored on the same
        queries.
    """
    seeds: list[int] = []
    paths: tuple[str, ...] = ()
    people = np.zeros(0, np.int64)
    ap, first = [], []
    for seed in profile.seeds:
        file = GridRun(cell.dataset, cell.method, seed).queries(results, cell.ranking)
        if not file.is_file():
            continue
        table = _read_queries(file)
        found = tuple(table["path"])
        person = _people(file, table["pid"])
        if seeds and (paths != found or not np.array_equal(people, person)):
            raise UserError(
                f"{file} is of other queries than the cell's other runs: run `topdb evaluate` on "
                "all of them again."
            )
        paths, people = found, person
        seeds.append(seed)
        ap.append(_average_precision(file, table["ap"]))
        first.append(_ranks(file, table["first_match_rank"], ~np.isnan(ap[-1])))
        if not np.array_equal(np.isnan(ap[0]), np.isnan(ap[-1])):
            raise UserError(
                f"{file} has no match for other queries than the cell's other runs: run `topdb "
                "evaluate` on all of them again."
            )
    if not seeds:
        return None
    scores, ranks = np.stack(ap), np.stack(first)
    hits = np.where(np.isnan(scores), np.nan, 100.0 * (ranks == 1))
    return CellScores(tuple(seeds), people, {"mAP": scores, "R1": hits}, paths, ranks)


def _read_queries(file: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["path", "pid", "ap", "first_match_rank"]
    try:
        table = pq.ParquetFile(file).read(columns)
        content: dict[str, list[Any]] = {name: table[name].to_pylist() for name in columns}
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file} is no readable table of queries ({reason}): delete it and run "
            "`topdb evaluate` again."
        ) from None
    if not any(value is not None for value in content["ap"]):
        raise UserError(
            f"{file} has no query with a match: delete it and run `topdb evaluate` again."
        )
    return content


def _people(file: Path, pids: list[Any]) -> NDArray[np.int64]:
    for number, pid in enumerate(pids):
        if not isinstance(pid, int) or not 0 <= pid < _LARGEST:
            raise UserError(
                f"{file}: query {number} has {'no person id' if pid is None else f'pid {pid!r}'}: "
                "give each query the whole number of its person."
            )
    return np.array(pids, np.int64)


def _average_precision(file: Path, values: list[Any]) -> NDArray[np.float64]:
    """Percent; NaN where a query has no valid match."""
    for number, value in enumerate(values):
        if value is not None and not (isinstance(value, float | int) and 0.0 <= value <= 1.0):
            raise UserError(
                f"{file}: query {number} has ap {value!r}, which is outside [0, 1]: run `topdb "
                "evaluate` again."
            )
    return np.array([np.nan if value is None else 100.0 * value for value in values])


def _ranks(file: Path, values: list[Any], matched: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ranks, from 1 where a query has a match."""
    for number, value in enumerate(values):
        if not isinstance(value, int) or abs(value) >= _LARGEST:
            raise UserError(
                f"{file}: query {number} has first_match_rank {value!r}: run `topdb evaluate` "
                "again."
            )
    ranks = np.array(values, np.int64)
    if (ranks[matched] < 1).any():
        raise UserError(
            f"{file} has an ap and no first_match_rank for the same query: run `topdb evaluate` "
            "again."
        )
    return ranks


def _unmatched(scores: CellScores) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(scores.by_query["mAP"][0]))


def _name(cell: Cell) -> str:
    return f"{cell.dataset}/{cell.method}/{cell.ranking}"
