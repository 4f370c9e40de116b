"""Threads over ranges of rows."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType


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
    """Runs a kernel over disjoint ranges of rows, one range a thread.

    The kernels write disjoint rows and release the interpreter's lock, so that the number of
    threads changes the time alone. numba's own threading layers are not used: loading one costs
    a small evaluation more than it gains, and the portable one ends the process when two Python
    threads call it.
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

    def over(self, rows: int, function: Callable[[int, int], object]) -> None:
        """Call `function(first, last)` for ranges that cover [0, rows), and wait for all."""
        if self._pool is None or rows < 2:
            function(0, rows)
            return
        parts = min(self.threads, rows)
        edges = [rows * part // parts for part in range(parts + 1)]
        calls = [
            self._pool.submit(function, first, last) for first, last in itertools.pairwise(edges)
        ]
        for call in calls:
            call.result()
