"""All that a training is between two steps, so that it can be written down and taken up again."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from topdb.training.optimiser import Adam
from topdb.training.randomness import Randomness

_NETWORK = "network."
_OPTIMISER = "optimiser."


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch."""

    number: int
    """Counted from 1."""
    learning_rate: float
    """Of its last step."""
    images: int
    seconds: float
    """Spent in its steps, by all processes that had a part in it."""
    losses: dict[str, float]
    """Mean over the epoch's steps, by name: `loss`, then `<stream>_cross_entropy`, ..."""

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
    """The epoch in progress, counted from 0."""
    step: int = 0
    """Steps of that epoch which are done."""
    seconds: float = 0.0
    """Spent in them."""
    history: list[Epoch] = field(default_factory=list)
    """The epochs that are whole."""

    @property
    def name(self) -> str:
        """A file name's stem; names sort as the positions follow each other."""
        return f"epoch-{self.epoch + 1:05d}-step-{self.step:06d}"

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.step}"


@dataclass(frozen=True)
class State:
    """A training's moving parts: weights, optimiser and the generators that its loop draws from.

    Nothing else decides on a bit: the loop draws from no global generator, its order of batches
    follows from the sampler's state at the epoch's start, and loader threads draw nothing.
    """

    network: nn.Module
    optimiser: Adam
    sampling: np.random.Generator
    augmenting: torch.Generator
    dropping: torch.Generator

    @classmethod
    def begin(cls, network: nn.Module, optimiser: Adam, randomness: Randomness) -> "State":
        """Return the state before the first step."""
        return cls(
            network,
            optimiser,
            randomness.numpy("sampler"),
            randomness.torch("augmentation"),
            randomness.torch("drop"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return copies of all tensors on the CPU, contiguous: weights, BN's, Adam's, generators'.

        The sampler's state is not among them, since an epoch draws its batches at its start.
        """
        named = {f"{_NETWORK}{name}": each for name, each in self.network.state_dict().items()}
        named |= {f"{_OPTIMISER}{name}": each for name, each in self.optimiser.state().items()}
        named["augmenting"] = self.augmenting.get_state()
        named["dropping"] = self.dropping.get_state()
        return {name: each.detach().cpu().contiguous() for name, each in named.items()}

    def restore(self, tensors: dict[str, Tensor], sampler: dict[str, Any]) -> None:
        """Set weights, optimiser and generators to what `tensors` returned.

        Parameters
        ----------
        tensors : as `tensors` returned them
        sampler : the state of the sampler's generator when the epoch began
        """
        self.network.load_state_dict(_below(_NETWORK, tensors))
        self.optimiser.load(_below(_OPTIMISER, tensors))
        self.augmenting.set_state(tensors["augmenting"])
        self.dropping.set_state(tensors["dropping"])
        self.sampling.bit_generator.state = sampler


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
