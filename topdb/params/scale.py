"""How a profile shrinks every method: a small grid runs the same code in minutes."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from topdb.params.base import Settings
from topdb.params.names import BackboneName


class ScaleSettings(Settings):
    """What a profile takes off a method's recipe; without any of it the recipe stands as it is.

    The recipe's own clock is not shrunk: five passes of a recipe of 120 epochs run the clock 24
    times as fast, so that every warm-up, freeze and milestone is met.
    """

    size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = None
    """Input height and width; what a recipe gives in pixels follows the height."""
    epochs: PositiveInt | None = None
    """Passes over the training images."""
    people: Annotated[int, Field(ge=2)] | None = None
    """P of a batch."""
    rate: PositiveFloat = 1.0
    """Factor of every learning rate but those that `changes` writes down."""
    width: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Factor of the channels that a method adds to its backbone, and of backbones that scale."""
    backbones: dict[BackboneName, BackboneName] = Field(default_factory=dict)
    """What stands in for a backbone, by its name."""
    without: tuple[str, ...] = ()
    """Augmentations that are switched off, by name: flip, crop, jitter, erase."""

    def channels(self, full: int) -> int:
        """Return how many channels are left of `full`, at least four."""
        return max(4, round(full * self.width))

    def backbone(self, name: str) -> str:
        """Return the backbone that stands in for `name`, or `name` itself."""
        return self.backbones.get(name, name)


FULL = ScaleSettings()
"""Nothing is shrunk."""
