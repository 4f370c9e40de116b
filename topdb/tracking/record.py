"""What MLflow is told about a run, read from the run's own files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from topdb.config import Profile
from topdb.files import digest
from topdb.results.records import RunRecord, read_history
from topdb.results.runs import RUNNING, Run, RunFiles
from topdb.results.stored import StoredRun, stored_run
from topdb.tracking.store import Point

EVERY = "loss"
"""The metric that every epoch has: where its value arrived, the whole epoch did."""
_SHOWN = 12
"""Digits of a training's identity, as they name the file of its epochs."""

Rows = Sequence[Mapping[str, float]]
"""Of a history.csv, an epoch each."""


@dataclass(frozen=True)
class Training:
    """A training that runs, by the file of its epochs."""

    path: Path
    written: int
    """In milliseconds since 1970."""

    @property
    def identity(self) -> str:
        """What tells it from a training of the same run with other parameters, data or code."""
        return self.path.name[:_SHOWN]


def training_in(folder: Path) -> Training | None:
    """Return the training that runs in a run's folder, as far as its files tell.

    A training that is killed leaves its file behind; the newest one counts.
    """
    found = []
    for path in RunFiles(folder).checkpoints.glob(f"*{RUNNING}"):
        try:
            found.append(Training(path, path.stat().st_mtime_ns // 1_000_000))
        except FileNotFoundError:  # it has just ended
            continue
    return max(found, key=lambda training: training.written, default=None)


def points_of(rows: Rows, ended: int) -> list[Point]:
    """Return all values of a history whose last epoch ended then, in milliseconds since 1970."""
    points: list[Point] = []
    for row in reversed(rows):
        epoch = int(row["epoch"])
        points += [Point(name, row[name], ended, epoch) for name in row if name != "epoch"]
        ended -= int(row.get("seconds", 0.0) * 1000)
    return points[::-1]


def run_tags(profile: str, run: Run) -> dict[str, str]:
    """Return the tags by which a run is found."""
    seed = str(run.seed)
    return {"profile": profile, "dataset": run.dataset, "method": run.method, "seed": seed}


def label(tags: Mapping[str, str]) -> str:
    """Return the name of a run's folder below the profile's results."""
    return f"{tags['dataset']}/{tags['method']}/seed-{tags['seed']}"


@dataclass(frozen=True)
class FinishedRun:
    """A run whose `run.json` stands."""

    run: Run
    profile_name: str
    profile: Profile
    results: Path
    stored: StoredRun

    @property
    def record(self) -> RunRecord:
        """What it says of itself."""
        return self.stored.record

    @property
    def files(self) -> RunFiles:
        """Where its files lie."""
        return RunFiles(self.run.folder(self.results))

    @cached_property
    def identity(self) -> str:
        """What the run is known by: it changes with its weights and with its scores."""
        files = [self.run.metrics(self.results, ranking) for ranking in self.profile.rankings]
        scores = [digest(file)[:16] if file.is_file() else "none" for file in files]
        named = run_tags(self.profile_name, self.run).values()
        return ":".join([*named, str(self.record.weights_digest), *scores])

    @property
    def training(self) -> str | None:
        """The identity of its training; None of weights that were not trained here."""
        identity = self.record.content.get("identity")
        return str(identity)[:_SHOWN] if identity else None

    @property
    def tags(self) -> dict[str, str]:
        """By what the run is found, where it comes from, and where its weights lie."""
        record = self.record
        return {
            **run_tags(self.profile_name, self.run),
            "recipe": record.recipe.side,
            "rendered": str(record.content.get("rendered")).lower(),
            "code": str(record.code.digest),
            "git_commit": str(record.code.commit),
            "git": record.code.told,
            "index_digest": str(record.index_digest),
            "weights_digest": str(record.weights_digest),
            "weights_path": self.files.weights.as_posix(),
            "device": record.device,
            **{f"version.{name}": each for name, each in record.versions.items()},
        }

    @property
    def parameters(self) -> dict[str, object]:
        """Everything that can be set, a dotted key each."""
        content = self.record.content
        nested = {part: content[part] for part in ("recipe", "scale", "hardware")}
        nested["ranking"] = self.profile.ranking.model_dump(mode="json")
        whole = {part: json.dumps(content[part]) for part in ("start", "changes")}
        return whole | _flat(nested)

    @cached_property
    def ended(self) -> int:
        """When the run was finished, in milliseconds since 1970."""
        return int(self.files.record.stat().st_mtime * 1000)

    @property
    def started(self) -> int:
        """When it began."""
        return self.ended - int(sum(self.record.seconds.values()) * 1000)

    @cached_property
    def rows(self) -> Rows:
        """Its history; a UserError where that is broken or missing."""
        return read_history(self.files.history, expected=self.record.history_digest)

    @property
    def scores(self) -> list[Point]:
        """What each ranking's metrics.json measures, where it stands."""
        return [
            Point(f"{ranking}_{name}", value, self.ended, 0)
            for ranking in self.profile.rankings
            if (summary := self.stored.summary(ranking))
            for name, value in summary.metrics.items()
        ]


def finished_run(
    run: Run, profile_name: str, profile: Profile, results: Path
) -> FinishedRun | None:
    """Return a run of the grid; None where it has not finished; a UserError where it is broken."""
    stored = stored_run(run, results)
    return None if stored is None else FinishedRun(run, profile_name, profile, results, stored)


def _flat(content: Mapping[str, object]) -> dict[str, object]:
    """Return plain data with a dotted key for each value; lists are JSON."""
    found: dict[str, object] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": each for inner, each in _flat(value).items()}
        else:
            found[key] = json.dumps(value) if isinstance(value, list) else value
    return found
