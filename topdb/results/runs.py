"""Which runs and cells a profile calls for, where their files lie, and the spare copy of a run."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from topdb.config import Profile, Ranking
from topdb.files import replacing

CHECKPOINTS = "checkpoints"
"""The folder below a run's own for what the workflow does not know."""
RUNNING = "-history.csv"
"""How the name of a running training's epochs ends there, after the identity's first digits."""


@dataclass(frozen=True)
class RunFiles:
    """Where a run's files lie."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The network's last weights."""
        return self.folder / "weights.safetensors"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.folder / "history.csv"

    @property
    def features(self) -> Path:
        """Test features of query and gallery."""
        return self.folder / "features.npz"

    @property
    def snapshots(self) -> Path:
        """What query images activate and find at some epochs, where the profile chooses the run."""
        return self.folder / "snapshots.npz"

    def queries(self, ranking: Ranking) -> Path:
        """Scores by query under a ranking."""
        return self.folder / ranking / "queries.parquet"

    def metrics(self, ranking: Ranking) -> Path:
        """Their summary."""
        return self.folder / ranking / "metrics.json"

    def top(self, ranking: Ranking) -> Path:
        """The nearest gallery images of each query."""
        return self.folder / ranking / "top.parquet"

    @property
    def checkpoints(self) -> Path:
        """What a training keeps for itself."""
        return self.folder / CHECKPOINTS

    @property
    def record(self) -> Path:
        """`run.json`, written last: where it is, the run is whole."""
        return self.folder / "run.json"


SPARE = "-whole"
"""How the folder's name ends, after the identity's."""
_OURS = re.compile(rf"[0-9a-f]+{SPARE}")


def keep(files: RunFiles, spare: Path) -> None:
    """Put a whole run there too; nothing, where the file system has no second names."""
    try:
        spare.mkdir(parents=True, exist_ok=True)
        _put(files, RunFiles(spare))
    except OSError:
        shutil.rmtree(spare, ignore_errors=True)


def give_back(spare: Path, files: RunFiles) -> None:
    """Put the files of a spare run, which is whole, where they belong; they count as new."""
    _put(RunFiles(spare), files)
    for path in (files.weights, files.history, files.features, files.snapshots, files.record):
        if path.is_file():
            os.utime(path)


def forget(folder: Path) -> None:
    """Remove the spare of the run in a folder, if there is one."""
    below = folder / CHECKPOINTS
    for spare in below.glob(f"*{SPARE}"):
        if _OURS.fullmatch(spare.name) and RunFiles(spare).record.is_file():
            shutil.rmtree(spare, ignore_errors=True)
            with suppress(OSError):  # other things are there, or another process was faster
                below.rmdir()


def _put(source: RunFiles, target: RunFiles) -> None:
    """The record comes last: where it is, the run is whole."""
    for path in (source.weights, source.features):
        with replacing(target.folder / path.name) as partial:
            os.link(path, partial)
    for path in (source.history, source.snapshots, source.record):
        if path.is_file():
            with replacing(target.folder / path.name) as partial:
                shutil.copyfile(path, partial)


@dataclass(frozen=True, order=True)
class Cell:
    """One cell of a table: all seeds of a method on a data set under one ranking."""

    dataset: str
    method: str
    ranking: Ranking


@dataclass(frozen=True, order=True)
class Run:
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


def runs(profile: Profile) -> Iterator[Run]:
    """Yield the runs that a profile calls for, in the order of its lists."""
    for dataset in profile.datasets:
        for method in profile.methods:
            for seed in profile.seeds:
                yield Run(dataset, method, seed)


def cells(profile: Profile) -> Iterator[Cell]:
    """Yield the cells of a profile's tables, in the order of its lists."""
    for ranking in profile.rankings:
        for dataset in profile.datasets:
            for method in profile.methods:
                yield Cell(dataset, method, ranking)
