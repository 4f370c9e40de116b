"""What somebody who waits for a training sees: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO


@dataclass(frozen=True)
class Moment:
    """Where a training stands after a step; epochs and steps are counted from 1."""

    epoch: int
    epochs: int
    step: int
    steps: int
    """Of this epoch; the others are about as long."""
    images: int
    """In a batch."""
    loss: float | None
    """As of the last look, since looking waits for the GPU."""

    @property
    def steps_left(self) -> int:
        """Steps from here to the end of the training, about."""
        return self.steps - self.step + (self.epochs - self.epoch) * self.steps


Progress = Callable[[Moment], None]


def silent(moment: Moment) -> None:
    """Show nothing."""


@contextmanager
def watching(name: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield what a training tells its steps: a bar for a person, lines for a log, on stderr."""
    stream = stream if stream is not None else sys.stderr
    if not stream.isatty():
        yield Lines(name, stream)
        return
    from tqdm import tqdm  # here: most trainings write to a log

    layout = "{desc} {percentage:3.0f}%|{bar}| {rate_fmt}, {remaining} left{postfix}"
    # Total and position are set by the first step: a training that goes on starts in the middle.
    with tqdm(desc=name, unit=" images", file=stream, bar_format=layout, total=1) as bar:

        def show(moment: Moment) -> None:
            if bar.n == 0:
                before = (moment.epoch - 1) * moment.steps + moment.step - 1
                bar.initial = bar.n = bar.last_print_n = before * moment.images
            bar.total = bar.n + (moment.steps_left + 1) * moment.images
            loss = "" if moment.loss is None else f", loss {moment.loss:.3f}"
            bar.set_postfix_str(f"epoch {moment.epoch}/{moment.epochs}{loss}", refresh=False)
            bar.update(moment.images)

        yield show


class Lines:
    """Writes a line every so many seconds, and one at the end."""

    def __init__(
        self,
        name: str,
        stream: TextIO,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._stream = stream
        self._every = every
        self._clock = clock
        self._began = self._written = clock()
        self._images = 0

    def __call__(self, moment: Moment) -> None:
        """Note one step."""
        now = self._clock()
        self._images += moment.images
        if moment.steps_left and now - self._written < self._every:
            return
        self._written = now
        rate = self._images / max(now - self._began, 1e-9)
        left = timedelta(seconds=round(moment.steps_left * moment.images / rate))
        loss = "" if moment.loss is None else f", loss {moment.loss:.3f}"
        self._stream.write(
            f"{self._name}: epoch {moment.epoch}/{moment.epochs}, step {moment.step}/"
            f"{moment.steps}{loss}, {rate:.0f} images/s, {left} left\n"
        )
        self._stream.flush()
