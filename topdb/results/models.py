"""Models of one's own: the scores of each, a run or several, whoever trained them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from topdb.errors import UserError
from topdb.files import digest
from topdb.results.evaluation import (
    Queries,
    Summary,
    Top,
    read_metrics,
    read_queries,
    read_top,
)
from topdb.results.seals import require_stated

DEEPEST = 3
"""Folders below a model's own in which its runs are looked for."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One run of a model, scored."""

    source: Path
    """Its file of features, or the folder of its scores."""
    summary: Summary
    queries: Queries
    top: Top | None = None
    """The ranked lists; None where they are in the folder and not read yet."""

    def nearest(self) -> dict[str, list[tuple[str, bool]]]:
        """Return path and rightness of each query's nearest images; nothing where none are kept.

        Raises
        ------
        UserError
            The file of the ranked lists is broken or was changed.
        """
        kept = self.source / "top.parquet"
        if self.top is None and not kept.is_file():
            return {}
        return (self.top or read_top(kept, self.summary.top_digest)).by_query()


@dataclass(frozen=True, eq=False)
class Model:
    """A model by its name, with its runs."""

    name: str
    checkpoints: tuple[Checkpoint, ...]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a folder that `topdb evaluate` has written.

    Raises
    ------
    UserError
        A file is missing, broken or changed, or the features beside the folder are others by now.
    """
    found = Checkpoint(
        folder, read_metrics(folder / "metrics.json"), read_queries(folder / "queries.parquet")
    )
    require_stated(
        folder / "queries.parquet",
        found.queries.file_digest,
        found.summary.queries_digest,
        "metrics.json",
        "run `topdb evaluate` again.",
    )
    features = folder.parent / "features.npz"
    if features.is_file() and digest(features) != found.summary.features_digest:
        raise UserError(
            f"{folder} holds the scores of other features than {features}: run `topdb evaluate` "
            "on it again."
        )
    return found


def folders_below(path: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """Yield a folder and those below it, links too, in the order of their names; no hidden ones."""
    yield path
    for each in sorted(path.iterdir()) if depth else ():
        if each.is_dir() and not each.name.startswith("."):
            yield from folders_below(each, depth - 1)


def score_folders(path: Path, ranking: str) -> list[Path]:
    """Return the folders of scores at or below a folder, one a run; none where there are none.

    `topdb evaluate` writes a folder a ranking: where runs have several, those of `ranking`.

    Raises
    ------
    UserError
        There are scores, and none of the ranking.
    """
    if (path / "queries.parquet").is_file():
        return [path]
    found = [each for each in folders_below(path) if (each / "queries.parquet").is_file()]
    names = {each.name for each in found}
    if not names & {"plain", "rk"}:
        return found
    if ranking not in names:
        raise UserError(
            f"{path} holds scores of the ranking {', '.join(sorted(names))} and none of {ranking}: "
            "name another with --ranking, or run `topdb evaluate` for this one."
        )
    return [each for each in found if each.name == ranking]


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the shortest different names of files and folders, without what all end in.

    Raises
    ------
    UserError
        A path is given twice.
    """
    whole = [path.resolve() for path in paths]
    for number, path in enumerate(whole):
        if path in whole[:number]:
            raise UserError(f"{paths[number]} is given twice: name two models.")
    parts = [[*each.parts[:-1], each.stem if each.is_file() else each.name] for each in whole]
    while len({each[-1] for each in parts}) == 1 and len(parts) > 1:
        parts = [each[:-1] for each in parts]
    length = 1
    while len({tuple(each[-length:]) for each in parts}) < len(parts):
        length += 1
    return ["/".join(each[-length:]) for each in parts]
