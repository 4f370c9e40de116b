"""All that a training is between two steps, so that it can be written down and taken up again."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topdb.engine.optimisers import Optimisers
from topdb.engine.randomness import Randomness
from topdb.methods.contract import Method

_NETWORK = "network."
_OPTIMISER = "optimiser."


@dataclass(frozen=True)
class Epoch:
    """What happened in one pass over the training images."""

    number: int
    """Counted from 1."""
    learning_rate: float
    """Of its last step, in the recipe's first group."""
    images: int
    seconds: float
    """Spent in its steps, by all processes that had a part in it."""
    losses: dict[str, float]
    """Mean over the epoch's steps, by name: `loss`, their sum, then each of the method's."""

    def row(self) -> dict[str, float]:
        """Return it as a row of `history.csv`."""
        return {
            "epoch": self.number,
            "learning_rate": self.learning_rate,
            "images": self.images,
            "seconds": round(self.seconds, 6),
            **self.losses,
        }


@dataclass
class Position:
    """Where a training stands."""

    epoch: int = 0
    """The pass in progress, counted from 0."""
    step: int = 0
    """Steps of that epoch which are done."""
    seconds: float = 0.0
    """Spent in them."""
    history: list[Epoch] = field(default_factory=list)
    """The epochs that are whole."""
    clock: float = -1.0
    """Where the recipe's clock stood at the last step's start; before the first step below 0."""

    @property
    def name(self) -> str:
        """A file name's stem; names sort as the positions follow each other."""
        return f"epoch-{self.epoch + 1:05d}-step-{self.step:06d}"

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.step}"


@dataclass
class State:
    """A training's moving parts: weights, optimisers, generators, and the batches of the pass.

    Nothing else decides on a bit: torch's own generator is seeded before each step, and loader
    threads draw nothing. The batches are kept as they were drawn, since a method may choose them
    by the weights of that moment.
    """

    network: Method
    optimisers: Optimisers
    sampling: np.random.Generator
    augmenting: torch.Generator
    drawing: torch.Generator
    batches: list[NDArray[np.int64]] = field(default_factory=list)
    """Of the pass in progress."""

    @classmethod
    def begin(cls, network: Method, optimisers: Optimisers, randomness: Randomness) -> "State":
        """Return the state before the first step."""
        return cls(
            network,
            optimisers,
            randomness.numpy("sampler"),
            randomness.torch("augmentation"),
            randomness.torch("drop"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return copies of all tensors on the CPU, contiguous."""
        named = {f"{_NETWORK}{name}": each for name, each in self.network.state_dict().items()}
        named |= {f"{_OPTIMISER}{name}": each for name, each in self.optimisers.state().items()}
        named["augmenting"] = self.augmenting.get_state()
        named["drawing"] = self.drawing.get_state()
        named["batches"] = torch.from_numpy(np.concatenate([*self.batches, np.empty(0, np.int64)]))
        named["batch_sizes"] = torch.tensor([len(each) for each in self.batches], dtype=torch.int64)
        return {name: each.detach().cpu().contiguous() for name, each in named.items()}

    def sampler(self) -> dict[str, Any]:
        """Return the state of the generator that batches are drawn from, as plain data."""
        return dict(self.sampling.bit_generator.state)

    def restore(self, tensors: dict[str, Tensor], sampler: dict[str, Any]) -> None:
        """Set everything to what `tensors` and `sampler` returned."""
        self.network.load_state_dict(_below(_NETWORK, tensors))
        self.optimisers.load(_below(_OPTIMISER, tensors))
        self.augmenting.set_state(tensors["augmenting"])
        self.drawing.set_state(tensors["drawing"])
        self.sampling.bit_generator.state = sampler
        edges = np.cumsum(tensors["batch_sizes"].numpy())[:-1]
        split = np.split(tensors["batches"].numpy(), edges)
        self.batches = list(split) if len(tensors["batch_sizes"]) else []


def written(position: Position) -> dict[str, Any]:
    """Return a position as plain data for JSON, which keeps every digit of a float."""
    return asdict(position)


def read(content: dict[str, Any]) -> Position:
    """Return the position that `written` described."""
    history = [Epoch(**epoch) for epoch in content["history"]]
    return Position(**{**content, "history": history})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }
