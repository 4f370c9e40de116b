"""Models of one's own read from features, which are scored here, or from scores."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from topdb.config import DoubtSettings, Ranking, RankingSettings
from topdb.errors import UserError
from topdb.files import digest
from topdb.formats import read
from topdb.results.features import is_documented
from topdb.results.models import (
    Checkpoint,
    Model,
    folders_below,
    names_of,
    read_checkpoint,
    score_folders,
)
from topdb.retrieval.doubts import ALL_EQUAL
from topdb.runs.evaluate import score

SUFFIXES = (".npz", ".mat", ".h5", ".hdf5", ".pth", ".pt", ".pkl", ".csv", ".safetensors")
"""Of a folder's files, those that may hold a run's features; a file that is named may have any."""


@dataclass(frozen=True)
class Scoring:
    """How features are scored; scores that are there already are taken as they are."""

    ranking: Ranking = "plain"
    settings: RankingSettings = RankingSettings()  # noqa: RUF009 - it is frozen
    ignore_cameras: bool = False
    num_query: int | None = None
    allowed: DoubtSettings = DoubtSettings()  # noqa: RUF009
    threads: int | None = None
    device: str = "cpu"
    quiet: bool = True


def read_models(paths: Sequence[Path], how: Scoring) -> Iterator[Model]:
    """Yield the model of each path: a features file, or a folder of them, or of scores.

    Where a folder has both, its scores are taken. Features are in memory one file at a time.

    Raises
    ------
    UserError
        A path is missing, is given twice, holds neither, a file is broken, or a run has no score.
    """
    for name, path in zip(names_of(paths), paths, strict=True):
        runs = tuple(_checkpoints(path, how))
        for run in runs:
            if run.summary.collapsed or ALL_EQUAL in run.summary.doubts:
                raise UserError(
                    f"{run.source} has no score, since {ALL_EQUAL}: leave it out, or find out why "
                    "its network gives all images one feature."
                )
        yield Model(name, runs)


def _checkpoints(path: Path, how: Scoring) -> Iterator[Checkpoint]:
    if not path.exists():
        raise UserError(f"{path} does not exist: name a features file, or a folder of a model.")
    if path.is_file() and path.name != "queries.parquet":
        yield _scored([path], how)
        return
    folder = path.parent if path.is_file() else path
    if scores := score_folders(folder, how.ranking):
        yield from map(read_checkpoint, scores)
        return
    files = list(_feature_files(folder))
    if not files:
        raise UserError(
            f"{path} holds neither features ({', '.join(SUFFIXES)}) nor scores of `topdb "
            "evaluate`: name the folder of a model's runs."
        )
    for own in files:
        yield _scored(own, how)


def _feature_files(folder: Path) -> Iterator[list[Path]]:
    """Yield the files of each run: one, or all of a folder where arrays have a file each."""
    for each in folders_below(folder):
        files = [file for file in sorted(each.iterdir()) if file.is_file()]
        if any(file.suffix == ".npy" for file in files):
            yield [file for file in files if file.suffix in (".npy", ".txt")]
            continue
        named = [file for file in files if file.name == "features.npz"]
        some = [file for file in files if file.suffix in SUFFIXES and file.name[0] != "."]
        yield from ([file] for file in named or some)


def _scored(files: Sequence[Path], how: Scoring) -> Checkpoint:
    alone = len(files) == 1 and is_documented(files[0])
    given = None if alone else read(files, num_query=how.num_query)
    found = score(
        files[0],
        how.ranking,
        how.settings,
        how.threads,
        device=how.device,
        quiet=how.quiet,
        given=given,
        ignore_cameras=how.ignore_cameras,
        allowed=how.allowed,
    )
    summary = found.summary
    if len(files) > 1:
        whole = hashlib.sha256("".join(map(digest, files)).encode()).hexdigest()
        summary = replace(summary, features_digest=whole)
    return Checkpoint(files[0], summary, found.queries, found.top)
