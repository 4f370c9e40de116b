"""All that a training is between two steps, so that it can be written down and taken up again.

Every random choice of a run comes from a generator that is seeded by the run's identity and the
choice's purpose. Runs of two methods with the same seed therefore share nothing: seeds are
unpaired between methods, as the significance tests assume.
"""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from topdb.errors import UserError
from topdb.methods.contract import SGD, Adam, Method

_NETWORK = "network."
_OPTIMISER = "optimiser."

Purpose = Literal["weights", "sampler", "augmentation", "drop"]


@dataclass(frozen=True)
class Randomness:
    """The seeds of one run."""

    dataset: str
    method: str
    seed: int

    def numpy(self, purpose: Purpose) -> np.random.Generator:
        """Return a new numpy generator for one purpose."""
        return np.random.default_rng(self._derived(purpose))

    def torch(self, purpose: Purpose) -> torch.Generator:
        """Return a new torch generator, on the CPU, for one purpose."""
        return torch.Generator().manual_seed(self._derived(purpose))

    def step(self, number: int, step: int) -> int:
        """Return the seed of torch's own generator (dropout) for a step of a pass."""
        return self._derived(f"step {number} {step}")

    def _derived(self, purpose: str) -> int:
        identity = f"{purpose}\n{self.dataset}\n{self.method}\n{self.seed}"
        return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) >> 1


def _spare_the_compiler() -> None:
    """Let torch's optimisers work without an import of torch's compiler.

    torch wraps their methods so that the compiler leaves them alone, and imports it to tell it so:
    a second and 150 MB in each of many training processes, and nothing here is compiled through
    them. Under a torch that wraps them in another way it changes nothing.
    """
    for name in ("add_param_group", "state_dict", "load_state_dict"):
        own = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        setattr(own, "__dynamo_disable", own)


_spare_the_compiler()


def optimiser(
    parameters: list[nn.Parameter], rule: Adam | SGD, fused: bool
) -> torch.optim.Optimizer:
    """Return torch's own optimiser of some parameters, fused or one parameter after the other."""
    groups = [{"params": parameters}]  # which may be empty; a list of parameters may not
    if isinstance(rule, Adam):
        return torch.optim.Adam(
            groups,
            rule.rate,
            rule.betas,
            weight_decay=rule.weight_decay,
            amsgrad=rule.amsgrad,
            foreach=False,
            fused=fused,
        )
    made = torch.optim.SGD(
        groups,
        rule.rate,
        rule.momentum,
        weight_decay=rule.weight_decay,
        nesterov=rule.nesterov,
        foreach=False,
        fused=fused,
    )
    if rule.momentum:
        # torch's fused step cannot begin for some parameters later than for others. A momentum of
        # zeros becomes the gradient in the first step, as torch's own first step has it.
        for each in parameters:
            made.state[each]["momentum_buffer"] = torch.zeros_like(each)
    return made


class Optimisers:
    """The optimiser of every group of a method's parameters.

    Raises
    ------
    UserError
        The recipe's rules and the method's groups have other names.
    """

    def __init__(self, method: Method, fused: bool) -> None:
        self._rules = method.recipe.rules
        self._groups = method.groups()
        self._fused = fused
        if self._groups.keys() != self._rules.keys():
            raise UserError(
                f"the recipe has rules for {', '.join(self._rules)}, and the method the groups "
                f"{', '.join(self._groups)}: give each group one rule."
            )
        self.forget()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters of all groups."""
        return [each for group in self._groups.values() for each in group]

    def forget(self) -> None:
        """Begin anew, as if no step had been made."""
        self._own = {
            name: optimiser(group, self._rules[name], self._fused)
            for name, group in self._groups.items()
        }

    @torch.no_grad()
    def step(self, rates: Mapping[str, float]) -> None:
        """Move every parameter that has a gradient by its group's learning rate."""
        for name, own in self._own.items():
            own.param_groups[0]["lr"] = rates[name]
            inspect.unwrap(type(own).step)(own)  # the wrapper imports the compiler, too

    def state(self) -> dict[str, Tensor]:
        """Return what all remember, by `<group>.<place in it>.<torch's name>`."""
        return {
            f"{name}.{place}.{key}": value
            for name, own in self._own.items()
            for place, held in own.state_dict()["state"].items()
            for key, value in held.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` of the same method's optimisers returned."""
        found: dict[str, dict[int, dict[str, Tensor]]] = {name: {} for name in self._own}
        for path, value in state.items():
            name, place, key = path.rsplit(".", 2)
            if key != "step":  # a fused step needs the memory layout of the parameter
                value = torch.empty_like(self._groups[name][int(place)]).copy_(value)
            found[name].setdefault(int(place), {})[key] = value
        for name, own in self._own.items():
            groups = own.state_dict()["param_groups"]
            own.load_state_dict({"state": found[name], "param_groups": groups})


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
    untrained: float = 0.0
    """Sizes of the first step's losses, added up; known when the first epoch is whole."""

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
