"""Values of a run's own files, which somebody else may have written: whatever stands there."""

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.files import write_csv
from topdb.limits import read_bytes
from topdb.results.provenance import Code, read_code
from topdb.results.seals import read_sealed_json, require_stated, write_sealed_json

TRAINED = "trained"
AUTHORS = "authors' weights"
"""The origins of weights."""


ABSENT = "–"
"""In place of a value that is not there."""
_AGAIN = "delete it and train the run again."
_EPOCH = ("epoch", "learning_rate", "images", "seconds", "loss")
"""Columns of a history; each method adds its losses."""


@dataclass(frozen=True)
class UsedRecipe:
    """What a run says of the recipe that it followed."""

    side: str = ""
    """`released`, `described` or a variant's name; empty where the run does not tell."""
    note: str = ""
    """What a reader of a table has to know about it; empty where there is nothing."""
    changes: tuple[str, ...] = ()
    """What the profile changed in it on purpose, a sentence each."""
    content: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """All of it, as `topdb.methods.contract.resolving.plain` tells a recipe, with side and note;
    empty in older runs."""


def used_recipe(record: Mapping[str, Any]) -> UsedRecipe:
    """Return what `run.json` says of the recipe; older ones name the side alone."""
    stated, changes = record.get("recipe"), record.get("changes")
    listed = changes if isinstance(changes, list) else []
    told = stated if isinstance(stated, dict) else {"side": stated}
    return UsedRecipe(
        side=_text(told.get("side")),
        note=_text(told.get("note")),
        changes=tuple(text for each in listed if (text := _text(each))),
        content=inner(record, "recipe"),
    )


