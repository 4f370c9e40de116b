"""Pyramid: Pyramidal Person Re-Identification via Multi-Loss Dynamic Training (Zheng et al., 2019).

ResNet-101 whose map is cut into six stripes. Each run of neighbouring stripes is a branch: six
of one stripe, five of two, and so on up to the whole person, 21 in all.

Source: TencentYoutuResearch/PersonReID-Pyramid at d793aa1, and at 63ffd64 for the dynamic loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout

from topdb.config.scale import ScaleSettings
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import SGD, Look, Losses, Method, Milestones, Moment, Names, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.batches import everybody_once, shuffled
from topdb.methods.parts.branches import Classifiers, Reductions
from topdb.methods.parts.losses import branch_cross_entropies, branch_triplets
from topdb.methods.parts.schedules import DynamicTraining
from topdb.methods.parts.starts import default_start
from topdb.methods.parts.stripes import require_stripes, stripe_averages, stripe_maxima

_SHUFFLED_EPOCHS = 11
"""So many epochs of shuffled batches come before the alternation."""


@dataclass(frozen=True)
class Options:
    """The choices of network and losses."""

    training: Literal["alternate", "dynamic"] = "alternate"
    """`alternate`: after the first 11 epochs every second pass draws people and has the triplet
    loss. `dynamic`: every pass draws people, and the triplet loss comes and goes by how fast both
    losses fall."""
    triplet: float = 0.0
    """Weight of the sum of the triplet losses, which the released code calls para_balance."""
    margin: float = 1.4
    """Of the triplet losses."""
    stripes: int = 6
    dropout: float = 0.2
    """Before the classifiers."""


_RELEASED = Recipe(
    size=(384, 128),
    epochs=120,
    augmentation=(Flip(), Normalise(), Erase(p=0.2, aspect=(0.3, 1 / 0.3))),
    rules={
        "backbone": SGD(0.01, momentum=0.9, weight_decay=5e-4),
        "new": SGD(0.1, momentum=0.9, weight_decay=5e-4),
    },
    schedule=Milestones(at=(60, 70, 80, 90, 100), factor=0.5),
    people=8,
    images=8,
    options=Options(),
    interpolation="bicubic",
    note="The released code gives the triplet loss a weight of 0, so it trains by cross entropy "
    "alone, and keeps the epoch with the best test mAP; here the last epoch is kept.",
)
_DYNAMIC = Options(training="dynamic", triplet=1.0)


class Pyramid(Method):
    """Every run of neighbouring stripes has a feature and a classifier of its own."""

    title = "Pyramid (Zheng 2019)"
    backbone_name = "resnet101"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "released": _RELEASED,
        "described": replace(
            _RELEASED,
            options=_DYNAMIC,
            note="The dynamic loss is that of the authors' commit 63ffd64. The paper also draws "
            "batches and weighs losses by it, in a way that no code of theirs shows and that is "
            "not followed here; the backbone and the rest of the recipe are the released code's.",
        ),
        "triplet": replace(
            _RELEASED,
            options=Options(triplet=1.0),
            note="As released, but with the triplet loss at a weight of 1.",
        ),
        "dynamic": replace(
            _RELEASED,
            options=_DYNAMIC,
            note="The dynamic loss of the released code's commit 63ffd64, later taken back.",
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.options = options
        self.backbone = build_backbone(self.backbone_name, scale, last_stride=1)
        require_stripes(self.backbone, recipe.size[0], (options.stripes,), "pyramid")
        branches, reduced = options.stripes * (options.stripes + 1) // 2, scale.channels(128)
        self.reductions = Reductions(branches, self.backbone.channels, reduced, bias=True)
        self.classifiers = Classifiers(branches, reduced, identities)
        self.dynamic = DynamicTraining() if options.training == "dynamic" else None

    def initialise(self, generator: torch.Generator) -> None:
        """Start the reductions as torch does by default, and the classifiers near 0."""
        super().initialise(generator)
        default_start(self.reductions, generator)
        for classifier in self.classifiers.layers():
            nn.init.normal_(classifier.weight, std=0.001, generator=generator)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the backbone and, at ten times its rate, what is new."""
        new = [*self.reductions.parameters(), *self.classifiers.parameters()]
        return {"backbone": list(self.backbone.parameters()), "new": new}

    def vectors(self, features: Tensor) -> Tensor:
        """Return mean + maximum of every run of stripes, (branches, B, C), of maps (B, C, H, W).

        From fine to coarse, and from the top down. A run of n stripes is the run of n - 1 before
        it and one stripe more.
        """
        count = self.options.stripes
        means = total = stripe_averages(features, count)
        maxima = largest = stripe_maxima(features, count)
        runs = [total + largest]
        for length in range(2, count + 1):
            total = total[:-1] + means[length - 1 :]
            largest = torch.maximum(largest[:-1], maxima[length - 1 :])
            runs.append(total / length + largest)
        return torch.cat(runs)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the branches' features (branches, B, R) and logits (branches, B, identities)."""
        features = self.reductions(self.vectors(self.backbone(images)))
        dropped = dropout(features, self.options.dropout, self.training)
        return {"features": features, "logits": self.classifiers(dropped)}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the sums over branches of cross entropies and of weighted triplet losses."""
        identity = branch_cross_entropies(outputs["logits"], people).sum()
        triplet = torch.zeros_like(identity)
        if self.options.triplet and self.draws_people(moment):
            triplet = branch_triplets(outputs["features"], people, self.options.margin).sum()
            if self.dynamic is not None:
                triplet = torch.where(self.dynamic(identity, triplet), 0.0, triplet)
        return {"cross_entropy": identity, "triplet": self.options.triplet * triplet}

    def draws_people(self, moment: Moment) -> bool:
        """Whether the moment's pass draws people, so that there are triplets."""
        if self.dynamic is not None:
            return True
        began = moment.number * self.recipe.epochs / self.recipe.whole_passes
        return began >= _SHUFFLED_EPOCHS and moment.number % 2 == 1

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw every person once, or all images once, by the pass."""
        if self.draws_people(moment):
            return everybody_once(people, self.recipe.people, self.recipe.images, rng)
        return shuffled(len(people), self.recipe.people * self.recipe.images, rng)

    def embed(self, images: Tensor) -> Tensor:
        """Return the features of all branches side by side, (B, branches x R), as they are."""
        features: Tensor = self.reductions(self.vectors(self.backbone(images)))
        return features.transpose(0, 1).flatten(1)

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the names of the released code, whose second set of heads nothing runs."""
        return Names(
            {
                "backbone": "base",
                "reductions": "pyramid_conv_list0",
                "classifiers": "pyramid_fc_list0",
            },
            classifier="pyramid_fc_list0.0.weight",
            absent=("dynamic",),
            unused=("pyramid_conv_list1", "pyramid_fc_list1"),
        )
