"""What the authors' released checkpoints call the entries of a stream network's state dict.

The names are those of the repository that the paper's abstract gives (`models/bdnet.py` there).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Losses, Method, Moment, Names, Recipe, Stairs
from topdb.methods.parts.augmentation import EnlargeAndCrop, Erase, Flip, Normalise
from topdb.methods.parts.branches import Bottleneck
from topdb.methods.parts.drop import RowScore, dropped_rows, random_drop_mask, top_drop_mask
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.stages import average

_HEADS = {
    "global_reduction": "reduction_global",
    "global_head.neck": "bottleneck_global",
    "global_head.classifier": "classifier_global",
    "drop_reduction": "reduction_db",
    "drop_head.neck": "bottleneck_db",
    "drop_head.classifier": "classifier_db",
}
_WITH_DROP = {
    "bottlenecks": "batch_drop.drop_batch_bottleneck",
    "regularization_head.neck": "bottleneck_drop_bottleneck_features",
    "regularization_head.classifier": "classifier_drop_bottleneck",
}
_WITHOUT_DROP = {
    "bottlenecks": "reduction_regularization",
    "regularization_head.neck": "bottleneck_regularization",
    "regularization_head.classifier": "classifier_regularization",
}


def released_names(backbone: nn.Module, drop: bool, bottlenecks: int, idle_neck: bool) -> Names:
    """Return the released name of each entry of a stream network with that backbone.

    Parameters
    ----------
    backbone : whose layers are numbered
    drop : whether there is a drop stream
    bottlenecks : how many
    idle_neck : whether the released network has a neck for a regularization stream that it lacks,
        which is never run
    """
    layers = [name for name, _ in backbone.named_children()]
    prefixes = {f"backbone.{name}": f"base.{place}" for place, name in enumerate(layers)}
    prefixes |= _HEADS | (_WITH_DROP if drop else _WITHOUT_DROP)
    if bottlenecks == 1:  # the released network does not number a single one
        prefixes["bottlenecks.0"] = prefixes["bottlenecks"]
    unused = (_WITH_DROP["regularization_head.neck"],) if idle_neck else ()
    return Names(prefixes, classifier="classifier_global.weight", unused=unused)


@dataclass(frozen=True)
class Streams:
    """Which streams a method has.

    Raises
    ------
    ValueError
        Neither a drop nor a regularization stream beside the global one.
    """

    drop: Literal["top", "random"] | None
    """Rows that the drop stream loses: the most activated, a random block; None: no such stream."""
    regularization: bool
    """Whether the undropped bottleneck output is trained too."""
    bottlenecks: int = 2
    neck: bool = True
    """Whether a batch normalisation stands between each feature and its classifier (BN neck)."""
    neck_shift: bool = True
    """Whether the neck's shift is trained, or stays zero as Luo et al. (CVPRW 2019) have it."""
    row_score: RowScore = "normalised-max"
    drop_ratio: float = 0.33
    """Share of the map's rows that are dropped, rounded to whole rows."""
    activation_power: float = 2.0
    """p of A = sum over channels of |F|^p, by which rows are scored."""
    margin: float = 0.3
    """Of the batch-hard triplet loss of each stream, on features before the neck."""
    label_smoothing: float = 0.1
    """Spread evenly over all people, the true one included (Szegedy et al., CVPR 2016)."""

    def __post_init__(self) -> None:
        if self.drop is None and not self.regularization:
            raise ValueError("streams need a drop or a regularization stream beside the global one")


class Head(nn.Module):
    """BN neck and classifier of one stream."""

    def __init__(self, features: int, identities: int, streams: Streams) -> None:
        super().__init__()
        self.neck = nn.BatchNorm1d(features) if streams.neck else nn.Identity()
        if isinstance(self.neck, nn.BatchNorm1d):
            self.neck.bias.requires_grad_(streams.neck_shift)
        self.classifier = nn.Linear(features, identities)

    def forward(self, features: Tensor) -> Tensor:
        """Classify features (B, D); the triplet loss sees them as they are, before the neck."""
        logits: Tensor = self.classifier(self.neck(features))
        return logits


def recipe(streams: Streams, note: str = "") -> Recipe:
    """Return how the paper trains each of its four methods.

    Source: the released code (its README's commands); the paper's text says the same.
    """
    return Recipe(
        size=(384, 128),
        epochs=400,
        augmentation=(
            Flip(0.5),
            EnlargeAndCrop(0.5),
            Normalise(),
            Erase(0.5, fill=(0.4914, 0.4822, 0.4465)),
        ),
        rules={"network": Adam(5e-4)},
        schedule=Stairs(warmup=45, stair=5, milestones=(200, 300)),
        options=streams,
        note=note,
    )