def inner(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an inner object; an empty one where there is none."""
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values by dotted name, as text; a dash for null."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, ABSENT if value is None else str(value)


def number(value: object) -> float:
    """Return a value if it is a finite number, and NaN otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def stated(metrics: Mapping[str, Any], name: str) -> object:
    """Return what `metrics.json` says of a metric, a fraction; None where it says nothing."""
    return metrics.get(name, inner(metrics, "cmc").get(name.removeprefix("R")))


@dataclass(frozen=True)
class ImportedCheckpoint:
    """The released file that a run's weights come from."""

    file: str
    sha256: str
    epoch: int | None


@dataclass(frozen=True)
class Diverged:
    """Where a training went wrong by its own losses: the first such epoch, counted from 1."""

    epoch: int
    what: str
    """`loss` (the sum), or the name of one, or of a weight."""
    value: float
    """The mean over the epoch; NaN where it was no finite number, and the training ended."""
    limit: float
    """What no loss of a sound training exceeds."""

    def __str__(self) -> str:
        was = "no finite number"
        if math.isfinite(self.value):
            was = f"{self.value:.4g}, beyond {self.limit:.4g}"
        return f"{self.what} of epoch {self.epoch} was {was}"

    def content(self) -> dict[str, Any]:
        """Return what `run.json` says; JSON has no NaN."""
        value = self.value if math.isfinite(self.value) else None
        return {"epoch": self.epoch, "what": self.what, "value": value, "limit": self.limit}


@dataclass(frozen=True)
class StatedData:
    """What a run says of the data set that it saw; older ones name the digest alone."""

    protocol: str = ""
    """With the data set's release, where there are several."""
    content: str = ""
    """Digest of pixels, people and cameras, whatever the files are called."""
    conversions: tuple[tuple[str, int], ...] = ()
    """How many images were converted, by kind."""
    copies: tuple[tuple[str, int], ...] = ()
    """How many images are copies of another one of their split, by split."""
    leaks: tuple[str, ...] = ()
    """A sentence for each kind of copies that decide on scores."""


def stated_data(record: Mapping[str, Any]) -> StatedData:
    """Return what `run.json` says of its data set."""
    told = inner(record, "data")
    leaks = told.get("leaks")
    return StatedData(
        protocol=_text(told.get("protocol")),
        content=_text(told.get("content")),
        conversions=_counts(inner(told, "conversions")),
        copies=_counts(inner(told, "copies")),
        leaks=tuple(text for each in leaks if (text := _text(each)))
        if isinstance(leaks, list)
        else (),
    )


def _counts(told: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((name, int(each)) for name, each in told.items())


@dataclass(frozen=True)
class RunRecord:
    """A finished run by its own account, `run.json`.

    `seconds` are by phase; `peak_memory_mib` is the process's, `peak_gpu_memory_mib` its GPU's: NaN
    where the run does not tell. What scored it, its evaluator, stands in the `Summary` of each
    ranking, `metrics.json`. `content` is all of the file, for those who list whatever stands
    there.
    """

    dataset: str | None
    """None where weights were imported and no data set was named."""
    method: str
    seed: object
    profile: str
    """Its name, when the run was made; empty where the run does not tell."""
    origin: str
    rendered: bool | None
    """Whether its data set is drawn; None where the run does not tell."""
    recipe: UsedRecipe
    backbone: str
    """That was built; empty where the run does not tell."""
    scale: Mapping[str, Any]
    """What of the profile's scale shrank it, as in `params.yaml`."""
    start: Mapping[str, Any] | None
    """What its weights started from, as in `params.yaml`; None for random ones."""
    checkpoint: ImportedCheckpoint | None
    """Where the weights come from, if they were not trained here."""
    index_digest: str | None
    """None as for `dataset`."""
    data: StatedData
    weights_digest: str | None
    features_digest: str | None
    history_digest: str | None
    """None where an older run does not tell."""
    snapshots_digest: str | None
    """None as for `history_digest`, and of a run without snapshots."""
    code: Code
    device: str
    threads: int
    versions: Mapping[str, str]
    seconds: Mapping[str, float]
    peak_memory_mib: float
    peak_gpu_memory_mib: float
    diverged: Diverged | None
    """None for a sound training, imported weights, and runs of a topdb that did not look."""
    content: Mapping[str, Any]


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Write `run.json`, the last file of a run: where it is, the run is whole."""
    write_sealed_json(path, content)


def read_record(path: Path) -> RunRecord:
    """Read `run.json`.

    Raises
    ------
    UserError
        The file is missing or broken, was changed, or lacks a key.
    """
    content = read_sealed_json(path, "history_digest", _AGAIN)
    try:
        environment = content["environment"]
        checkpoint = content.get("checkpoint")
        return RunRecord(
            dataset=known(content["dataset"]),
            method=str(content["method"]),
            seed=content.get("seed"),
            profile=_text(content.get("profile")),
            origin=str(content.get("origin", TRAINED)),
            rendered=_flag(content.get("rendered")),
            recipe=used_recipe(content),
            backbone=_text(content.get("backbone")),
            scale=inner(content, "scale"),
            start=inner(content, "start") or None,
            checkpoint=None if checkpoint is None else _checkpoint(checkpoint),
            index_digest=known(content["index_digest"]),
            data=stated_data(content),
            weights_digest=known(content.get("weights_digest")),
            features_digest=known(content.get("features_digest")),
            history_digest=known(content.get("history_digest")),
            snapshots_digest=known(content.get("snapshots_digest")),
            code=read_code(content.get("code"), environment),
            device=str(environment["device"]),
            threads=int(environment["threads"]),
            versions={name: str(each) for name, each in environment["versions"].items()},
            seconds={name: number(each) for name, each in inner(content, "seconds").items()},
            peak_memory_mib=number(content.get("peak_memory_mib")),
            peak_gpu_memory_mib=number(content.get("peak_gpu_memory_mib")),
            diverged=_diverged(content.get("diverged")),
            content=content,
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise lacking(path, error, _AGAIN) from None


def _flag(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def known(value: object) -> str | None:
    """Return a text that a file may leave out or leave empty; None where it does."""
    return str(value) if value else None


def _checkpoint(content: Mapping[str, Any]) -> ImportedCheckpoint:
    epoch = content["epoch"]
    return ImportedCheckpoint(str(content["file"]), str(content["sha256"]), epoch and int(epoch))


def _diverged(content: dict[str, Any] | None) -> Diverged | None:
    if content is None:
        return None
    return Diverged(
        int(content["epoch"]),
        str(content["what"]),
        number(content["value"]),
        float(content["limit"]),
    )


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write `history.csv`, one row an epoch; without any, the columns that all methods have."""
    write_csv(path, list(rows[0]) if rows else _EPOCH, rows)


def read_history(
    path: Path, columns: Sequence[str] = (), expected: str | None = None
) -> list[dict[str, float]]:
    """Read `history.csv`, one row an epoch; a loss that is no longer finite stays so.

    `columns` must be there; without any, those of the header are returned. Imported weights have a
    history without a row. The file's SHA-256 has to be the expected one, where one is stated.

    Raises
    ------
    UserError
        The file is another, or no table of numbers with these columns.
    """
    try:
        content = read_bytes(path)
        require_stated(path, hashlib.sha256(content).hexdigest(), expected, "run.json", _AGAIN)
        reader = csv.DictReader(io.StringIO(content.decode(), newline=""))
        wanted = columns or reader.fieldnames or ()
        rows = [{name: float(row[name]) for name in wanted} for row in reader]
        if not all(row.get("epoch", 0.0).is_integer() for row in rows):
            raise ValueError
    except (OSError, csv.Error, KeyError, TypeError, ValueError):
        raise UserError(f"{path} is no history of a training: {_AGAIN}") from None
    return rows


def lacking(path: Path, error: Exception, remedy: str) -> UserError:
    """Return the error of a file that lacks a key or holds an impossible value."""
    what = f"lacks the key {error}" if isinstance(error, KeyError) else f"is broken ({error})"
    return UserError(f"{path} {what}: {remedy}")
