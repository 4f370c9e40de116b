"""What backbones start from."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator

from topdb.errors import UserError
from topdb.params.base import Settings
from topdb.params.data import DatasetSettings
from topdb.params.names import BackboneName


class PretrainingSettings(Settings):
    """Each backbone is trained once on people that no data set of the profile shows."""

    kind: Literal["pretraining"]
    dataset: DatasetSettings
    epochs: Annotated[int, Field(ge=2)]
    """The learning rate rises in the first and falls along a cosine in the others."""
    seed: int
    rate: PositiveFloat = 8e-3
    people: Annotated[int, Field(ge=2)] = 8
    images: Annotated[int, Field(ge=2)] = 4
    """P and K of the batches."""


IMAGENET_FILES = {
    "resnet50": ("resnet50-19c8e357.pth", "resnet50-0676ba61.pth"),
    "resnet101": ("resnet101-5d3b4d8f.pth", "resnet101-63fe2227.pth"),
    "densenet201": ("densenet201-c1103571.pth",),
    "osnet": ("osnet_x1_0_imagenet.pth",),
}
"""What their publishers call the ImageNet weights of each backbone: torchvision's IMAGENET1K_V1,
first as they were and then as they were saved anew, and torchreid's OSNet."""


class ImagenetSettings(Settings):
    """Backbones start from published ImageNet weights."""

    kind: Literal["imagenet"]
    weights: dict[BackboneName, Path] = Field(default_factory=dict)
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

    def found(self, backbone: str) -> Path:
        """Return the first place where there is a file; nothing is ever downloaded.

        Raises
        ------
        UserError
            There is none; the message names the places.
        """
        places = self.places(backbone)
        for place in places:
            if place.is_file():
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
