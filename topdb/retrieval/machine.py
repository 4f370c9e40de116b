"""Compiled kernels, threads over rows, and what a caller learns while work takes long."""

import contextlib
import functools
import inspect
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, TextIO

import numba
import numpy as np
from filelock import FileLock
from numba import boolean, float32, int32, int64, void
from numpy.typing import NDArray

# The distances are finite and the sign of a zero carries nothing, so these two freedoms change
# no result; they let the compiler take a maximum or a clamp over many lanes at once.
FINITE = frozenset({"nnan", "nsz"})


def read(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel only reads; read-only memory maps fit it."""
    return numba.types.Array(dtype, dimensions, "C", readonly=True)


def written(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel writes."""
    return numba.types.Array(dtype, dimensions, "C")


# What a kernel's arguments are, for the reader and for the compiler.
Places = Annotated[NDArray[np.int64], read(int64, 1)]
Ints = Annotated[NDArray[np.int32], read(int32, 1)]
IntRows = Annotated[NDArray[np.int32], read(int32, 2)]
Floats = Annotated[NDArray[np.float32], read(float32, 1)]
FloatRows = Annotated[NDArray[np.float32], read(float32, 2)]
OutPlaces = Annotated[NDArray[np.int64], written(int64, 1)]
OutInts = Annotated[NDArray[np.int32], written(int32, 1)]
OutIntRows = Annotated[NDArray[np.int32], written(int32, 2)]
OutFloats = Annotated[NDArray[np.float32], written(float32, 1)]
OutFloatRows = Annotated[NDArray[np.float32], written(float32, 2)]
_SCALARS = {int: (int64,), bool: (boolean,), np.float32: (float32,)}

Kernel = Callable[..., None]


def compiled(*, fastmath: frozenset[str] = frozenset()) -> Callable[[Kernel], Kernel]:
    """Compile a function for exactly the types of its annotations, when it is first called.

    Where an annotation gives several types, the n-th ones of all arguments belong together.

    The machine code lies in numba's cache (beside the source, or in the user's cache folder
    where the source is read-only). Where nothing can be written, the function is compiled in
    memory. One process compiles at a time and the others wait for its cache entry, so that any
    number of processes may start on an empty or an outdated cache.
    """

    def build(function: Kernel) -> Kernel:
        lock = threading.Lock()
        ready: list[Kernel] = []

        @functools.wraps(function)
        def kernel(*arguments: Any) -> None:
            if not ready:
                with lock:
                    if not ready:
                        ready.append(_compile(function, fastmath))
            ready[0](*arguments)

        return kernel

    return build


def _compile(function: Kernel, fastmath: frozenset[str]) -> Kernel:
    options = {"nogil": True, "fastmath": set(fastmath)}
    try:
        dispatcher = numba.njit(**options)(function)
        dispatcher.enable_caching()
        with contextlib.ExitStack() as alone:
            with contextlib.suppress(OSError):  # where nothing can be written, go on without
                lock = Path(dispatcher.stats.cache_path) / "compiling.lock"
                alone.enter_context(FileLock(lock, mode=0o666))
            return _compile_all(dispatcher, function)
    except (RuntimeError, OSError, EOFError):
        # No folder for the cache, a full disk, or a damaged entry: do without the cache.
        return _compile_all(numba.njit(**options)(function), function)


def _compile_all(dispatcher: Any, function: Kernel) -> Kernel:
    hints = [each.annotation for each in inspect.signature(function).parameters.values()]
    types = [getattr(hint, "__metadata__", None) or _SCALARS[hint] for hint in hints]
    for number in range(max(map(len, types))):
        dispatcher.compile(void(*(each[min(number, len(each) - 1)] for each in types)))
    dispatcher.disable_compile()
    kernel: Kernel = dispatcher
    return kernel


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
