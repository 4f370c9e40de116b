"""One side of a method, with images, batches and moments to look at it by."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from topdb.config import ScaleSettings
from topdb.errors import UserError
from topdb.methods import build
from topdb.methods.contract import Losses, Method, Moment, Recipe
from topdb.methods.contract.resolving import resolved

PEOPLE, IMAGES = 10, 8
"""Of the random training images: enough for a batch of eight people with eight images each."""
SCALE = ScaleSettings(
    size=(96, 32),
    epochs=5,
    people=8,
    width=0.125,
    backbones={"resnet50": "small", "resnet101": "small", "densenet201": "small"},
    without=("erase",),
)
"""Small enough for seconds."""
_EARLY = 4
"""Passes at the start of a training at full length that are looked at, one after the other."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Subject:
    """One side of a method."""

    name: str
    method: type[Method]
    side: str
    file: Path
    scale: ScaleSettings = SCALE

    @property
    def recipe(self) -> Recipe:
        """The recipe at this scale."""
        return resolved(self.method, self.name, self.side, self.scale)

    def built(self, seed: int = 0) -> Method:
        """Build it with starting weights."""
        network = build(self.method, self.recipe, PEOPLE, self.scale)
        network.initialise(draws(seed))
        return network


def require(kept: bool, sentence: str) -> None:
    """Raise a UserError unless it is so."""
    if not kept:
        raise UserError(sentence)


def draws(seed: int = 0) -> torch.Generator:
    """Return a generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def labels() -> Rows:
    """Return the classes (N,) of the training images."""
    return np.repeat(np.arange(PEOPLE), IMAGES)


def images(network: Method, count: int) -> Tensor:
    """Return normalised noise (count, 3, height, width) at the input's size."""
    return torch.randn(count, 3, *network.recipe.size, generator=draws(count))


def drawn(network: Method, moment: Moment, rng: np.random.Generator) -> list[Rows]:
    """Return the batches that the method draws; what it looks at is noise, the same each time."""
    shown = images(network, PEOPLE * IMAGES)

    def look(rows: Rows, embed: Callable[[Tensor], Tensor] | None = None) -> NDArray[np.float32]:
        network.eval()
        with torch.inference_mode():
            found: NDArray[np.float32] = (
                (embed or network.embed)(shown[torch.from_numpy(rows)]).float().numpy()
            )
        return found

    return network.batches(labels(), moment, rng, look)


def moments(network: Method) -> list[Moment]:
    """Return moments as trainings have them, in order.

    Those of a training that a profile shrinks, at the start and near the end of each pass; and of
    one at full length the first passes, the middle and the last.
    """
    epochs, passes = network.recipe.epochs, network.recipe.whole_passes
    speed = epochs / passes
    found = [
        Moment(number, (number + step / 3) * speed, (number + (step + 1) / 3) * speed)
        for number in range(passes)
        for step in (0, 2)
    ]
    whole = sorted({*range(min(_EARLY, epochs)), epochs // 2, epochs - 1})
    return found + [Moment(each, float(each), each + 0.5) for each in whole]


def outputs_of(network: Method, moment: Moment) -> tuple[dict[str, Tensor], Tensor]:
    """Run the training pass over the first batch that the method draws; return people too."""
    rows = torch.from_numpy(drawn(network, moment, np.random.default_rng(0))[0])
    shown = images(network, PEOPLE * IMAGES)[rows]
    network.begin(moment)
    torch.manual_seed(0)  # of dropout, as the training loop does
    return network(shown, moment, draws(), **needed(network, len(rows))), torch.from_numpy(
        labels()
    )[rows]


def needed(network: Method, count: int) -> dict[str, Tensor]:
    """Return what the method needs beside images: maps whose parts change every few pixels."""
    return {"parts": part_maps(count, network.recipe.size)} if "parts" in network.needs else {}


def part_maps(count: int, size: tuple[int, int]) -> Tensor:
    """Return random part maps (count, 3, height, width); the last image has none."""
    coarse = torch.rand((count, 3, 12, 4), generator=draws(count))
    coarse *= torch.tensor((25.0, 256.0, 256.0))[:, None, None]
    coarse[-1] = 0.0
    return interpolate(coarse.floor(), size).to(torch.uint8)


def losses_of(network: Method, moment: Moment) -> Losses:
    """Return the losses of the first batch that the method draws."""
    outputs, people = outputs_of(network, moment)
    return network.losses(outputs, people, moment, draws(1))


def kept(network: Method) -> dict[str, Tensor]:
    """Return a copy of the state."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


@contextmanager
def nothing_drawn(what: str, from_torch: bool = True) -> Iterator[None]:
    """Raise a UserError where something draws from a generator that belongs to everybody.

    Without `from_torch`, torch's own may be drawn from, as dropout does.
    """
    before = _global_states(from_torch)
    yield
    require(
        _global_states(from_torch) == before,
        f"{what} draws from a global generator: draw from the one that it is given.",
    )


def _global_states(from_torch: bool) -> list[Any]:
    numpy = np.random.get_state(legacy=False)
    assert isinstance(numpy, dict)
    inner = numpy["state"]
    found: list[Any] = [random.getstate(), inner["pos"], inner["key"].tolist()]
    return [*found, torch.get_rng_state().tolist()] if from_torch else found
