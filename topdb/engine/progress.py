"""What a training says while it runs: losses by epoch, lines, and a request to stop."""

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import TextIO

import torch
from torch import Tensor
from tqdm import tqdm

from topdb.errors import StoppedError, UserError
from topdb.methods.contract import Losses


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


class Recorded:
    """Losses of one epoch, step by step.

    Adding a step's losses waits for no GPU; looking at them does.

    Parameters
    ----------
    epoch : counted from 1
    names, values : of the steps that another process has done, (steps, names) float32
    """

    def __init__(self, epoch: int, names: Sequence[str] = (), values: Tensor | None = None) -> None:
        self._epoch = epoch
        self.names = list(names)
        self._seen = [] if values is None or not len(values) else [values]
        self._unseen: list[Tensor] = []

    def add(self, loss: Tensor, losses: Losses) -> None:
        """Note the losses of one step: their sum, and each by name."""
        values = [loss.detach(), *(each.detach() for each in losses.values())]
        self._unseen.append(torch.stack(values).float())
        self.names = ["loss", *losses]

    def values(self) -> Tensor:
        """Return all losses (steps, names) float32 on the CPU."""
        if self._unseen:
            self._seen.append(torch.stack(self._unseen).cpu())
            self._unseen = []
        if not self._seen:
            return torch.empty(0, 0)
        if len(self._seen) > 1:
            self._seen = [torch.cat(self._seen)]
        return self._seen[0]

    @property
    def latest(self) -> float | None:
        """The summed loss of the last step that was looked at."""
        return float(self._seen[-1][-1, 0]) if self._seen else None

    @property
    def first(self) -> float:
        """Sizes of the first step's losses, added up."""
        return float(self.values()[0, 1:].abs().double().sum())

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps."""
        means = self.values().double().mean(dim=0).tolist()
        return dict(zip(self.names, means, strict=True))

    @property
    def finite(self) -> bool:
        """Whether all losses are finite numbers."""
        return bool(self.values().isfinite().all())

    def require_finite(self) -> None:
        """Look at all losses.

        Raises
        ------
        UserError
            One is no finite number; the message names epoch, step and loss.
        """
        values = self.values()
        broken = ~values.isfinite()
        if not broken.any():
            return
        step = int(broken.any(dim=1).int().argmax())
        broken_names = [name for name, bad in zip(self.names, broken[step], strict=True) if bad]
        named = broken_names[1] if len(broken_names) > 1 else broken_names[0]
        value = values[step][self.names.index(named)].item()
        raise UserError(
            f"the loss {named} became {'NaN' if math.isnan(value) else 'infinite'} in epoch "
            f"{self._epoch}, step {step + 1}: lower the learning rate (`changes` or "
            "`scale.rate` in params.yaml), or look for broken images."
        )


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
