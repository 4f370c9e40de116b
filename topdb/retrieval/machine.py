"""Threads over rows, and what a caller learns while work takes long."""

import importlib.util
import itertools
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, TracebackType
from typing import Any, TextIO

SMALL = 2**18
"""Distances that numpy ranks sooner than compiled kernels are loaded."""


def kernels_for(distances: int) -> ModuleType:
    """The loops of a ranking of so many distances, compiled or in numpy; the bits are the same.

    Few are ranked in numpy, since numba takes a third of a second to load, and all are where numba
    is not installed.
    """
    portable = distances <= SMALL or importlib.util.find_spec("numba") is None
    return importlib.import_module(f"topdb.retrieval.{'portable' if portable else 'kernels'}")


def available_threads() -> int:
    """Threads that this process may use.

    The smallest of OMP_NUM_THREADS and NUMBA_NUM_THREADS where they are set, and of the CPUs
    that the process may run on.
    """
    # Only Linux says which of the machine's CPUs are the process's own.
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [own or 1]
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return min(limits)


class Workers:
    """Runs a function over disjoint ranges of rows, one range a thread.

    The kernels write disjoint rows and release the interpreter's lock, so that the number of
    threads changes the time alone. numba's own threading layers are not used: the portable one
    ends the process when two Python threads call it.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; give a number of at least 1.")
        self.threads = threads or available_threads()
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def over(self, rows: int, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function(first, last, *arguments)` for ranges that cover [0, rows)."""
        if self._pool is None or rows < 2:
            function(0, rows, *arguments)
            return
        parts = min(self.threads, rows)
        edges = [rows * part // parts for part in range(parts + 1)]
        calls = [
            self._pool.submit(function, *ends, *arguments) for ends in itertools.pairwise(edges)
        ]
        for call in calls:
            call.result()


# Called with the name of the stage and the share of it that is done, in [0, 1].
Progress = Callable[[str, float], None]


def silent(stage: str, share: float) -> None:
    """Report nothing."""


class ProgressBar:
    """Draws a bar on a terminal or log, once a stage has taken longer than two seconds.

    Pass an instance as `progress`. Nothing is drawn for shorter work.
    """

    def __init__(
        self, stream: TextIO | None = None, after: float = 2.0, every: float = 0.2
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._after = after
        self._every = every
        self._stage = ""
        self._started = 0.0
        self._drawn = 0.0
        self._visible = False

    def __call__(self, stage: str, share: float) -> None:
        """Note that `share` (in [0, 1]) of the stage is done."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._visible = stage, now, False
        finished = share >= 1.0
        if finished:
            self._stage = ""
        if not self._visible and (finished or now - self._started < self._after):
            return
        if now - self._drawn < self._every and not finished:
            return
        self._visible, self._drawn = True, now
        filled = round(30 * share)
        bar = "#" * filled + "." * (30 - filled)
        seconds = now - self._started
        self._stream.write(f"\r{stage} [{bar}] {share:4.0%} {seconds:.0f} s")
        if finished:
            self._stream.write("\n")
        self._stream.flush()
