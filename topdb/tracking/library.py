"""MLflow's own client, for the embedded store, for databases, and for what is told afterwards."""

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from topdb.tracking.store import Point, Status, conditions, now

_QUIET_AND_QUICK = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "PGCONNECT_TIMEOUT": "5",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Without them a dead server holds a call up for four minutes, MLflow calls home, and prints a
traceback for each database error before it raises it."""

_BATCH = 1000
_ANSWER_SECONDS = 5.0
_ROOM = 1_000_000
"""Bytes: as large as an empty store."""


def load_library(address: str) -> None:
    """Import of MLflow what a store needs, which takes seconds on a busy machine.

    It is no fault of the store's, so it is done before anybody counts the seconds that a store
    takes, and before an SQLite store is held.
    """
    for name, value in _QUIET_AND_QUICK.items():
        os.environ.setdefault(name, value)
    import_module("mlflow")
    if not address.startswith(("http:", "https:")):
        import_module("mlflow.store.tracking.sqlalchemy_store")


class LibraryStore:
    """Any store that MLflow knows. Of an SQLite file's writers, one works at a time."""

    def __init__(self, address: str) -> None:
        self._file = _sqlite_file(address)
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _require_room(self._file.parent)
        else:
            _require_answer(address)
        load_library(address)
        import mlflow

        with self.turn():
            self.client: Any = mlflow.MlflowClient(tracking_uri=address)
            # Creates an SQLite store's tables; two processes that do so at once break it.
            self.client.search_experiments(max_results=1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold an SQLite store for this process: its writers wait here, not on its locks."""
        if self._file is None:
            yield
            return
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def experiment(self, name: str) -> str:
        """Return an experiment's id; it is created where it is not there."""
        from mlflow.exceptions import MlflowException

        with self.turn():
            found = self.client.get_experiment_by_name(name)
            if found:
                return str(found.experiment_id)
            # A server says itself where artifacts go; beside an SQLite file lies its folder.
            place = str(self._file.resolve().with_name("mlflow-artifacts")) if self._file else None
            try:
                return str(self.client.create_experiment(name, artifact_location=place))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
                return str(found.experiment_id)

    def find(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        """Return the id of the newest run that has these tags, or None."""
        with self.turn():
            found = self.client.search_runs([experiment], conditions(tags), max_results=1)
        return str(found[0].info.run_id) if found else None

    def create(
        self, experiment: str, name: str, tags: Mapping[str, str], started: int | None = None
    ) -> str:
        """Start a run and return its id; `started` in milliseconds since 1970, default: now."""
        with self.turn():
            run = self.client.create_run(experiment, started or now(), dict(tags), name)
        return str(run.info.run_id)

    def log(self, run_id: str, points: Iterable[Point]) -> None:
        """Add values to a run."""
        from mlflow.entities import Metric

        metrics = [
            Metric(point.name, float(point.value), point.milliseconds, point.step)
            for point in points
        ]
        for first in range(0, len(metrics), _BATCH):
            with self.turn():
                self.client.log_batch(run_id, metrics=metrics[first : first + _BATCH])

    def describe(
        self, run_id: str, parameters: Mapping[str, object], tags: Mapping[str, str]
    ) -> None:
        """Set parameters and tags of a run in one call."""
        from mlflow.entities import Param, RunTag

        with self.turn():
            self.client.log_batch(
                run_id,
                params=[Param(name, str(value)) for name, value in parameters.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        with self.turn():
            self.client.set_tag(run_id, name, value)

    def end(self, run_id: str, status: Status, ended: int | None = None) -> None:
        """End a run; `ended` in milliseconds since 1970, default: now."""
        with self.turn():
            self.client.set_terminated(run_id, status, ended)

    def delete(self, run_id: str) -> None:
        """Move a run to MLflow's bin, from which `mlflow gc` takes it."""
        with self.turn():
            self.client.delete_run(run_id)

    def attach(self, run_id: str, file: Path, folder: str | None = None) -> None:
        """Upload a file to a run, into a folder of its artifacts."""
        self.client.log_artifact(run_id, str(file), folder)

    def tagged(self, experiment: str, tags: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Yield the runs that have these tags, as MLflow's own objects."""
        token = None
        while True:
            with self.turn():
                page = self.client.search_runs(
                    [experiment], conditions(tags or {}), max_results=1000, page_token=token
                )
            yield from page
            token = page.token
            if not token:
                return


def _require_room(folder: Path) -> None:
    """Fail at once where MLflow would try ten times, for a minute and a half."""
    if shutil.disk_usage(folder).free < _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _require_answer(address: str) -> None:
    """Fail at once where MLflow would try a database that is down ten times."""
    parts = urlsplit(address)
    ports = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
    port = parts.port or ports.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), _ANSWER_SECONDS).close()


def _sqlite_file(address: str) -> Path | None:
    """Return the file of an SQLite store's address; None for any other store."""
    if not address.startswith("sqlite:///"):
        return None
    return Path(address.removeprefix("sqlite:///").partition("?")[0])
