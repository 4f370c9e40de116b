"""The grid of runs: which ones a profile calls for, and where they lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from topdb.config import Profile, Ranking


@dataclass(frozen=True, order=True)
class Cell:
    """One cell of a table: all seeds of a method on a data set under one ranking."""

    dataset: str
    method: str
    ranking: Ranking


@dataclass(frozen=True, order=True)
class GridRun:
    """One training of the grid."""

    dataset: str
    method: str
    seed: int

    def folder(self, results: Path) -> Path:
        """Return the run's folder below the profile's results."""
        return results / self.dataset / self.method / f"seed-{self.seed}"

    def queries(self, results: Path, ranking: Ranking) -> Path:
        """Return the run's per-query scores under one ranking."""
        return self.folder(results) / ranking / "queries.parquet"

    def metrics(self, results: Path, ranking: Ranking) -> Path:
        """Return the run's summary under one ranking."""
        return self.folder(results) / ranking / "metrics.json"


def runs(profile: Profile) -> Iterator[GridRun]:
    """Yield the runs that a profile calls for, in the order of its lists."""
    for dataset in profile.datasets:
        for method in profile.methods:
            for seed in profile.seeds:
                yield GridRun(dataset, method, seed)


def cells(profile: Profile) -> Iterator[Cell]:
    """Yield the cells of a profile's tables, in the order of its lists."""
    for ranking in profile.rankings:
        for dataset in profile.datasets:
            for method in profile.methods:
                yield Cell(dataset, method, ranking)
