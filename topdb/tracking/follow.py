"""Telling MLflow about trainings while they run: what `topdb track --follow` does.

It reads the files of trainings and has no part in them. What MLflow has is asked each time, and
never remembered: whatever ends this process, the next one or `topdb track` goes on where it was.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from topdb.config import Params
from topdb.errors import UserError
from topdb.results.records import read_history
from topdb.results.runs import Run, runs
from topdb.tracking.record import (
    FinishedRun,
    Rows,
    Training,
    finished_run,
    run_tags,
    training_in,
)
from topdb.tracking.store import NoAnswerError, Told, load_library, reason, within
from topdb.tracking.track import (
    CONNECT_SECONDS,
    IDENTITY_TAG,
    INVOCATION_TAG,
    RUN_SECONDS,
    TRAINING_TAG,
    Tracker,
    alone,
    require_on,
)

POLL_SECONDS = 0.5
SLOW_POLL_SECONDS = 5.0
"""Between two looks; the longer a look takes, the rarer they are."""
RETRY_SECONDS = 60.0
"""After MLflow was out of reach."""
LAST_SECONDS = 3.0
"""For what happened just before the end."""


def follow(params: Params, profile: str, results: Path) -> None:
    """Tell MLflow about the profile's trainings, epoch by epoch, until standard input ends.

    Whoever starts this holds the other end of its standard input: the kernel closes it however that
    process ends. Whatever the store does is said on standard error and raises nothing.

    Raises
    ------
    UserError
        Tracking is off in the parameters.
    """
    require_on(params)
    over = threading.Event()
    follower = Follower(params, profile, results)
    watching = threading.Thread(target=_watch, args=(follower, over), daemon=True)
    watching.start()
    with suppress(OSError):  # a terminal that is gone
        while os.read(0, 4096):
            pass
    over.set()
    watching.join(LAST_SECONDS)


def _watch(follower: "Follower", over: threading.Event) -> None:
    """Look again and again, and a last time when it is over."""
    pause, failed, last = 0.0, False, False
    while not last:
        last = over.wait(pause)
        began = time.monotonic()
        try:
            follower.look()
            failed = False
            pause = min(max(POLL_SECONDS, 20 * (time.monotonic() - began)), SLOW_POLL_SECONDS)
        except BlockingIOError:  # `topdb track` is telling
            pause = POLL_SECONDS
        except NoAnswerError as error:
            _say(error, "`topdb track` tells what is missing.")
            os._exit(0)  # the thread that hangs may hold what `topdb track` waits for
        except Exception as error:  # whatever the store raises, trainings go on
            if not failed:
                _say(error, f"trainings go on, and every {RETRY_SECONDS:g} s it is tried again.")
            failed, pause = True, RETRY_SECONDS
            follower.disconnect()


def _say(error: Exception, then: str) -> None:
    print(f"topdb: MLflow is out of reach ({reason(error)}): {then}", file=sys.stderr, flush=True)


class Follower:
    """The trainings of a profile, and as what MLflow was last told of those that run."""

    def __init__(self, params: Params, profile: str, results: Path) -> None:
        self._params = params
        self._profile = profile
        self._chosen = params.selected(profile)
        self._results = results
        self._running: dict[Run, Training] = {}
        self._tracker: Tracker | None = None

    def look(self) -> None:
        """Tell what happened since the last look.

        Raises
        ------
        BlockingIOError
            Another process is telling about the profile.
        Exception
            Whatever the store raises; what could not be told is told by the next look.
        """
        for run in runs(self._chosen):
            before = self._running.get(run)
            training = training_in(run.folder(self._results))
            if training and training != before:
                with suppress(UserError):  # it went away meanwhile, which the next look sees
                    self._tell(run, training, read_history(training.path))
                    self._running[run] = training
            elif before and not training:
                with suppress(UserError):  # its record is broken, which `topdb track` says
                    finished = finished_run(run, self._profile, self._chosen, self._results)
                    self._end(run, before, finished)
                del self._running[run]

    def disconnect(self) -> None:
        """Let the next look connect anew: the store may be another one by then."""
        self._tracker = None

    def _tell(self, run: Run, training: Training, rows: Rows) -> None:
        """Send the epochs that MLflow lacks of a training; its run begins where there is none."""

        def tell(tracker: Tracker, told: Told | None) -> None:
            if told and not tracker.agrees(told, rows):
                # It began again on another machine, which rounds otherwise.
                tracker.store.ask("delete_run", told.identity)
                told = None
            if told is None:
                tags = {**run_tags(self._profile, run), **tracker.belonging()}
                told = tracker.create(tags | {TRAINING_TAG: training.identity}, training.written)
            elif told.status != "RUNNING":
                tracker.store.ask("update_run", told.identity, "RUNNING")
            tracker.send_epochs(told, rows, training.written)

        self._do(tell, run, training)

    def _end(self, run: Run, training: Training, finished: FinishedRun | None) -> None:
        """End the run of a training that runs no more; `topdb track` adds what it came to."""

        def end(tracker: Tracker, told: Told | None) -> None:
            if told is None:
                return
            if finished and finished.training == training.identity:
                if tracker.agrees(told, finished.rows):
                    tracker.send_epochs(told, finished.rows, finished.ended)
                tracker.store.ask("set_terminated", told.identity, "FINISHED", finished.ended)
            else:
                tracker.store.ask("set_terminated", told.identity, "FAILED")

        self._do(end, run, training)

    def _do(
        self, what: Callable[[Tracker, Told | None], None], run: Run, training: Training
    ) -> None:
        """Do something with what MLflow has of a training, unless it has the whole run."""
        if self._tracker is None:
            load_library()
            connect = partial(Tracker, self._params, self._profile, self._results)
            self._tracker = within(CONNECT_SECONDS, connect)
        tracker = self._tracker

        def work() -> None:
            tags = {**run_tags(self._profile, run), TRAINING_TAG: training.identity}
            told = tracker.find(tags | {INVOCATION_TAG: tracker.invocation()[0]})
            if told is None or IDENTITY_TAG not in told.tags:
                what(tracker, told)

        with alone(self._results, wait=False):
            within(RUN_SECONDS, work)
