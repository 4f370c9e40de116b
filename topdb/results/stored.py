"""The finished runs of a profile: each counts where its own files say that it belongs, or nowhere.

Whoever reads scores, records, histories or snapshots of a grid reads them here. Refused by name are
a run that lies in another's place, runs of one cell that were made under different parameters, runs
of one data set with different images, rankings by different evaluators, and files that are not
those whose digests `run.json` and `metrics.json` state. A run without `run.json` is none; an
evaluation without one of its two files is none, and `gaps` names what is missing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topdb.config import Profile, Ranking
from topdb.errors import UserError
from topdb.metrics import metrics
from topdb.results.evaluation import Queries, Summary, Top, read_metrics, read_queries, read_top
from topdb.results.records import (
    TRAINED,
    RunRecord,
    flat,
    inner,
    read_history,
    read_record,
)
from topdb.results.runs import Run, RunFiles, runs
from topdb.results.seals import require_stated
from topdb.results.snapshots import Snapshots, read_snapshots

AGREEMENT = 1e-6
"""Of a stored summary with the queries that it sums up, as a fraction."""
_AGAIN = "run `topdb evaluate` on it again."
_ALIKE = "the runs of a cell are made alike: make the run again, or move it elsewhere."
_SAME_DATA = "the runs on a data set see the same images: make the run again, or move it elsewhere."
_OF_A_METHOD = ("distance", "reranking.power_of")
"""Of an evaluator, what features in parts have otherwise."""
_SHOWN = 60
"""Characters of a value that a sentence shows."""
_DECISIVE = ("autocast", "tf32")
"""Of the hardware settings, those that change more than rounding."""


@dataclass(frozen=True)
class StoredRun:
    """A finished run of a grid, whose record says that it is that run."""

    run: Run
    files: RunFiles
    record: RunRecord

    @property
    def name(self) -> str:
        """The run's folder below the results."""
        return f"{self.run.dataset}/{self.run.method}/seed-{self.run.seed}"

    def history(self, columns: Sequence[str] = ()) -> list[dict[str, float]]:
        """Return its epochs as `read_history` does; none where the file is missing."""
        if not self.files.history.is_file():
            return []
        return read_history(self.files.history, columns, self.record.history_digest)

    def snapshots(self) -> Snapshots | None:
        """Return what was looked at while it was trained, if the file is there."""
        if not self.files.snapshots.is_file():
            return None
        return read_snapshots(self.files.snapshots, self.record.snapshots_digest)

    def summary(self, ranking: Ranking) -> Summary | None:
        """Return `metrics.json` of a ranking; None where it was not evaluated, or not wholly.

        Raises
        ------
        UserError
            The file is broken, or is not of the features that the run states.
        """
        path = self.files.metrics(ranking)
        if not (path.is_file() and self.files.queries(ranking).is_file()):
            return None
        found = read_metrics(path)
        if bool(found.evaluator.get("reranking")) != (ranking == "rk"):
            raise UserError(f"{path} is of another ranking than {ranking}: {_AGAIN}")
        if found.features_digest != self.record.features_digest:
            raise UserError(f"{path} is not of the features that run.json states: {_AGAIN}")
        return found

    def queries(self, ranking: Ranking, told: Summary) -> Queries:
        """Return the scores by query that a ranking's summary tells of.

        Raises
        ------
        UserError
            A file is broken, or the two of the evaluation do not belong together.
        """
        path = self.files.queries(ranking)
        found = read_queries(path)
        require_stated(path, found.file_digest, told.queries_digest, "metrics.json", _AGAIN)
        if told.queries_digest is None:
            _require_agreement(self.files.metrics(ranking), told, found)
        return found

    def top(self, ranking: Ranking, told: Summary) -> Top:
        """Return the nearest gallery images of each query; a UserError where they are not there."""
        return read_top(self.files.top(ranking), told.top_digest)

    def gaps(self, rankings: Sequence[Ranking]) -> list[Path]:
        """Return the files that reports read and that are missing beside those that are there."""
        wanted = [self.files.history]
        for ranking in rankings:
            wanted += [self.files.queries(ranking), self.files.metrics(ranking)]
        return [path for path in wanted if not path.is_file()]


def _require_agreement(path: Path, told: Summary, queries: Queries) -> None:
    """Hold an evaluation whose summary states no digest of its queries to their numbers."""
    for name, metric in metrics().items():
        of_shots = name.startswith("R") and told.evaluator.get("single_gallery_shot")
        if name not in told.metrics or metric.column not in queries.columns or of_shots:
            continue
        values = metric.per_query(queries.columns[metric.column])
        own = float(np.mean(values[queries.evaluated]))
        if not abs(told.metrics[name] - own) <= AGREEMENT:
            raise UserError(
                f"{path} says {name} {told.metrics[name]} where its queries have {own:.6f}: "
                f"{_AGAIN}"
            )


