"""Parameters of the network and its training."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from topdb.errors import UserError
from topdb.params.base import Fraction, Settings
from topdb.params.data import DatasetSettings
from topdb.params.names import BackboneName

# YAML reads a bare `off` as false.
Autocast = Annotated[
    Literal["off", "bf16"], BeforeValidator(lambda value: "off" if value is False else value)
]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


class NetworkSettings(Settings):
    """Sizes of the network; the streams themselves belong to the method and the recipe."""

    backbone: BackboneName
    height: PositiveInt
    """Input height in pixels."""
    width: PositiveInt
    bottleneck_width: PositiveInt
    """Channels inside each bottleneck of the drop and regularization streams (paper: 512)."""
    global_features: PositiveInt
    """Length of the global stream's feature (paper: 512)."""
    drop_features: PositiveInt
    """Length of the drop stream's feature (paper: 1024)."""
    drop_ratio: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.33
    """Share of the feature map's rows that are dropped, rounded to whole rows."""
    activation_power: PositiveFloat = 2.0
    """p of A = sum over channels of |F|^p, by which rows are scored."""


class PretrainingSettings(Settings):
    """The backbone's start: trained once on people that no data set of the profile shows."""

    kind: Literal["pretraining"]
    dataset: DatasetSettings
    epochs: PositiveInt
    seed: int


IMAGENET_FILES = ("resnet50-19c8e357.pth", "resnet50-0676ba61.pth")
"""What torchvision calls the weights IMAGENET1K_V1: first, and since they were saved anew."""


class ImagenetSettings(Settings):
    """The backbone's start: torchvision's ResNet-50 weights IMAGENET1K_V1."""

    kind: Literal["imagenet"]
    weights: Path | None = None
    """The file, of whatever name, since its content's SHA-256 is checked; where it is not there,
    or none is named, torchvision's cache is looked into."""

    def places(self) -> list[Path]:
        """Return where the weights may lie, in the order in which they are looked for.

        torch's own rule places the cache: `$TORCH_HOME`, or `torch` below `$XDG_CACHE_HOME` or
        `~/.cache`; in it `hub/checkpoints`.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        home = Path(os.environ.get("TORCH_HOME", cache)).expanduser()
        cached = [home / "hub/checkpoints" / name for name in IMAGENET_FILES]
        return [self.weights, *cached] if self.weights else cached

    def found(self) -> Path:
        """Return the first place where there is a file; nothing is ever downloaded.

        Raises
        ------
        UserError
            There is none; the message names the places.
        """
        places = self.places()
        for place in places:
            if place.is_file():
                return place
        tracked = [place for place in places if place.with_name(place.name + ".dvc").is_file()]
        remedy = (
            f"run `dvc pull {tracked[0]}`"
            if tracked
            else "put torchvision's file (https://download.pytorch.org/models/"
            f"{IMAGENET_FILES[-1]}) in one of these places, or name it as start.weights in "
            "params.yaml"
        )
        raise UserError(
            "the ImageNet weights of ResNet-50 (IMAGENET1K_V1) are not here, and nothing is "
            f"downloaded: looked for {', '.join(map(str, places))}; {remedy}."
        )


class StepSchedule(Settings):
    """Learning rate of the paper: warm-up in stairs, then a tenth at each milestone."""

    kind: Literal["steps"]
    base: PositiveFloat
    """Learning rate between the warm-up and the first milestone."""
    warmup_epochs: PositiveInt
    """The rate reaches `base` in the last of these epochs."""
    stair_epochs: PositiveInt
    """The warm-up rises once every so many epochs."""
    milestones: tuple[PositiveInt, ...]
    """Epochs (counted from 1) from which on the rate is a tenth of what it was."""


class CosineSchedule(Settings):
    """Learning rate that rises in a straight line, then falls along half a cosine to zero."""

    kind: Literal["cosine"]
    base: PositiveFloat
    warmup_epochs: PositiveFloat


Start = Annotated[PretrainingSettings | ImagenetSettings, Field(discriminator="kind")]
Schedule = Annotated[StepSchedule | CosineSchedule, Field(discriminator="kind")]


class AugmentationSettings(Settings):
    """Random changes to a training image, in the order in which they are applied."""

    flip: Fraction = 0.5
    crop: Fraction = 0.5
    """Probability to enlarge by an eighth and cut a window of the input size at random."""
    erase: Fraction = 0.5
    """Probability to overwrite a rectangle (Zhong et al., Random Erasing, AAAI 2020)."""
    erase_area: tuple[PositiveFloat, PositiveFloat] = (0.02, 0.4)
    erase_aspect: tuple[PositiveFloat, PositiveFloat] = (0.3, 3.33)
    erase_fill: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    """Value of the rectangle, written after normalisation as the authors' code does."""

    @model_validator(mode="after")
    def _check(self) -> "AugmentationSettings":
        for key, (low, high) in (
            ("erase_area", self.erase_area),
            ("erase_aspect", self.erase_aspect),
        ):
            if low > high:
                raise ValueError(f"{key} is [{low:g}, {high:g}]: give the smaller bound first")
        if self.erase_area[1] > 1.0:
            raise ValueError("erase_area is a share of the image: give at most 1")
        return self


class TrainingSettings(Settings):
    """The training loop's parameters."""

    WITHOUT_EFFECT: ClassVar[set[str]] = {"workers", "log_every", "checkpoint_seconds"}
    """Those that change no result: another value is no reason to train again."""

    epochs: PositiveInt
    people_per_batch: Annotated[int, Field(ge=2)]
    """P of the P x K batch."""
    images_per_person: Annotated[int, Field(ge=2)]
    """K of the P x K batch."""
    schedule: Schedule
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0.0)] = 5e-4
    """L2 penalty added to the gradient of every parameter (coupled, as in Adam)."""
    margin: PositiveFloat = 0.3
    """Margin of the batch-hard triplet loss."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    augmentation: AugmentationSettings = AugmentationSettings()
    device: Literal["cpu", "cuda"] = "cpu"
    threads: PositiveInt = 1
    """Threads of one training process; another count gives other bits."""
    channels_last: bool = True
    """Memory layout of images and weights; another one gives other bits."""
    autocast: Autocast = "off"
    """`bf16` computes convolutions and matrix products of the training in bfloat16: faster, and
    not what the paper did."""
    fused: bool = True
    """Whether Adam moves all weights in one kernel, or one after the other; rounds otherwise."""
    tf32: bool = False
    """Whether a GPU may round what it multiplies to ten bits (TF32): faster, and other bits."""
    compile: bool = False
    """Whether torch compiles the training pass, which takes minutes once."""
    workers: NonNegativeInt = 0
    """Threads that gather and resize images ahead of their use; results do not depend on it."""
    log_every: PositiveInt = 20
    """Steps between looks at the losses, each of which waits for the GPU."""
    checkpoint_seconds: Annotated[float, Field(ge=0.0)] = 300.0
    """Time between two checkpoints; a shorter training writes none and starts anew after a kill."""
    extraction_batch: PositiveInt = 256
    """Images in a batch of feature extraction; results do not depend on it beyond rounding."""

    @model_validator(mode="after")
    def _check(self) -> "TrainingSettings":
        schedule = self.schedule
        if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs is {schedule.warmup_epochs:g}, which leaves nothing of "
                f"{self.epochs} epochs"
            )
        if isinstance(schedule, StepSchedule):
            moments = [schedule.warmup_epochs, *schedule.milestones]
            if moments != sorted(set(moments)):
                raise ValueError("schedule.milestones have to rise, and to come after the warm-up")
        return self
