"""Scores and ranked lists of a cell's runs, as `topdb evaluate` wrote them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.grid import Cell, GridRun
from topdb.params import Profile

_AGAIN = "run `topdb evaluate` on the run again."


@dataclass(frozen=True, eq=False)
class ScoredRuns:
    """A cell's finished runs: the AP of each, and the file of one run's ranked lists."""

    cell: Cell
    seeds: tuple[int, ...]
    paths: tuple[str, ...]
    """Q query images, relative to the data set."""
    people: NDArray[np.int64]
    """(Q,)"""
    matches: NDArray[np.int64]
    """(Q,) right images in the gallery."""
    ap: NDArray[np.float64]
    """(seeds, Q) fractions; NaN without a match."""
    top: Path
    """The ranked lists of the first seed."""

    @property
    def mean_ap(self) -> NDArray[np.float64]:
        """AP of each query, mean over the seeds, (Q,)."""
        return np.asarray(self.ap.mean(axis=0))

    @cached_property
    def nearest(self) -> dict[str, list[tuple[str, bool]]]:
        """Path and rightness of each query's nearest valid images, in the first seed's run.

        Raises
        ------
        UserError
            The run's ranked lists are missing or broken.
        """
        table = _read(self.top, ["query", "rank", "gallery", "right"])
        found: dict[str, list[tuple[str, bool]]] = {path: [] for path in self.paths}
        by_rank = sorted(zip(*table.values(), strict=True), key=lambda row: row[1])
        for query, _, gallery, right in by_rank:
            found.setdefault(query, []).append((gallery, right))
        return found


def read_runs(profile: Profile, results: Path, cell: Cell) -> ScoredRuns | None:
    """Read the scores of a cell's finished runs; None where there is none.

    Raises
    ------
    UserError
        A file is broken, or the runs were not scored on the same queries.
    """
    found: dict[int, dict[str, list[Any]]] = {}
    for seed in profile.seeds:
        file = GridRun(cell.dataset, cell.method, seed).queries(results, cell.ranking)
        if file.is_file():
            found[seed] = _read(file, ["path", "pid", "matches", "ap"])
    if not found:
        return None
    first_seed, first = next(iter(found.items()))
    if any(table["path"] != first["path"] for table in found.values()):
        raise UserError(
            f"{cell.dataset}/{cell.method}/{cell.ranking} was scored on different queries: run "
            "`topdb evaluate` on all its runs again."
        )
    folder = GridRun(cell.dataset, cell.method, first_seed).queries(results, cell.ranking).parent
    return ScoredRuns(
        cell=cell,
        seeds=tuple(found),
        paths=tuple(first["path"]),
        people=np.array(first["pid"], np.int64),
        matches=np.array(first["matches"], np.int64),
        ap=np.array([table["ap"] for table in found.values()], np.float64),
        top=folder / "top.parquet",
    )


def _read(file: Path, names: list[str]) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file).read(names)
        return {name: table[name].to_pylist() for name in names}
    except FileNotFoundError:
        raise UserError(f"{file} does not exist: {_AGAIN}") from None
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} is not readable ({reason}): {_AGAIN}") from None
