"""BoT: Bag of Tricks (Luo et al., CVPRW 2019), after reid-strong-baseline @3da7e6f."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from topdb.config.scale import ScaleSettings
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import SGD, Adam, Losses, Method, Milestones, Moment, Names, Recipe
from topdb.methods.parts.augmentation import IMAGENET_MEAN, Erase, Flip, Normalise, PadAndCrop
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.stages import average

_CENTER = 5e-4
"""Weight of the center loss; the centers' own learning rate undoes it."""
_MARGIN = 0.3
_SMOOTHING = 0.1
"""Share of a label that is spread over all people."""


@dataclass(frozen=True)
class Options:
    """What recipes differ in."""

    stem_relu: bool = False
    """Whether the backbone's stem has its ReLU; the authors' code lacks it by a slip."""
    center_loss: Literal["mean", "half_sum"] = "mean"
    """The batch's mean of the squared distances to the centers, or half of their sum."""


_RELEASED = Recipe(
    size=(256, 128),
    epochs=120,
    augmentation=(Flip(0.5), PadAndCrop(10), Normalise(), Erase(0.5, fill=IMAGENET_MEAN)),
    rules={"network": Adam(3.5e-4), "centers": SGD(0.5 / _CENTER)},
    schedule=Milestones(at=(40, 70), warmup=10, start=0.01),
    steady=("centers",),  # the authors' scheduler holds the network's optimiser alone
    options=Options(),
    note="BoT's backbone has no ReLU in its stem, as in the authors' code.",
)


class BoT(Method):
    """ResNet-50 with last stride 1, average pooling, BN neck and classifier."""

    title = "BoT (Luo 2019)"
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "released": _RELEASED,
        "described": replace(
            _RELEASED,
            # Half the sum pulls a center by as many images as there are of its person. At the
            # rate of the mean it would jump to and fro between two places. The text does not say
            # how centers move: as in the code, by a 64th of the way for each image of a batch.
            rules={"network": Adam(3.5e-4), "centers": SGD(1 / 64 / _CENTER)},
            # Equation 1 with 3.5e-4 for its 3.5e-5, which its author calls a mistake: a tenth of
            # the base in the first epoch, all of it in the tenth.
            schedule=Milestones(at=(40, 70), warmup=9, start=0.1),
            options=Options(stem_relu=True, center_loss="half_sum"),
            note="BoT's center loss is half the sum over a batch, as in its paper.",
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        self.backbone = build_backbone(
            self.backbone_name, scale, stem_relu=recipe.options.stem_relu
        )
        channels = self.backbone.channels
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, identities, bias=False)
        self.centers = nn.Parameter(torch.zeros(identities, channels))

    def initialise(self, generator: torch.Generator) -> None:
        """Give every layer its starting weights; centers are normal with deviation 1."""
        super().initialise(generator)
        nn.init.normal_(self.classifier.weight, std=0.001, generator=generator)
        nn.init.normal_(self.centers, generator=generator)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the network's parameters, and the centers."""
        network = [
            each
            for name, each in self.named_parameters()
            if each.requires_grad and name != "centers"
        ]
        return {"network": network, "centers": [self.centers]}

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return `features` (B, channels) before the neck, and `logits` (B, identities)."""
        features = average(self.backbone(images))
        return {"features": features, "logits": self.classifier(self.neck(features))}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropy with smoothed labels, batch-hard triplet and center loss."""
        features, logits = outputs["features"], outputs["logits"]
        squares = (features - self.centers[people]).square().sum(dim=1)
        halved = self.recipe.options.center_loss == "half_sum"
        return {
            "cross_entropy": cross_entropy(logits, people, label_smoothing=_SMOOTHING),
            "triplet": batch_hard_triplet(features, people, _MARGIN),
            "center": _CENTER * (0.5 * squares.sum() if halved else squares.mean()),
        }

    def embed(self, images: Tensor) -> Tensor:
        """Return the neck's output (B, channels), of length 1."""
        return normalize(self.neck(average(self.backbone(images))))

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return reid-strong-baseline's names; its checkpoints have no centers."""
        return Names(
            prefixes={"backbone": "base", "neck": "bottleneck"},
            classifier="classifier.weight",
            absent=("centers",),
        )
