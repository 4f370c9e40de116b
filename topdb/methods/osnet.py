"""OSNet x1.0: omni-scale features (Zhou et al., ICCV 2019), after deep-person-reid @f8cd150."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Look, Losses, Method, Milestones, Moment, Names, Recipe
from topdb.methods.parts.augmentation import IMAGENET_MEAN, Erase, Flip, Normalise
from topdb.methods.parts.batches import shuffled
from topdb.methods.parts.schedules import CosineByEpoch
from topdb.methods.parts.stages import average

_FEATURES = 512
_SMOOTHING = 0.1
"""Share of a label that is spread over all people."""


@dataclass(frozen=True)
class Options:
    """What an ablation may change."""

    frozen: int = 10
    """Epochs in which the classifier trains alone."""


_RELEASED = Recipe(
    size=(256, 128),
    epochs=150,
    augmentation=(Flip(0.5), Normalise()),
    rules={"network": Adam(1.5e-3, amsgrad=True)},
    schedule=Milestones(at=(60, 120)),
    options=Options(),
    note="OSNet is trained without random erasing, as in the authors' configuration; the numbers "
    "that their model zoo gives for it lie below those of their paper.",
)


class OSNet(Method):
    """OSNet's backbone, average pooling, a layer of 512 features, and a classifier."""

    title = "OSNet (Zhou 2019)"
    backbone_name = "osnet"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "released": _RELEASED,
        "described": replace(
            _RELEASED,
            augmentation=(Flip(0.5), Normalise(), Erase(0.5, fill=IMAGENET_MEAN)),
            note="OSNet is trained with random erasing, as in its paper.",
        ),
        "cosine": replace(
            _RELEASED,
            epochs=250,
            schedule=CosineByEpoch(),
            note="OSNet is trained for 250 epochs along half a cosine, without random erasing: the "
            "authors' other configuration.",
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        self.backbone = build_backbone(self.backbone_name, scale)
        smallest = self.backbone.stage_strides[self.backbone.stages[-1]]
        if min(recipe.size) < smallest:
            height, width = recipe.size
            raise UserError(
                f"images of {height}x{width} leave OSNet no map: make both sides of the input "
                f"size at least {smallest} in params.yaml."
            )
        features = scale.channels(_FEATURES)
        self.fc = nn.Sequential(
            nn.Linear(self.backbone.channels, features), nn.BatchNorm1d(features), nn.ReLU()
        )
        self.classifier = nn.Linear(features, identities)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters, those that stand still at first included."""
        return {"network": list(self.parameters())}

    def begin(self, moment: Moment) -> None:
        """Let the classifier train alone at first; the rest is then as in testing."""
        self.train()
        moves = moment.epoch >= self.recipe.options.frozen
        for part in (self.backbone, self.fc):
            part.requires_grad_(moves).train(moves)

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw all images once in random order: no triplets are needed."""
        return shuffled(len(people), self.recipe.people * self.recipe.images, rng)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return `features` (B, 512) and `logits` (B, identities); nothing is drawn."""
        features = self.embed(images)
        return {"features": features, "logits": self.classifier(features)}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the cross entropy with smoothed labels."""
        logits = outputs["logits"]
        return {"cross_entropy": cross_entropy(logits, people, label_smoothing=_SMOOTHING)}

    def embed(self, images: Tensor) -> Tensor:
        """Return the features (B, 512) after their ReLU, not normalised."""
        features: Tensor = self.fc(average(self.backbone(images)))
        return features

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the backbone's weights, and those of `fc` where they are among them.

        The authors' ImageNet weights have them; our own pretraining has not. A classifier is left
        out, as is the `module.` before the names of a network that was trained on several GPUs.
        """
        named = {name.removeprefix("module."): value for name, value in weights.items()}
        last = {name: value for name, value in named.items() if name.startswith("fc.")}
        apart = ("fc.", "classifier.")
        self.backbone.load_state_dict(
            {name: value for name, value in named.items() if not name.startswith(apart)}
        )
        if last:
            self.fc.load_state_dict({name.removeprefix("fc."): last[name] for name in last})

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return deep-person-reid's names: ours without `backbone`."""
        layers = [f"conv{number}" for number in range(1, 6)]
        return Names(
            prefixes={f"backbone.{layer}": layer for layer in layers},
            classifier="classifier.weight",
        )
