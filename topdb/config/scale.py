"""What a profile changes of a method's recipe: its scale, and changes on purpose."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from topdb.config.base import BackboneName, Settings


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


class CosineSchedule(Settings):
    """Learning rate that rises in a straight line, then falls along half a cosine to zero."""

    kind: Literal["cosine"]
    warmup: Annotated[float, Field(ge=0.0)] = 0.0
    """In epochs."""


class MilestoneSchedule(Settings):
    """Learning rate that is cut by a factor at each milestone."""

    kind: Literal["milestones"]
    at: tuple[PositiveFloat, ...] = ()
    """Epochs, counted from 0, from which on the rate is `factor` times what it was."""
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    warmup: Annotated[int, Field(ge=0)] = 0
    start: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the base with which the warm-up begins."""

    @model_validator(mode="after")
    def _check(self) -> "MilestoneSchedule":
        moments = [*([self.warmup] if self.warmup else []), *self.at]
        if moments != sorted(set(moments)):
            raise ValueError("milestones have to rise, and to come after the warm-up")
        return self


class StairSchedule(Settings):
    """Learning rate of Top-DB-Net: warm-up in stairs, then a tenth at each milestone."""

    kind: Literal["stairs"]
    warmup: PositiveInt
    """The rate reaches its base in the last of these epochs."""
    stair: PositiveInt
    """The warm-up rises once every so many epochs."""
    milestones: tuple[PositiveInt, ...]
    """Epochs, counted from 1, from which on the rate is a tenth of what it was."""

    @model_validator(mode="after")
    def _check(self) -> "StairSchedule":
        moments = [self.warmup, *self.milestones]
        if moments != sorted(set(moments)):
            raise ValueError("milestones have to rise, and to come after the warm-up")
        return self


ScheduleChange = Annotated[
    CosineSchedule | MilestoneSchedule | StairSchedule, Field(discriminator="kind")
]


class RuleChange(Settings):
    """What is changed in the optimiser of one group."""

    rate: PositiveFloat | None = None
    weight_decay: Annotated[float, Field(ge=0.0)] | None = None


class RecipeChanges(Settings):
    """Parts of a recipe that replace the method's own."""

    epochs: PositiveInt | None = None
    people: Annotated[int, Field(ge=2)] | None = None
    images: PositiveInt | None = None
    size: tuple[PositiveInt, PositiveInt] | None = None
    clip: PositiveFloat | None = None
    schedule: ScheduleChange | None = None
    rules: dict[str, RuleChange] = Field(default_factory=dict)
    """By group of parameters; `all` stands for every group."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The method's own choices, by name."""

    @model_validator(mode="after")
    def _check(self) -> "RecipeChanges":
        schedule = self.schedule
        if schedule and self.epochs and schedule.warmup >= self.epochs:
            raise ValueError(
                f"schedule.warmup is {schedule.warmup:g}, which leaves nothing of {self.epochs} "
                "epochs"
            )
        return self
