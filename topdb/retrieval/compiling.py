"""Kernels: functions that numba compiles for the types of their annotations.

To import it takes a third of a second, so that nothing does before it needs a kernel.
"""

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

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
