"""Models of one's own side by side: the same queries, people, gallery and rules, or a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.metrics import metric
from topdb.results.evaluation import Queries, are_numbered
from topdb.results.models import Checkpoint, Model

_RULES = ("metric", "ap_rule", "junk_rule", "distractor_rule", "tie_rule", "single_gallery_shot")
_UNNAMED: dict[str, Any] = {"metric": "euclidean"}
"""What files mean that were written before a rule had a name."""


@dataclass(frozen=True, eq=False)
class Scores:
    """A model's runs on the queries of all models."""

    name: str
    by_query: Mapping[str, NDArray[np.float64]]
    """By metric: (runs, Q) percent, NaN where a query has no valid match."""
    digests: tuple[str, ...]
    """Of each run's features."""
    rows: tuple[NDArray[np.int64], ...]
    """Of each run, (Q,) its own row of each query."""
    model: Model

    @property
    def runs(self) -> int:
        """How many there are."""
        return len(self.digests)


@dataclass(frozen=True, eq=False)
class Matched:
    """All models on the same queries.

    people, matches: (Q,) int64, the person of each query and its right images in the gallery
    """

    models: tuple[Scores, ...]
    paths: tuple[str, ...]
    people: NDArray[np.int64]
    matches: NDArray[np.int64]
    notes: tuple[str, ...]


def match(
    models: Sequence[Model], quantities: Sequence[str], *, other_rules: bool = False
) -> Matched:
    """Bring all runs into the order of the first one's queries.

    Queries are the same by their paths, by their files' names where folders differ, and by their
    order where a file names no paths.

    Parameters
    ----------
    quantities : metrics to read
    other_rules : whether models may have been scored by different rules

    Raises
    ------
    UserError
        Two runs are of different queries, people, cameras, galleries or rules, a run is there
        twice, or a metric was not stored.
    """
    first = models[0].checkpoints[0]
    notes: dict[str, None] = {}
    found = []
    for model in models:
        rows = []
        for run in model.checkpoints:
            rows.append(_rows(first, run, notes))
            _same_gallery(first, run, rows[-1])
            if not (other_rules and model is not models[0]):
                _same_rules(first, run)
            if run.queries.evaluated.any() and len(np.unique(_people(run))) < 2:
                raise UserError(
                    f"the queries of {run.source} that have a match are all of one person, from "
                    "whom nothing follows about others: evaluate on two people or more."
                )
            for doubt in run.summary.doubts:
                notes.setdefault(f"{model.name}: {doubt}.")
        by_query = {
            name: np.stack([_percent(run, name)[own] for run, own in _zip(model, rows)])
            for name in quantities
        }
        digests = tuple(run.summary.features_digest for run in model.checkpoints)
        found.append(Scores(model.name, by_query, digests, tuple(rows), model))
    _each_once(found)
    queries = first.queries
    return Matched(tuple(found), queries.paths, queries.pids, queries.matches, tuple(notes))


def paired(first: Scores, second: Scores) -> list[int] | None:
    """Return the run of the second that is of the same network as each of the first, if all are.

    Networks are the same where their features are, as for one network ranked in two ways.
    """
    if {*first.digests} != {*second.digests}:
        return None
    return [second.digests.index(each) for each in first.digests]


def _zip(model: Model, rows: Sequence[NDArray[np.int64]]) -> Any:
    return zip(model.checkpoints, rows, strict=True)


def _people(run: Checkpoint) -> NDArray[np.int64]:
    return run.queries.pids[run.queries.evaluated]


def _percent(run: Checkpoint, name: str) -> NDArray[np.float64]:
    wanted, columns = metric(name), run.queries.columns
    if wanted.column not in columns:
        raise UserError(
            f"{run.source} lacks the column {wanted.column} that {name} is read from: run `topdb "
            "evaluate` again."
        )
    return np.where(run.queries.evaluated, 100.0 * wanted.per_query(columns[wanted.column]), np.nan)


def _rows(first: Checkpoint, run: Checkpoint, notes: dict[str, None]) -> NDArray[np.int64]:
    """Return the run's row of each query of the first."""
    own, other = first.queries, run.queries
    pair = f"{first.source} and {run.source}"
    if len(own.paths) != len(other.paths) and (
        are_numbered(own.paths) or are_numbered(other.paths)
    ):
        raise UserError(
            f"{pair} have {len(own.paths)} and {len(other.paths)} queries: extract the features of "
            "the same data set."
        )
    if own.paths == other.paths:
        rows = np.arange(len(own.paths))
    elif are_numbered(own.paths) or are_numbered(other.paths):
        rows = np.arange(len(own.paths))
        notes.setdefault("Queries without paths were taken in their order.")
    else:
        rows = _by_name(own.paths, other.paths, pair)
    _same_labels(own, other, rows, pair)
    return rows


