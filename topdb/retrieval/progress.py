"""What a caller learns about work that takes long."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

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
