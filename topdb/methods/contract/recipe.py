"""A recipe: how a method is trained and tested, as plain data.

`run.json` records it and its digest decides what is trained anew. A profile's `scale` shrinks it
(`topdb.methods.contract.resolving`), and `changes` in params.yaml replaces parts of it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moment:
    """Where a training stands: at a step's start."""

    number: int
    """Passes over the training images that are done, from 0."""
    epoch: float
    """The same on the recipe's own clock, the share of this pass included. A profile that trains
    for 5 passes instead of 120 runs the clock 24 times as fast."""
    done: float = 0.0
    """The clock at the step's end."""

    @property
    def whole(self) -> int:
        """Return the epoch of the recipe that the step belongs to, from 0."""
        return math.floor(self.epoch)


class Schedule(Protocol):
    """The learning rate as a function of the moment."""

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step; `epochs` is the length of the recipe."""
        ...


@dataclass(frozen=True)
class Milestones:
    """A constant rate, cut by a factor at each milestone; at first a warm-up in a straight line."""

    at: tuple[float, ...] = ()
    """Epochs, counted from 0, from which on the rate is `factor` times what it was."""
    factor: float = 0.1
    warmup: int = 0
    """Epochs of the warm-up; it rises from epoch to epoch."""
    start: float = 0.0
    """Share of the base with which the warm-up begins."""

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step."""
        epoch = moment.whole
        if epoch < self.warmup:
            done = epoch / self.warmup
            return base * (self.start * (1 - done) + done)
        return base * self.factor ** sum(moment.epoch >= each for each in self.at)


@dataclass(frozen=True)
class Stairs:
    """A warm-up in stairs, then a tenth at each milestone; epochs are counted from 1.

    The first stair is one epoch short since the rate is set by whole multiples of a stair.
    Source: the released code of Top-DB-Net.
    """

    warmup: int
    """The rate reaches its base in the last of these epochs."""
    stair: int
    """The warm-up rises once every so many epochs."""
    milestones: tuple[int, ...]

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step."""
        number = moment.whole + 1
        if number <= self.warmup:
            stairs = self.warmup // self.stair + 1
            return base * (number // self.stair + 1) / stairs
        passed = sum(number >= milestone for milestone in self.milestones)
        return base * 0.1**passed


@dataclass(frozen=True)
class Cosine:
    """A rate that rises in a straight line, then falls along half a cosine to zero."""

    warmup: float = 0.0
    """In epochs."""

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step."""
        if moment.done < self.warmup:
            return base * moment.done / self.warmup
        done = (moment.done - self.warmup) / (epochs - self.warmup)
        return base * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba, ICLR 2015) with the L2 penalty in the gradient."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 5e-4
    amsgrad: bool = False


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum, and the L2 penalty in the gradient."""

    rate: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0


class Transform(Protocol):
    """One random change to a batch of training images.

    A frozen dataclass. Images are (B, 3, H, W): uint8 before `Normalise`, float32 after it.
    """

    name: ClassVar[str]
    """What a profile's `scale.without` calls it."""

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the changed batch; what is drawn comes from the generator, on the CPU."""
        ...

    def scaled(self, share: float) -> "Transform":
        """Return it for images of `share` times the height: what is given in pixels follows."""
        ...

    def off(self) -> "Transform":
        """Return it switched off: it changes nothing; what it still draws is its own."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a method is trained and tested."""

    size: tuple[int, int]
    """Input height and width."""
    epochs: int
    """Length of the recipe's clock."""
    augmentation: tuple[Transform, ...]
    """In order; one of them is `Normalise`."""
    rules: Mapping[str, Adam | SGD]
    """The optimiser of each group of parameters."""
    schedule: Schedule = Milestones()
    steady: tuple[str, ...] = ()
    """Groups whose rate the schedule leaves alone."""
    people: int = 16
    images: int = 4
    """P and K of the batches; where people are not sampled, a batch has P x K images."""
    options: Any = None
    """The method's own choices: a frozen dataclass that it declares."""
    clip: float | None = None
    """Largest L2 norm of the whole gradient."""
    fresh: tuple[float, ...] = ()
    """Epochs at which the optimisers forget what they know."""
    resize: tuple[int, int] | None = None
    """Height and width of training images before augmentation, where it is not `size`."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Of the resizing, in training and testing."""
    passes: int | None = None
    """Passes over the training images, where a profile shrinks them; None: one an epoch."""
    note: str = ""
    """What a reader of a table has to know about this recipe; one sentence."""

    @property
    def whole_passes(self) -> int:
        """Return how many passes over the training images there are."""
        return self.passes or self.epochs


@dataclass(frozen=True)
class Names:
    """What released checkpoints call the entries of a method's state dict."""

    prefixes: Mapping[str, str]
    """Own prefix to released prefix, each up to a dot or the whole name; the longest decides."""
    classifier: str
    """The released entry whose first dimension is the number of training people."""
    absent: tuple[str, ...] = ()
    """Own prefixes that checkpoints lack, and that no test feature needs."""
    unused: tuple[str, ...] = ()
    """Released prefixes that nothing here runs."""

    def released(self, own: str) -> str | None:
        """Return the released name of an own entry; None where checkpoints lack it."""
        if any(_below(own, prefix) for prefix in self.absent):
            return None
        found = max((each for each in self.prefixes if _below(own, each)), key=len, default=None)
        return own if found is None else self.prefixes[found] + own[len(found) :]


def _below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".") or prefix == ""


Look = Callable[..., Any]
"""look(rows, embed): features (N, ...) float32 of training rows by the weights of this moment.

Images are at the input size, without augmentation; `embed` is a function of the method that maps
normalised images to features, by default its own `embed`. The method is in evaluation mode.
"""
