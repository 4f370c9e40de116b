"""Which store MLflow's runs go to, and what every way of talking to it offers."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from topdb.secrets import redacted

EMBEDDED = Path("results/mlflow.db")
"""The embedded store, relative to the working folder."""

PARENT_TAG = "mlflow.parentRunId"
"""By this tag MLflow shows a run below another."""

Status = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    name: str
    value: float
    milliseconds: int
    """Since 1970."""
    step: int
    """The epoch, from 1; 0 for what is measured once."""


class Store(Protocol):
    """What a training needs of a tracker. Every call may raise anything, or take its time."""

    def experiment(self, name: str) -> str:
        """Return an experiment's id; it is created where it is not there."""
        ...

    def find(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        """Return the id of the newest run that has these tags, or None."""
        ...

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Start a run and return its id."""
        ...

    def log(self, run_id: str, points: Iterable[Point]) -> None:
        """Add values to a run in one call."""
        ...

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        ...

    def end(self, run_id: str, status: Status) -> None:
        """End a run."""
        ...


def address() -> str:
    """Return where the store is: MLFLOW_TRACKING_URI, or else the embedded store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{EMBEDDED}"


def public_address() -> str:
    """Return the store's address without a user's name or password."""
    return redacted(address())


def reason(error: BaseException) -> str:
    """Return why the store failed, in a few words without credentials."""
    said = " ".join(redacted(str(error)).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def conditions(tags: Mapping[str, str]) -> str:
    """Return MLflow's search expression for runs that have these tags."""
    return " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())


def now() -> int:
    """Return the time in MLflow's unit, milliseconds since 1970."""
    return int(time.time() * 1000)
