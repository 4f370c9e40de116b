"""What MLflow is told about a finished run, read from the run's own files."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.errors import UserError
from topdb.files import digest, read_json
from topdb.results.runs import GridRun
from topdb.tracking.store import Point
from topdb.tracking.tags import run_tags


@dataclass(frozen=True)
class FinishedRun:
    """A run whose `run.json` stands."""

    run: GridRun
    profile_name: str
    profile: Profile
    results: Path
    content: Mapping[str, Any]
    """Of `run.json`."""

    @property
    def identity(self) -> str:
        """What the run is known by: it changes with its weights and with its scores."""
        files = [self.run.metrics(self.results, ranking) for ranking in self.profile.rankings]
        scores = [digest(file)[:16] if file.is_file() else "none" for file in files]
        run = self.run
        return ":".join(
            [
                self.profile_name,
                run.dataset,
                run.method,
                str(run.seed),
                self.content["weights_digest"],
                *scores,
            ]
        )

    @property
    def weights(self) -> Path:
        """The run's weights."""
        return self.run.folder(self.results) / "weights.safetensors"

    @property
    def tags(self) -> dict[str, str]:
        """By what the run is found, where it comes from, and where its weights lie."""
        environment = self.content["environment"]
        git = environment["git"] or {}
        run = self.run
        return {
            **run_tags(self.profile_name, run.dataset, run.method, run.seed),
            "recipe": self.content["recipe"]["side"],
            "rendered": str(self.content.get("rendered")).lower(),
            "git_commit": str(git.get("commit")),
            "git_dirty": str(git.get("dirty")).lower(),
            "index_digest": self.content["index_digest"],
            "weights_digest": self.content["weights_digest"],
            "weights_path": self.weights.as_posix(),
            "device": environment["device"],
            **{f"version.{name}": str(each) for name, each in environment["versions"].items()},
        }

    @property
    def parameters(self) -> dict[str, object]:
        """Everything that can be set, a dotted key each."""
        return {
            "start": json.dumps(self.content["start"]),
            "changes": json.dumps(self.content["changes"]),
            **{
                f"ranking.{key}": value
                for key, value in self.profile.ranking.model_dump(mode="json").items()
            },
            **{
                f"{part}.{key}": value
                for part in ("recipe", "scale", "hardware")
                for key, value in flat(self.content[part]).items()
            },
        }

    @property
    def ended(self) -> int:
        """When the run was finished, in milliseconds since 1970."""
        return int(_record(self.run, self.results).stat().st_mtime * 1000)

    @property
    def started(self) -> int:
        """When it began."""
        seconds = sum(self.content.get("seconds", {}).values())
        return self.ended - int(seconds * 1000)

    @property
    def epochs(self) -> list[dict[str, float]]:
        """The rows of `history.csv`.

        Raises
        ------
        UserError
            The file is missing or broken.
        """
        path = self.run.folder(self.results) / "history.csv"
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                return [
                    {name: float(value) for name, value in row.items()}
                    for row in csv.DictReader(stream)
                ]
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{path} cannot be read ({error}): train the run again.") from None

    @property
    def history(self) -> list[Point]:
        """The values of all epochs, at the times at which they were measured."""
        points: list[Point] = []
        time = self.ended
        for row in reversed(self.epochs):
            points[:0] = [
                Point(name, value, time, int(row["epoch"]))
                for name, value in row.items()
                if name != "epoch"
            ]
            time -= int(row.get("seconds", 0.0) * 1000)
        return points

    @property
    def scores(self) -> list[Point]:
        """The run's scores under each ranking that stands."""
        return [
            Point(f"{ranking}_{name}", value, self.ended, 0)
            for ranking in self.profile.rankings
            if (path := self.run.metrics(self.results, ranking)).is_file()
            for name, value in _summary(read_json(path)).items()
        ]


def finished_run(
    run: GridRun, profile_name: str, profile: Profile, results: Path
) -> FinishedRun | None:
    """Return a run of the grid, or None where it has not finished.

    Raises
    ------
    UserError
        Its `run.json` is broken.
    """
    path = _record(run, results)
    if not path.is_file():
        return None
    return FinishedRun(run, profile_name, profile, results, read_json(path))


def _record(run: GridRun, results: Path) -> Path:
    return run.folder(results) / "run.json"


def _summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {
        "mAP": metrics["mAP"],
        "mINP": metrics["mINP"],
        **{f"R{rank}": value for rank, value in metrics["cmc"].items()},
    }


def flat(content: Mapping[str, Any]) -> dict[str, object]:
    """Return plain data with a dotted key for each value; lists are JSON."""
    found: dict[str, object] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": each for inner, each in flat(value).items()}
        else:
            found[key] = json.dumps(value) if isinstance(value, list) else value
    return found
