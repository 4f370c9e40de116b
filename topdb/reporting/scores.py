"""The scores of a cell's finished runs, read from their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.grid import Cell, GridRun
from topdb.params import Profile

QUANTITIES = ("mAP", "R1")


@dataclass(frozen=True, eq=False)
class CellScores:
    """Scores of one cell, in percent."""

    seeds: tuple[int, ...]
    """Seeds whose runs are there, in the profile's order."""
    people: NDArray[np.int64]
    """(Q,) person of each query."""
    by_query: dict[str, NDArray[np.float64]]
    """For mAP and R1: (seeds, Q) score of each query, NaN where it has no valid match."""

    def by_seed(self, quantity: str) -> NDArray[np.float64]:
        """Return the quantity of each run, (seeds,)."""
        return np.asarray(np.nanmean(self.by_query[quantity], axis=1))


def read_cell(profile: Profile, results: Path, cell: Cell) -> CellScores | None:
    """Read a cell's runs; those that are not there are left out. None where there is none.

    Raises
    ------
    UserError
        A file is broken, or the runs were not scored on the same queries.
    """
    seeds, paths, people = [], None, None
    ap, first = [], []
    for seed in profile.seeds:
        file = GridRun(cell.dataset, cell.method, seed).queries(results, cell.ranking)
        if not file.is_file():
            continue
        table = _read_queries(file)
        if paths is None:
            paths, people = table["path"], table["pid"]
        elif paths != table["path"]:
            raise UserError(
                f"{file} is of other queries than the cell's other runs: run `topdb evaluate` on "
                "all of them again."
            )
        seeds.append(seed)
        missing = np.array([value is None for value in table["ap"]])
        ap.append(np.array([np.nan if v is None else 100.0 * v for v in table["ap"]]))
        hits = 100.0 * (np.array(table["first_match_rank"]) == 1)
        first.append(np.where(missing, np.nan, hits))
    if not seeds:
        return None
    return CellScores(tuple(seeds), np.array(people), {"mAP": np.stack(ap), "R1": np.stack(first)})


def _read_queries(file: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["path", "pid", "ap", "first_match_rank"]
    try:
        content: dict[str, list[Any]] = pq.ParquetFile(file).read(columns).to_pydict()
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file} is no readable table of queries ({reason}): delete it and run "
            "`topdb evaluate` again."
        ) from None
    return content
