"""Telling about a training while it trains, without ever standing in its way.

A thread of its own talks to the tracker. The training waits for it twice, at the start for the
run's id and at the end for the last epochs, and for no longer than `START_SECONDS` and
`END_SECONDS`. After the first failure the tracker is left alone for the rest of the run: the
run's own `history.csv` is the truth, and `topdb track` sends it whole.
"""

import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from topdb.config import TrackingSettings
from topdb.tracking.invocation import INVOCATION_TAG, parent_of_open
from topdb.tracking.rest import RestStore, speaks
from topdb.tracking.store import EMBEDDED, PARENT_TAG, Point, Status, Store, address, now, reason
from topdb.tracking.tags import HISTORY_TAG, run_name

START_SECONDS = 18.0
"""Long enough for eight processes that open a fresh SQLite store one after another."""
END_SECONDS = 8.0
_STOPPED_SECONDS = 2.0
"""For a training that was told to stop and has no time to lose."""


class LiveRun:
    """A run that MLflow is told about epoch by epoch; silent where the tracker is out of reach."""

    def __init__(self, teller: "_Teller | None" = None) -> None:
        self._teller = teller

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None where it could not be started."""
        return self._teller.run_id if self._teller else None

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Hand over one epoch's numbers; returns at once."""
        if self._teller:
            time = now()
            self._teller.points.put(
                [
                    Point(name, float(value), time, epoch)
                    for name, value in values.items()
                    if name != "epoch"
                ]
            )

    def close(self, status: Status) -> None:
        """End the run, within the time that there is."""
        if self._teller:
            self._teller.finish(status, END_SECONDS if status == "FINISHED" else _STOPPED_SECONDS)


@contextmanager
def live_run(settings: TrackingSettings, tags: Mapping[str, str]) -> Iterator[LiveRun]:
    """Open a run for the time of a training; where the tracker is out of reach, a silent one.

    A history that arrived whole is marked, so that `topdb track` does not send it again.
    """
    run = LiveRun(_Teller.started(settings, tags) if settings.mode == "live" else None)
    try:
        yield run
    except Exception:
        run.close("FAILED")
        raise
    except BaseException:
        run.close("KILLED")
        raise
    run.close("FINISHED")


class _Teller(threading.Thread):
    """The thread that talks. It dies with the process, wherever it is."""

    def __init__(self, settings: TrackingSettings, tags: Mapping[str, str]) -> None:
        super().__init__(name="mlflow", daemon=True)
        self.run_id: str | None = None
        self.points: queue.SimpleQueue[list[Point] | Status] = queue.SimpleQueue()
        self._settings = settings
        self._tags = dict(tags)
        self._ready = threading.Event()
        self._failed = False
        self._given_up = threading.Event()

    @classmethod
    def started(cls, settings: TrackingSettings, tags: Mapping[str, str]) -> "_Teller":
        """Return a teller that has opened its run, or has not within the time that there is."""
        if not speaks(address()):
            from topdb.tracking.library import load_library

            load_library(address())
        teller = cls(settings, tags)
        teller.start()
        if not teller._ready.wait(START_SECONDS):
            teller._give_up(f"no answer in {START_SECONDS:g} s")
        return teller

    def finish(self, status: Status, seconds: float) -> None:
        """Have the run ended, and wait for that, but not for longer."""
        if self._given_up.is_set() or self._failed:
            return
        self.points.put(status)
        self.join(seconds)
        if self.is_alive():
            self._give_up(f"no answer in {seconds:g} s")

    def run(self) -> None:
        """Open the run, send epochs as they come, end it; stop at the first failure."""
        try:
            self._tell()
        except Exception as error:  # whatever the tracker raises, training goes on
            self._failed = True
            if not self._given_up.is_set():
                _warn(reason(error))
        finally:
            self._ready.set()

    def _tell(self) -> None:
        store = _connected()
        experiment = store.experiment(self._settings.experiment)
        profile = self._tags["profile"]
        results = EMBEDDED.parent / profile
        invocation, parent = parent_of_open(store, experiment, results, profile)
        tags = {**self._tags, PARENT_TAG: parent, INVOCATION_TAG: invocation.identity}
        if self._given_up.is_set():
            return
        run_id = store.create(experiment, run_name(tags), tags)
        self.run_id = run_id
        self._ready.set()
        told: list[int] = []
        status: Status | None = None
        while status is None and not self._given_up.is_set():
            points, status = self._waiting()
            if points:
                store.log(run_id, points)
                told += sorted({point.step for point in points})
        if status == "FINISHED" and told == list(range(1, len(told) + 1)):
            store.tag(run_id, HISTORY_TAG, str(len(told)))
        store.end(run_id, status or "KILLED")

    def _waiting(self) -> tuple[list[Point], Status | None]:
        """Wait for something to tell; return all of it, and how the run ended if it did."""
        points: list[Point] = []
        while True:
            item = self.points.get()
            if isinstance(item, str):
                return points, item
            points += item
            if self.points.empty():
                return points, None

    def _give_up(self, why: str) -> None:
        self._given_up.set()
        self.run_id = None
        _warn(why)


def _connected() -> Store:
    where = address()
    if speaks(where):
        return RestStore(where)
    from topdb.tracking.library import LibraryStore

    return LibraryStore(where)


def _warn(why: str) -> None:
    print(
        f"topdb: MLflow is out of reach ({why}); training goes on, and `topdb track` sends what "
        "is missing later.",
        file=sys.stderr,
    )
