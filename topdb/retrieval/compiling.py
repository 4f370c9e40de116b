"""Compilation of the numerical kernels, kept on disk between processes."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba

# The distances are finite and the sign of a zero carries nothing, so these two freedoms change
# no result; they let the compiler take a maximum or a clamp over many lanes at once.
FINITE = frozenset({"nnan", "nsz"})

Kernel = Callable[..., Any]


def compiled(
    *signatures: Any, fastmath: frozenset[str] = frozenset()
) -> Callable[[Callable[..., Any]], Kernel]:
    """Compile a function for exactly these signatures when its module is imported.

    The machine code lies in numba's cache (beside the source, or in the user's cache folder
    where the source is read-only). Where nothing can be written, the function is compiled in
    memory. One process compiles at a time and the others wait for its cache entry, so that any
    number of processes may start on an empty or an outdated cache.
    """

    def build(function: Callable[..., Any]) -> Kernel:
        options = {"nogil": True, "fastmath": set(fastmath)}
        try:
            dispatcher = numba.njit(**options)(function)
            dispatcher.enable_caching()
            with _one_process_at_a_time(dispatcher.stats.cache_path):
                return _compile_all(dispatcher, signatures)
        except (RuntimeError, OSError, EOFError):
            # No folder for the cache, a full disk, or a damaged entry: do without the cache.
            return _compile_all(numba.njit(**options)(function), signatures)

    return build


def _compile_all(dispatcher: Any, signatures: tuple[Any, ...]) -> Kernel:
    for signature in signatures:
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    kernel: Kernel = dispatcher
    return kernel


@contextlib.contextmanager
def _one_process_at_a_time(folder: str) -> Iterator[None]:
    """Hold a lock file in the folder; where locks are not supported, go on without."""
    handle = None
    try:
        with contextlib.suppress(OSError):
            handle = os.open(Path(folder) / "compiling.lock", os.O_CREAT | os.O_RDWR, 0o666)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def array(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel writes."""
    return numba.types.Array(dtype, dimensions, "C")


def constant(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel only reads; read-only memory maps fit it."""
    return numba.types.Array(dtype, dimensions, "C", readonly=True)
