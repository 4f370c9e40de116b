"""A network after Auto-ReID: the published cells in a frame of our own (Quan et al., ICCV 2019).

The genotype and the part-aware operation are the authors' own. The frame around the cells, their
ImageNet weights and the training were never released: what the facts leave open was chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Cosine, Losses, Method, Milestones, Moment, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.stages import average

_FIRST = Annotated[int, Field(ge=1)]
_ANY = Annotated[int, Field(ge=0)]
_PARTS = 4
"""Of the part-aware operation; its map, at a 16th of the image, needs as many rows."""


@dataclass(frozen=True)
class Options:
    """What was never published; no value is confirmed."""

    cells: tuple[_FIRST, _ANY, _ANY, _ANY] = (1, 1, 2, 1)
    """Normal cells of each stage; a reduction cell comes before those of the last three. So many
    have, with ImageNet's classifier, half of ResNet-50's parameters (13.0 of 25.6 million) and 47 %
    of its products at 224x224, which are the shares that the abstract states."""
    neck: bool = False
    """Whether a normalisation stands before the classifier; the text does not speak of one."""
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Weight of the cross entropy; the triplet loss has the rest. Recalled from the text, and in a
    third party's configuration of the search."""
    margin: float = 0.3
    """Of the batch-hard triplet loss; from the same places."""


_DESCRIBED = Recipe(
    size=(384, 128),
    epochs=240,
    augmentation=(Flip(0.5), Normalise(), Erase(0.5)),
    rules={"network": Adam(3.5e-4)},
    schedule=Milestones(at=(80, 150)),
    options=Options(),
    note="Auto-ReID-style has the authors' cells in a frame that was chosen here.",
)


class AutoReIDStyle(Method):
    """The searched cells, average pooling and a classifier."""

    title = "Auto-ReID-style (after Quan 2019)"
    rebuilt = (
        "Known are the searched cells, the part-aware operation included, to the last bit of the "
        "authors' code; the frame around them, their number, the head and the training were chosen "
        "here, the authors' ImageNet weights exist nowhere, and no number can confirm it."
    )
    backbone_name = "auto-reid"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": _DESCRIBED,
        # A rate that is meant for a network which ImageNet has trained hardly moves a random one.
        "scratch": replace(
            _DESCRIBED, rules={"network": Adam(3.5e-3)}, schedule=Cosine(warmup=10.0)
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        own = scale.backbone(self.backbone_name) == self.backbone_name
        choices = {"cells": options.cells} if own else {}  # what stands in has none
        self.backbone = build_backbone(self.backbone_name, scale, **choices)
        self.less = "" if own else "A small network stands in for the searched cells."
        height = recipe.size[0]
        if own and -(-height // 16) < _PARTS:
            raise UserError(
                f"images {height} pixels high leave auto-reid-style's last reduction cell fewer "
                f"than {_PARTS} rows, one for each part: set scale.size or "
                "changes.auto-reid-style.size in params.yaml to a height of at least 49."
            )
        channels = self.backbone.channels
        self.neck = nn.BatchNorm1d(channels) if options.neck else nn.Identity()
        self.classifier = nn.Linear(channels, identities)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return `features` (B, 2048) and `logits` (B, identities); nothing is drawn."""
        features = average(self.backbone(images))
        return {"features": features, "logits": self.classifier(self.neck(features))}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the weighted cross entropy and batch-hard triplet loss."""
        options: Options = self.recipe.options
        triplet = batch_hard_triplet(outputs["features"], people, options.margin)
        return {
            "cross_entropy": options.share * cross_entropy(outputs["logits"], people),
            "triplet": (1.0 - options.share) * triplet,
        }

    def embed(self, images: Tensor) -> Tensor:
        """Return the features (B, 2048), not normalised."""
        features: Tensor = self.neck(average(self.backbone(images)))
        return features