def _by_name(own: Sequence[str], other: Sequence[str], pair: str) -> NDArray[np.int64]:
    short = [[path.rpartition("/")[2] for path in paths] for paths in (own, other)]
    for names, others in ((own, other), short):
        place = {name: row for row, name in enumerate(others)}
        if len(place) == len(others) and {*names} == {*place} and len({*names}) == len(names):
            return np.array([place[name] for name in names], np.int64)
    missing = sorted({*short[0]} - {*short[1]}) or sorted({*short[1]} - {*short[0]})
    told = f", {missing[0]} and {len(missing) - 1} more," if missing else ""
    raise UserError(
        f"{pair} were scored on different queries{told} and cannot be compared: extract the "
        "features of the same data set."
    )


def _same_labels(own: Queries, other: Queries, rows: NDArray[np.int64], pair: str) -> None:
    differ = np.flatnonzero(own.pids != other.pids[rows])
    if len(differ):
        row = differ[0]
        raise UserError(
            f"{pair} name different people: {own.paths[row]} is person {own.pids[row]} in the one "
            f"and {other.pids[rows][row]} in the other, and {len(differ) - 1} more queries differ: "
            "write the same ids into both."
        )
    cameras = {*zip(own.camids.tolist(), other.camids[rows].tolist(), strict=True)}
    counts = {len({first for first, _ in cameras}), len({second for _, second in cameras})}
    if counts != {len(cameras)}:
        raise UserError(
            f"{pair} name different cameras of the same queries: write the same ids into both."
        )


def _same_gallery(first: Checkpoint, run: Checkpoint, rows: NDArray[np.int64]) -> None:
    one, other = first.summary, run.summary
    wrong = ""
    if one.gallery != other.gallery:
        wrong = f"of {one.gallery} and {other.gallery} images"
    for what in ("people", "images"):
        known = one.gallery_digests.get(what), other.gallery_digests.get(what)
        if not wrong and all(known) and known[0] != known[1]:
            wrong = f"of different {'people or cameras' if what == 'people' else what}"
    differ = np.flatnonzero(first.queries.matches != run.queries.matches[rows])
    if not wrong and len(differ):
        row = differ[0]
        wrong = (
            f"in which {first.queries.paths[row]} has {first.queries.matches[row]} and "
            f"{run.queries.matches[rows][row]} right images"
        )
    if wrong:
        raise UserError(
            f"{first.source} and {run.source} were scored against galleries {wrong}: score both "
            "against the same gallery."
        )


def _same_rules(first: Checkpoint, run: Checkpoint) -> None:
    own, other = _rules(first), _rules(run)
    for name in own:
        if own[name] != other[name]:
            raise UserError(
                f"{first.source} and {run.source} were scored by different rules ({name}: "
                f"{own[name]} and {other[name]}): run `topdb evaluate` on both alike, or compare "
                "them as they are with --other-rules."
            )


def _rules(run: Checkpoint) -> dict[str, Any]:
    """Return what scores depend on beside features; the distance of parts belongs to a model."""
    told = run.summary.evaluator
    found = {name: told.get(name, _UNNAMED.get(name)) for name in _RULES}
    reranking = told.get("reranking")
    found["re-ranking"] = reranking and {
        name: reranking.get(name) for name in ("variant", "k1", "k2", "lambda")
    }
    found["version"] = told.get("version", 1)
    return found


def _each_once(models: Sequence[Scores]) -> None:
    """Refuse a run that is there twice, but for models that are the same networks."""
    for number, model in enumerate(models):
        runs = list(zip(model.digests, model.model.checkpoints, strict=True))
        twice = [run for row, (each, run) in enumerate(runs) if each in model.digests[:row]]
        if twice:
            raise UserError(
                f"{model.name} holds {twice[0].source} twice, as two runs of the same features: "
                "leave one out."
            )
        for other in models[:number]:
            shared = {*model.digests} & {*other.digests}
            if not shared:
                continue
            if shared != {*model.digests} | {*other.digests}:
                raise UserError(
                    f"{other.name} and {model.name} share some runs and not all: leave those out "
                    "of one."
                )
            if all(
                np.array_equal(own[paired(model, other) or []], value, equal_nan=True)
                for own, value in (
                    (other.by_query[name], model.by_query[name]) for name in model.by_query
                )
            ):
                raise UserError(
                    f"{other.name} and {model.name} are the same features, scored alike: there is "
                    "nothing to compare."
                )
