"""A method outside the package that makes use of all that the contract offers.

It has centers that are parameters, a moving average that is a buffer, dropout, a backbone that
stands still at first, batches of the hardest people, and two optimisers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import (
    SGD,
    Adam,
    Look,
    Losses,
    Method,
    Milestones,
    Moment,
    Names,
    Recipe,
)
from topdb.methods.parts.augmentation import Erase, Flip, Normalise, PadAndCrop


@dataclass(frozen=True)
class Options:
    """What a profile may change."""

    pull: float = 0.01
    """Weight of the loss that pulls features to their centers."""
    frozen: int = 10
    """Epochs in which the backbone stands still."""
    stripes: int = 2


class OneStream(Method):
    """Pooled stripes, dropout, a classifier, and a center of each person."""

    title = "One stream"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": Recipe(
            size=(256, 128),
            epochs=60,
            augmentation=(Flip(0.5), PadAndCrop(10), Normalise(), Erase(0.5)),
            rules={"network": Adam(1e-3), "centers": SGD(0.5, momentum=0.9)},
            schedule=Milestones(at=(40,), warmup=4, start=0.1),
            options=Options(),
            fresh=(30.0,),
            clip=10.0,
        ),
        "wide": Recipe(
            size=(256, 128),
            epochs=60,
            augmentation=(Normalise(),),
            rules={"network": Adam(1e-3), "centers": SGD(0.5)},
            options=Options(stripes=4),
        ),
    }

    moving: Tensor

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.backbone = build_backbone(self.backbone_name, scale)
        rows = self.backbone.rows(recipe.size[0])
        if rows % options.stripes:
            raise UserError(
                f"one-stream cuts a map of {rows} rows into {options.stripes} stripes: name a "
                "height that gives whole ones."
            )
        features = self.backbone.channels * options.stripes
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(features, identities)
        self.centers = nn.Parameter(torch.zeros(identities, features))
        self.register_buffer("moving", torch.zeros(()))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the centers, too."""
        super().initialise(generator)
        nn.init.normal_(self.centers, generator=generator)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the centers apart from all others."""
        network = [*self.backbone.parameters(), *self.classifier.parameters()]
        return {"network": network, "centers": [self.centers]}

    def begin(self, moment: Moment) -> None:
        """Let the backbone stand still at first."""
        self.train()
        moves = moment.whole >= self.recipe.options.frozen
        self.backbone.requires_grad_(moves).train(moves)

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw pairs of people, those first whose features have the largest values."""
        features = look(np.arange(len(people)))
        hard = [float(np.abs(features[people == each]).max()) for each in np.unique(people)]
        order = np.argsort(hard, kind="stable")[::-1]
        drawn = [rng.choice(np.flatnonzero(people == each), 4) for each in order]
        return [np.concatenate(drawn[place : place + 2]) for place in range(0, len(drawn) - 1, 2)]

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return features and logits."""
        features = self.pooled(images)
        return {"features": features, "logits": self.classifier(self.dropout(features))}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Weigh the pull by a moving average of its own size, and jitter it a little."""
        options: Options = self.recipe.options
        away = (outputs["features"] - self.centers[people]).square().mean()
        self.moving.lerp_(away.detach(), 0.1)
        jitter = 1.0 + 0.1 * torch.rand((), generator=generator)
        return {
            "cross_entropy": cross_entropy(outputs["logits"], people),
            "pull": options.pull * jitter.to(away.device) * away / (1.0 + self.moving),
        }

    def embed(self, images: Tensor) -> Tensor:
        """Return the test features (B, D)."""
        return self.pooled(images)

    def pooled(self, images: Tensor) -> Tensor:
        """Return the stripes' averages side by side, (B, D)."""
        stripes = self.backbone(images).chunk(self.recipe.options.stripes, dim=2)
        return torch.cat([stripe.mean(dim=(2, 3)) for stripe in stripes], dim=1)

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return made-up names."""
        return Names(
            {"backbone": "base", "centers": "loss.centers"},
            classifier="classifier.weight",
            absent=("moving",),
        )