def stored_run(run: Run, results: Path) -> StoredRun | None:
    """Return a run of the grid; None where it is not finished.

    Raises
    ------
    UserError
        Its record is broken, or says that it is another run.
    """
    files = RunFiles(run.folder(results))
    if not files.record.is_file():
        return None
    record = read_record(files.record)
    for key, expected in vars(run).items():
        if record.content.get(key) != expected:
            raise UserError(
                f"{files.record} is of {key} {record.content.get(key)!r}, and lies where "
                f"{expected!r} belongs: put it back, or make the run again."
            )
    return StoredRun(run, files, record)


def stored_runs(profile: Profile, results: Path) -> tuple[StoredRun, ...]:
    """Return the finished runs of a profile, in the order of its lists.

    Raises
    ------
    UserError
        A record is broken or of another run, the runs of a method on a data set were not made
        alike, or those of a data set are not of the same images.
    """
    found = [each for run in runs(profile) if (each := stored_run(run, results))]
    require_together(found)
    return tuple(found)


def require_together(found: Sequence[StoredRun]) -> None:
    """Hold the runs of each method on a data set to one another, and those of each data set.

    Raises
    ------
    UserError
        They do not belong together.
    """
    by_cell: dict[tuple[str, str], list[StoredRun]] = {}
    by_dataset: dict[str, list[StoredRun]] = {}
    for each in found:
        by_cell.setdefault((each.run.dataset, each.run.method), []).append(each)
        by_dataset.setdefault(each.run.dataset, []).append(each)
    for cell in by_cell.values():
        _require_alike(_records(cell), [_parameters(each.record) for each in cell], _ALIKE)
        _require_different(cell)
    for dataset in by_dataset.values():
        images = [_images(each.record) for each in dataset]
        _require_alike(_records(dataset), images, _SAME_DATA)


def _images(record: RunRecord) -> dict[str, str]:
    """Return what tells the images that a run saw: files, and the pixels that they were read as."""
    told = {"index_digest": record.index_digest, "content": record.data.content}
    return {key: digest[:16] for key, digest in told.items() if digest}


def _records(group: Sequence[StoredRun]) -> list[Path]:
    return [each.files.record for each in group]


Evaluation = tuple[StoredRun, Ranking, Summary]
"""A run that was evaluated under a ranking."""


def evaluations(stored: Sequence[StoredRun], rankings: Sequence[Ranking]) -> list[Evaluation]:
    """Return what was evaluated of some runs, all by one evaluator a ranking.

    A method with features in parts has its own distance.

    Raises
    ------
    UserError
        A summary is broken, is not of its run, or is of another evaluator than the others.
    """
    found = [
        (each, ranking, summary)
        for each in stored
        for ranking in rankings
        if (summary := each.summary(ranking))
    ]
    _require_one_evaluator(found)
    return found


def _require_one_evaluator(scored: Sequence[Evaluation]) -> None:
    groups: dict[tuple[str, ...], list[tuple[Path, dict[str, str]]]] = {}
    for each, ranking, summary in scored:
        told = dict(flat(summary.evaluator))
        shared = {key: told[key] for key in told if not key.startswith(_OF_A_METHOD)}
        path = each.files.metrics(ranking)
        groups.setdefault((ranking,), []).append((path, shared))
        groups.setdefault((ranking, each.run.dataset, each.run.method), []).append((path, told))
    for group in groups.values():
        paths, facts = zip(*group, strict=True)
        _require_alike(paths, facts, f"all are ranked alike: {_AGAIN}")


def _require_alike(paths: Sequence[Path], facts: Sequence[dict[str, str]], rule: str) -> None:
    """Refuse the first file whose facts differ from those that most have.

    What a file does not tell, as older ones do not, or imported weights that have met no data, is
    not held against it.
    """
    if len(facts) < 2:
        return
    (usual, _), *others = Counter(frozenset(each.items()) for each in facts).most_common()
    if not others:
        return
    expected = dict(usual)
    for path, found in zip(paths, facts, strict=True):
        for key in found:
            if found[key] != expected.get(key, found[key]):
                one, most = (each[:_SHOWN] for each in (found[key], expected[key]))
                raise UserError(f"{path} has {key} {one}, and the others have {most}: {rule}")


def _parameters(record: RunRecord) -> dict[str, str]:
    """Return what the runs of a method on a data set have in common, by dotted name."""
    content = record.content
    hardware, side = inner(content, "hardware"), record.recipe.side
    told: dict[str, Any] = {
        "origin": record.origin,
        "recipe": {**record.recipe.content, **({"side": side} if side else {})},
        "scale": record.scale,
        "start": {"kind": None, **(record.start or {})},
        "hardware": {key: hardware[key] for key in _DECISIVE if key in hardware},
        **({"backbone": record.backbone} if record.backbone else {}),
        **{key: content[key] for key in ("changed", "start_digest") if key in content},
    }
    return dict(flat(told))


def _require_different(cell: Sequence[StoredRun]) -> None:
    """Refuse two seeds of a cell that were trained to the same weights, which are one run twice."""
    known: dict[str, StoredRun] = {}
    for each in cell:
        weights = each.record.weights_digest
        if weights is None or each.record.origin != TRAINED:
            continue
        other = known.setdefault(weights, each)
        if other is not each:
            raise UserError(
                f"{each.files.record} states the weights of {other.name}, so that one run counts "
                "twice: make it again."
            )
