"""MLflow's own client, held to seconds: which store it speaks to, and what it is asked."""

import errno
import fcntl
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from topdb.limits import ANSWER_BYTES, MIB
from topdb.secrets import redacted

_VARIABLES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "PGCONNECT_TIMEOUT": "5",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Without them a dead server holds a call up for four minutes, a redirect takes the credentials
elsewhere, and MLflow calls home, prints the store's address with what it holds, and a traceback for
each database error before it raises it."""

_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_ANSWER_SECONDS = 5.0
_ROOM = 1_000_000
"""Bytes: as large as an empty store."""
_BATCH = 1000
"""As many values as MLflow takes at once."""

_Result = TypeVar("_Result")


class NoAnswerError(TimeoutError):
    """Some work took longer than it may; a thread of this process is still at it."""


class Point(NamedTuple):
    """One value of a metric: at a time (milliseconds since 1970), after an epoch (0: after all)."""

    name: str
    value: float
    time: int
    epoch: int


class Told(NamedTuple):
    """A run as MLflow has it; its status is RUNNING, FINISHED or FAILED, or one of MLflow's own."""

    identity: str
    status: str
    tags: Mapping[str, str]


def address() -> str:
    """Return where the store is: MLFLOW_TRACKING_URI, or else a file beside the results."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///results/mlflow.db"


def reason(error: BaseException) -> str:
    """Return why the store failed, in a few words without credentials."""
    said = " ".join(redacted(str(error)).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def now() -> int:
    """Return the time in MLflow's unit, milliseconds since 1970."""
    return int(time.time() * 1000)


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns, or raise what it raises, or a NoAnswerError.

    MLflow's variables bound one answer; this bounds all of some work, with its retries, the search
    for a host's address, and a disk that hangs.
    """
    done: Future[_Result] = Future()

    def attempt() -> None:
        try:
            done.set_result(work())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=attempt, daemon=True).start()
    if not wait([done], seconds).done:
        raise NoAnswerError(f"no answer in {seconds:g} s")
    return done.result()


def load_library() -> None:
    """Import MLflow, with its variables set; before anybody counts the seconds of the store."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    import_module("mlflow")
    if not address().startswith(("http:", "https:")):
        import_module("mlflow.store.tracking.sqlalchemy_store")


class Store:
    """Any store that MLflow knows. Every call may raise anything.

    Of an SQLite file's users one works at a time: they wait for each other here, not on the file's
    own locks.
    """

    def __init__(self) -> None:
        where = address()
        self._file = None
        if where.startswith("sqlite:///"):
            self._file = Path(where.removeprefix("sqlite:///").partition("?")[0])
        _fail_at_once(where, self._file)
        load_library()
        import mlflow  # here: whoever has nothing to tell does not wait for it

        if self._file is None:
            _hold_answers()
        with self._turn():
            self._client: Any = mlflow.MlflowClient(tracking_uri=where)
        # Creates an SQLite store's tables; two processes that do so at once break it.
        self.ask("search_experiments", max_results=1)

    def ask(self, what: str, *given: Any, **named: Any) -> Any:
        """Call a method of MLflow's client."""
        with self._turn():
            return getattr(self._client, what)(*given, **named)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def experiment(self, name: str) -> str:
        """Return an experiment's id; it is created where it is not there."""
        found = self.ask("get_experiment_by_name", name)
        if not found:
            # A server says itself where artifacts go; beside an SQLite file lies its folder.
            place = str(self._file.resolve().with_name("mlflow-artifacts")) if self._file else None
            try:
                return str(self.ask("create_experiment", name, artifact_location=place))
            except Exception:
                found = self.ask("get_experiment_by_name", name)
                if not found:  # nobody else was faster
                    raise
        return str(found.experiment_id)

    def runs(self, experiment: str, tags: Mapping[str, str]) -> Iterator[Told]:
        """Yield the runs that have these tags, the newest first."""
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        token = None
        while True:
            page = self.ask("search_runs", [experiment], wanted, page_token=token)
            for run in page:
                yield Told(str(run.info.run_id), run.info.status, run.data.tags)
            token = page.token
            if not token:
                return

    def create(self, experiment: str, name: str, tags: Mapping[str, str], started: int) -> Told:
        """Start a run; `started` in milliseconds since 1970."""
        run = self.ask("create_run", experiment, started, dict(tags), name)
        return Told(str(run.info.run_id), "RUNNING", tags)

    def values(self, told: Told, metric: str) -> dict[int, float]:
        """Return a metric's value at each epoch that has arrived."""
        found = self.ask("get_metric_history", told.identity, metric)
        return {point.step: point.value for point in found}

    def log(self, told: Told, points: Iterable[Point]) -> None:
        """Add values to a run; those of an epoch, which lie side by side, arrive together."""
        from mlflow.entities import Metric

        batch: list[Any] = []
        for _, epoch in groupby(points, key=lambda point: point.epoch):
            values = [Metric(*point) for point in epoch]
            if len(batch) + len(values) > _BATCH:
                self.ask("log_batch", told.identity, metrics=batch)
                batch = []
            batch += values
        if batch:
            self.ask("log_batch", told.identity, metrics=batch)

    def describe(
        self, told: Told, tags: Mapping[str, str], parameters: Mapping[str, object]
    ) -> None:
        """Set tags and parameters of a run in one call."""
        from mlflow.entities import Param, RunTag

        self.ask(
            "log_batch",
            told.identity,
            params=[Param(name, str(value)) for name, value in parameters.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )


def _hold_answers() -> None:
    """Let MLflow's own sessions take no answer without end: its client reads each into memory."""
    from mlflow.utils import request_utils

    usual: type = request_utils.TCPKeepAliveHTTPAdapter
    if not issubclass(usual, _Held):
        request_utils.TCPKeepAliveHTTPAdapter = type("Held", (_Held, usual), {})


class _Held:
    """What an HTTP adapter does with an answer: no more of it is read than its bound."""

    def send(self, request: Any, stream: bool = False, **how: Any) -> Any:
        """Send a request; a whole answer is read here, piece by piece."""
        answer = super().send(request, stream=stream, **how)  # type: ignore[misc]
        if stream:
            return answer
        pieces, size = [], 0
        for piece in answer.iter_content(1 << 16):
            size += len(piece)
            if size > ANSWER_BYTES:
                answer.close()
                raise OSError(f"an answer of more than {ANSWER_BYTES // MIB} MiB, which is refused")
            pieces.append(piece)
        answer._content = b"".join(pieces)  # where requests itself puts it
        return answer


def _fail_at_once(where: str, file: Path | None) -> None:
    """Raise an OSError where MLflow would try a full disk or a dead database ten times."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(file.parent).free < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.parent))
        return
    parts = urlsplit(where)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), _ANSWER_SECONDS).close()
