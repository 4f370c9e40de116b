"""Runs of one data set that were tested on another: where that lies, and the scores of all of it.

`on/<target>/` in a run's folder has what the run's own folder has of an evaluation: `features.npz`,
and by ranking `queries.parquet`, `top.parquet` and `metrics.json`. Its `run.json` says whose
weights saw whose images. It is read as a run's is, under the crossing's name in place of a data
set's, so that nobody who looks for a data set's runs finds it: persons of equal numbers on two data
sets are different people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topdb.config import Crossing, Profile
from topdb.errors import UserError
from topdb.results.records import read_record, write_record
from topdb.results.runs import Cell, Run, RunFiles
from topdb.results.scores import Scores, read_scores, scores_of
from topdb.results.stored import (
    Evaluation,
    StoredRun,
    evaluations,
    require_together,
    stored_runs,
)

FOLDER = "on"
SOURCE = "trained_on"
"""The key of its `run.json` by which it is known: the data set that the weights come from."""
_AGAIN = "run `topdb cross` again."


def crossed_files(run: Path, target: str) -> RunFiles:
    """Return the files of a run's test on another data set, of which there are no weights."""
    return RunFiles(run / FOLDER / target)


def write_crossed(path: Path, content: Mapping[str, Any], source: str, target: str) -> None:
    """Write the `run.json` of such a test, the last of its files that extraction writes."""
    write_record(path, {SOURCE: source, **content, "dataset": target})


def stored_crossing(run: StoredRun, target: str) -> StoredRun | None:
    """Return a run's test on another data set; None where its features were not extracted.

    Raises
    ------
    UserError
        Its record is broken, says that it is another one, or is not of the run's weights.
    """
    files = crossed_files(run.files.folder, target)
    if not files.record.is_file():
        return None
    record = read_record(files.record)
    expected = {
        SOURCE: run.run.dataset,
        "dataset": target,
        "method": run.run.method,
        "seed": run.run.seed,
        "weights_digest": run.record.weights_digest,
    }
    for key, wanted in expected.items():
        if record.content.get(key) != wanted:
            raise UserError(
                f"{files.record} is of {key} {record.content.get(key)!r}, and its run is of "
                f"{wanted!r}: {_AGAIN}"
            )
    crossing = Crossing(run.run.dataset, target)
    return StoredRun(Run(crossing.name, run.run.method, run.run.seed), files, record)


def stored_crossings(profile: Profile, stored: Sequence[StoredRun]) -> tuple[StoredRun, ...]:
    """Return the tests on other data sets of a profile's finished runs, in the profile's order.

    Raises
    ------
    UserError
        One is not its run's, or those on a data set saw other images than the runs of that one.
    """
    found = [
        each
        for crossing in profile.crossings
        for run in stored
        if run.run.dataset == crossing.source
        if (each := stored_crossing(run, crossing.target))
    ]
    require_together(found)
    seen = {each.run.dataset: each.record.index_digest for each in stored}
    for each in found:
        own = seen.get(str(each.record.dataset)) or each.record.index_digest
        if each.record.index_digest != own:
            raise UserError(
                f"{each.files.record} is of other images than the runs of {each.record.dataset}: "
                f"{_AGAIN}"
            )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Crossed:
    """The scores of a grid, on the runs' own data sets and on others."""

    runs: int
    """Finished tests on other data sets."""
    scores: Scores
    """By cell; a crossing's cells have its name in place of a data set's."""
    evaluated: tuple[Evaluation, ...]
    """Those on other data sets."""


def read_crossed(
    profile: Profile,
    results: Path,
    metrics: Sequence[str],
    stored: Sequence[StoredRun] | None = None,
) -> Crossed:
    """Read all cells of a profile and of its crossings; each target's are of the same queries.

    Raises
    ------
    UserError
        As for `read_scores`; or a run and one that came from elsewhere were not scored on the same
        queries of a data set, or not by one evaluator.
    """
    if stored is None:
        stored = stored_runs(profile, results)
    found = stored_crossings(profile, stored)
    evaluations([*stored, *found], profile.rankings)  # all by one evaluator
    evaluated = evaluations(found, profile.rankings)
    wanted = [
        Cell(crossing.name, method, ranking)
        for ranking in profile.rankings
        for crossing in profile.crossings
        for method in profile.methods
    ]
    own = read_scores(profile, results, metrics, stored)
    across = scores_of(wanted, evaluated, metrics)
    for crossing in profile.crossings:
        _require_same_queries(crossing, own, across)
    return Crossed(len(found), {**own, **across}, tuple(evaluated))


def _require_same_queries(crossing: Crossing, own: Scores, across: Scores) -> None:
    """Hold a crossing's scores to those of its target's own runs."""
    there = [each for cell, each in own.items() if each and cell.dataset == crossing.target]
    came = [each for cell, each in across.items() if each and cell.dataset == crossing.name]
    for first, second in zip(there[:1], came[:1], strict=False):
        same = first.paths == second.paths and np.array_equal(first.people, second.people)
        if not (same and np.array_equal(first.evaluated, second.evaluated)):
            raise UserError(
                f"{crossing.name} was scored on other queries, or another gallery, than the runs "
                f"of {crossing.target}: {_AGAIN}"
            )
