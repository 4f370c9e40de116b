"""Data sets, and what trainings start from."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from topdb.config.base import BackboneName, Fraction, LayoutName, PlainPath, Settings
from topdb.errors import UserError
from topdb.kinds import CHECKPOINTS, refuse_other


class RenderSettings(Settings):
    """How a data set of drawn pedestrians is rendered (mini profile only).

    The data set's layout decides the rest: file names, and whether boxes are drawn by hand
    (dukemtmc-reid, cuhk03-labeled) or placed badly as a detector does (market1501,
    cuhk03-detected).
    """

    seed: Annotated[int, Field(ge=0)]
    """Seed of people, cameras and scenes; two sets with one seed show the same scenes."""
    train_people: PositiveInt
    test_people: PositiveInt
    cameras: Annotated[int, Field(ge=2)]
    train_images: PositiveInt
    """Training images in all, spread over people and cameras."""
    query_images: PositiveInt
    """At most one a person and camera, and at least one a person."""
    gallery_images: PositiveInt
    """Gallery images of the test people, without distractors and junk."""
    distractors: Annotated[int, Field(ge=0)] = 0
    """Gallery images of nobody (person id 0)."""
    junk: Annotated[int, Field(ge=0)] = 0
    """Badly cut gallery images (person id -1), which no index counts."""
    near_duplicates: Fraction = 0.5
    """Share of people who differ from somebody else in one small detail only."""
    height: Annotated[int, Field(ge=16)] = 128
    width: Annotated[int, Field(ge=8)] = 64

    @model_validator(mode="after")
    def _check(self) -> "RenderSettings":
        if self.train_images < 2 * self.train_people:
            raise ValueError(
                f"train_images is {self.train_images}, and {self.train_people} people under two "
                f"cameras each need {2 * self.train_people} or more"
            )
        if not self.test_people <= self.query_images <= self.test_people * self.cameras:
            raise ValueError(
                f"query_images is {self.query_images}; name {self.test_people} (one a person) to "
                f"{self.test_people * self.cameras} (one a person and camera)"
            )
        if self.gallery_images < 2 * self.test_people:
            raise ValueError(
                f"gallery_images is {self.gallery_images}, and {self.test_people} people under "
                f"two cameras each need {2 * self.test_people} or more"
            )
        return self


OnLeak = Literal["error", "warning"]


class LeakSettings(Settings):
    """What `topdb index` makes of an image that is there twice. No number depends on it."""

    train_test: OnLeak = "error"
    """In train, and in query or gallery: what is scored there is memory."""
    within_train: OnLeak = "warning"
    """Of two people in train: one of them is wrong, and nobody knows which."""
    within_test: OnLeak = "warning"
    """Of two people, or a query that is in the gallery under another camera, where everybody finds
    it. Published numbers of such a data set hold it, too."""


class DatasetSettings(Settings):
    """One data set: where its images lie and which published layout they follow."""

    WITHOUT_EFFECT: ClassVar[set[str]] = {"title", "leaks", "release", "content"}
    """Those that draw no other images."""

    layout: LayoutName
    title: str | None = None
    """How tables call it; default: its name."""
    root: PlainPath
    """Folder of the images, relative to the project or absolute."""
    render: RenderSettings | None = None
    """How to draw it; absent for a real data set."""
    distractors: PlainPath | None = None
    """Folder of further gallery images of nobody (Market-1501's 500k), like `root`."""
    parts: PlainPath | None = None
    """Folder of the training images' part maps, DensePose's IUV as PNG, one an image under its
    name; of a drawn data set a folder in `root`, where they are drawn too."""
    split: Annotated[int, Field(ge=1)] | None = None
    """Which split of a layout that has several (cuhk03-classic-*: 1 to 20); default: the first."""
    release: str | None = None
    """Which release of the data set it is, of a layout that has several with equal counts (msmt17:
    V1, V2); default: as the folder's own names tell, and an error where they do not."""
    content: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = None
    """First digits of the digest that its content must have, as `topdb index` prints it."""
    leaks: LeakSettings = LeakSettings()

    @model_validator(mode="after")
    def _check(self) -> "DatasetSettings":
        if self.render and (self.distractors or self.split):
            key = "distractors" if self.distractors else "split"
            raise ValueError(
                f"{key} belongs to real data sets, and this one is drawn (render); remove one"
            )
        if self.render and self.parts and self.root not in self.parts.parents:
            raise ValueError(
                f"parts is {self.parts}, and a drawn data set's maps lie below its root: name "
                f"{self.root / 'parts'}"
            )
        return self


class PretrainingSettings(Settings):
    """Each backbone is trained once on people that no data set of the profile shows."""

    WITHOUT_EFFECT: ClassVar[set[str]] = {"kept"}
    """Those that say where trained weights lie, not what they are."""

    kind: Literal["pretraining"]
    dataset: DatasetSettings
    epochs: Annotated[int, Field(ge=2)]
    """The learning rate rises in the first and falls along a cosine in the others."""
    seed: int
    rate: PositiveFloat = 8e-3
    people: Annotated[int, Field(ge=2)] = 8
    images: Annotated[int, Field(ge=2)] = 4
    """P and K of the batches."""
    kept: PlainPath | None = None
    """Folder of backbones that were trained once by these parameters, as ImageNet's were. One that
    is there is taken: each processor rounds otherwise, and runs that start elsewhere end
    elsewhere."""


IMAGENET_FILES = {
    "resnet50": ("resnet50-19c8e357.pth", "resnet50-0676ba61.pth"),
    "resnet101": ("resnet101-5d3b4d8f.pth", "resnet101-63fe2227.pth"),
    "densenet201": ("densenet201-c1103571.pth",),
    "osnet": ("osnet_x1_0_imagenet.pth",),
    "auto-reid": (),
}
"""What their publishers call the ImageNet weights of each backbone: torchvision's IMAGENET1K_V1,
first as they were and then as they were saved anew, and torchreid's OSNet. A backbone with none
was never published with weights, and starts at random where params.yaml names no file either."""


class ImagenetSettings(Settings):
    """Backbones start from published ImageNet weights."""

    kind: Literal["imagenet"]
    weights: dict[BackboneName, PlainPath] = Field(default_factory=dict)
    """The file of each backbone, of whatever name; one path alone is ResNet-50's. Where a file is
    not there, or none is named, torch's cache is looked into."""

    @field_validator("weights", mode="before")
    @classmethod
    def _one_path(cls, value: object) -> object:
        return {"resnet50": value} if isinstance(value, str | Path) else value

    def places(self, backbone: str) -> list[Path]:
        """Return where a backbone's weights may lie, in the order in which they are looked for.

        torch's own rule places the cache: `$TORCH_HOME`, or `torch` below `$XDG_CACHE_HOME` or
        `~/.cache`; in it `hub/checkpoints`.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        home = Path(os.environ.get("TORCH_HOME", cache)).expanduser()
        names = IMAGENET_FILES.get(backbone, ())
        cached = [home / "hub/checkpoints" / name for name in names]
        named = self.weights.get(backbone)
        return [named, *cached] if named else cached

    def found(self, backbone: str) -> Path | None:
        """Return the first place where there is a file; nothing is ever downloaded.

        None stands for a random start: nobody published weights, and none are named.

        Raises
        ------
        UserError
            There is none, and the message names the places; or it is something else.
        """
        places = self.places(backbone)
        if not places and backbone in IMAGENET_FILES:
            return None
        for place in places:
            if place.is_file():
                refuse_other(place, f"the ImageNet weights of {backbone}", *CHECKPOINTS)
                return place
        tracked = [place for place in places if place.with_name(place.name + ".dvc").is_file()]
        names = IMAGENET_FILES.get(backbone)
        publisher = "torchreid's" if backbone == "osnet" else "torchvision's"
        if tracked:
            remedy = f"run `dvc pull {tracked[0]}`"
        elif names:
            remedy = (
                f"put {publisher} file {names[-1]} in one of these places, or name it as "
                f"start.weights.{backbone} in params.yaml"
            )
        else:
            remedy = f"name a file as start.weights.{backbone} in params.yaml"
        raise UserError(
            f"the ImageNet weights of {backbone} are not here, and nothing is downloaded: looked "
            f"for {', '.join(map(str, places)) or 'none'}; {remedy}."
        )


Start = Annotated[PretrainingSettings | ImagenetSettings, Field(discriminator="kind")]
