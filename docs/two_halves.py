"""Two halves: the upper and the lower half of the body, each with a classifier of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Losses, Method, Milestones, Moment, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise, PadAndCrop
from topdb.methods.parts.losses import batch_hard_triplet


@dataclass(frozen=True)
class Options:
    """What a profile may change."""

    margin: float = 0.3
    triplet: float = 1.0
    """Weight of the triplet loss."""


class TwoHalves(Method):
    """A backbone whose map is cut once, across."""

    title = "Two halves"
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": Recipe(
            size=(256, 128),
            epochs=60,
            augmentation=(Flip(0.5), PadAndCrop(10), Normalise(), Erase(0.5)),
            rules={"backbone": Adam(3.5e-4), "new": Adam(3.5e-3)},
            schedule=Milestones(at=(30, 50), warmup=5, start=0.1),
            options=Options(),
        )
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        self.backbone = build_backbone(self.backbone_name, scale)
        if self.backbone.rows(recipe.size[0]) % 2:
            raise UserError("two-halves needs a map with an even number of rows: change the size.")
        channels = self.backbone.channels
        self.reduction = nn.Linear(channels, scale.channels(512))
        self.classifiers = nn.ModuleList(
            nn.Linear(scale.channels(512), identities) for _ in range(2)
        )

    def halves(self, images: Tensor) -> Tensor:
        """Return the features (B, 2, D) of the upper and the lower half."""
        upper, lower = self.backbone(images).chunk(2, dim=2)
        pooled = torch.stack([upper.amax(dim=(2, 3)), lower.amax(dim=(2, 3))], dim=1)
        reduced: Tensor = self.reduction(pooled)
        return reduced

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of each of the recipe's rules."""
        backbone = list(self.backbone.parameters())
        new = [*self.reduction.parameters(), *self.classifiers.parameters()]
        return {"backbone": backbone, "new": new}

    def begin(self, moment: Moment) -> None:
        """The backbone stands still for the first five epochs."""
        self.train()
        self.backbone.requires_grad_(moment.epoch >= 5)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return what the losses need: features (B, 2 D) and logits (B, 2, people)."""
        features = self.halves(images)
        logits = [head(features[:, half]) for half, head in enumerate(self.classifiers)]
        return {"features": features.flatten(1), "logits": torch.stack(logits, dim=1)}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the weighted losses by name; their sum is lowered."""
        options: Options = self.recipe.options
        triplet = batch_hard_triplet(outputs["features"], people, options.margin)
        return {
            "cross_entropy": cross_entropy(
                outputs["logits"].flatten(0, 1), people.repeat_interleave(2)
            ),
            "triplet": options.triplet * triplet,
        }

    def embed(self, images: Tensor) -> Tensor:
        """Return both halves of image and mirror image, (B, D)."""
        return (self.halves(images) + self.halves(images.flip(3))).flatten(1)
