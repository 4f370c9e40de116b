"""Waiting no longer than planned, whatever the store does."""

import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns, or raise what it raises.

    A socket's time-out bounds one answer; this bounds all of a piece of work, with its retries,
    the search for a host's address, and a disk that hangs. What comes too late is lost.

    Raises
    ------
    TimeoutError
        It took longer; a thread goes on with it and dies with the process.
    """
    results: list[_Result] = []
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer in {seconds:g} s")
    return results[0]