class StreamNetwork(Method):
    """ResNet-like backbone with global, drop and regularization streams."""

    title: ClassVar[str]

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        streams: Streams = recipe.options
        self.streams = streams
        self._top_mask = partial(
            top_drop_mask,
            ratio=streams.drop_ratio,
            power=streams.activation_power,
            score=streams.row_score,
        )
        self._random_mask = partial(random_drop_mask, ratio=streams.drop_ratio)
        self.backbone = build_backbone(self.backbone_name, scale)
        channels = self.backbone.channels
        global_features, drop_features = scale.channels(512), scale.channels(1024)
        self.global_reduction = nn.Sequential(
            nn.Conv2d(channels, global_features, 1),
            nn.BatchNorm2d(global_features),
            nn.ReLU(),
        )
        self.global_head = Head(global_features, identities, streams)
        self.bottlenecks = nn.Sequential(
            *(Bottleneck(channels, channels // 4) for _ in range(streams.bottlenecks))
        )
        if streams.drop:
            dropped_rows(self.backbone.rows(recipe.size[0]), streams.drop_ratio)
            self.drop_reduction = nn.Sequential(
                nn.Linear(channels, drop_features),
                nn.BatchNorm1d(drop_features),
                nn.ReLU(),
            )
            self.drop_head = Head(drop_features, identities, streams)
        if streams.regularization:
            self.regularization_head = Head(channels, identities, streams)

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the bottlenecks' output (B, C, H, W), from which rows are dropped."""
        refined: Tensor = self.bottlenecks(self.backbone(images))
        return refined

    def drop_mask(self, features: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return the mask of the most activated rows, or of a random block; None without either."""
        if self.streams.drop is None:
            return None
        if self.streams.drop == "top":
            return self._top_mask(features)
        return self._random_mask(features, generator=generator)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Run the training pass: the global, the drop and the regularization stream, in order.

        Of each stream `<name>_features` (B, D) and `<name>_logits` (B, identities).
        """
        shared = self.backbone(images)
        refined = self.bottlenecks(shared)
        features = {"global": self._global_features(shared)}
        heads = {"global": self.global_head}
        mask = self.drop_mask(refined, generator)
        if mask is not None:
            features["drop"] = self._drop_features(refined * mask)
            heads["drop"] = self.drop_head
        if self.streams.regularization:
            features["regularization"] = average(refined)
            heads["regularization"] = self.regularization_head
        outputs = {}
        for name, values in features.items():
            outputs[f"{name}_features"] = values
            outputs[f"{name}_logits"] = heads[name](values)
        return outputs

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return both losses of each stream, each with weight 1."""
        found = {}
        for name in ("global", "drop", "regularization"):
            if f"{name}_logits" in outputs:
                found[f"{name}_cross_entropy"] = cross_entropy(
                    outputs[f"{name}_logits"],
                    people,
                    label_smoothing=self.streams.label_smoothing,
                )
                found[f"{name}_triplet"] = batch_hard_triplet(
                    outputs[f"{name}_features"], people, self.streams.margin
                )
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Return the necks' outputs of the global and the second stream, not normalised.

        The second stream is the drop stream with nothing dropped; a method without one is tested
        with its regularization stream instead.
        """
        shared = self.backbone(images)
        refined = self.bottlenecks(shared)
        first = self.global_head.neck(self._global_features(shared))
        if self.streams.drop:
            second = self.drop_head.neck(self._drop_features(refined))
        else:
            second = self.regularization_head.neck(average(refined))
        return torch.cat((first, second), dim=1)

    def _global_features(self, shared: Tensor) -> Tensor:
        reduced: Tensor = self.global_reduction(average(shared)[:, :, None, None])
        return reduced.flatten(1)

    def _drop_features(self, refined: Tensor) -> Tensor:
        features: Tensor = self.drop_reduction(refined.amax(dim=(2, 3)))
        return features

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the names of the authors' checkpoints."""
        streams = self.streams
        # With a neck, the authors' network has one for the regularization stream in any case.
        idle = bool(streams.drop) and streams.neck and not streams.regularization
        return released_names(self.backbone, bool(streams.drop), streams.bottlenecks, idle)
