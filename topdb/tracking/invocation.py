"""Which trainings belong together: the children of one parent run in MLflow.

An invocation lasts from the first run that is told until all runs of the profile are: a workflow
that is interrupted and goes on next week is still the same one. Its id lies beside the results,
so that runs of one clone are never taken for those of another that uses the same server.
"""

import fcntl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.files import read_json, write_json
from topdb.tracking.store import Store

INVOCATION_TAG = "topdb.invocation"
ROLE_TAG = "topdb.role"


@dataclass(frozen=True)
class Invocation:
    """The id that its runs bear as a tag, and whether more are to come."""

    identity: str
    is_open: bool

    @property
    def parent_tags(self) -> dict[str, str]:
        """The tags by which the parent run is found."""
        return {INVOCATION_TAG: self.identity, ROLE_TAG: "parent"}


def latest(results: Path) -> Invocation | None:
    """Return the invocation that was told last, or None before the first."""
    try:
        content: Mapping[str, Any] = read_json(_file(results))
        return Invocation(str(content["id"]), bool(content["open"]))
    except (UserError, KeyError):
        return None


def parent_of_open(
    store: Store, experiment: str, results: Path, profile: str
) -> tuple[Invocation, str]:
    """Return the open invocation and its parent's run id; both are begun where there is none.

    Processes that ask at the same time get the same.
    """
    with _alone(results, "invocation"):
        invocation = latest(results)
        if invocation is None or not invocation.is_open:
            invocation = Invocation(uuid.uuid4().hex, True)
            _write(results, invocation)
        found = store.find(experiment, invocation.parent_tags)
        if found is None:
            tags = {"profile": profile, **invocation.parent_tags}
            found = store.create(experiment, f"profile {profile}", tags)
        return invocation, found


def close(results: Path, invocation: Invocation) -> None:
    """Let the next run that is told begin another invocation."""
    _write(results, Invocation(invocation.identity, False))


@contextmanager
def telling(results: Path) -> Iterator[None]:
    """Hold the right to tell about finished runs: two that do so would tell twice."""
    with _alone(results, "track"):
        yield


@contextmanager
def _alone(results: Path, purpose: str) -> Iterator[None]:
    results.mkdir(parents=True, exist_ok=True)
    with (results / f".{purpose}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(results: Path, invocation: Invocation) -> None:
    write_json(_file(results), {"id": invocation.identity, "open": invocation.is_open})


def _file(results: Path) -> Path:
    return results / "invocation.json"
