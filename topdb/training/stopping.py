"""Ending a training on request: SIGTERM of a scheduler, SIGINT of a person.

A training that is asked to end finishes its step, writes a checkpoint and exits with 128 + the
signal's number. A second signal ends it at once, as does the first outside of the loop, where
there is nothing to save.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from topdb.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A request to end that may have come."""

    def __init__(self) -> None:
        self._asked: int | None = None
        self._saving = False

    @property
    def asked(self) -> bool:
        """Whether it has come."""
        return self._asked is not None

    @contextmanager
    def after_the_step(self) -> Iterator[None]:
        """Let requests wait inside this block, whose code looks at `asked`."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def end(self, where: str, saved: bool) -> None:
        """Raise StoppedError, saying whether a checkpoint was written."""
        word = "saved: the same command goes on from there" if saved else "not saved"
        raise StoppedError(self._asked or signal.SIGTERM, f"stopped after {where}, {word}.")

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._saving and self._asked is None:
            self._asked = number
            return
        raise StoppedError(number, "stopped; finished files are kept.")


@contextmanager
def stopping() -> Iterator[Stop]:
    """Handle the signals by a new Stop; the handlers of before are put back at the end."""
    stop = Stop()
    before = {number: signal.signal(number, stop.receive) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
