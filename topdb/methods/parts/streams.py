"""The one network behind the paper's four methods: a backbone and up to three streams.

The global stream is always there. The drop and the regularization stream share their bottlenecks:
the first sees their output with rows dropped, the second without. Which of the two exist, and how
rows are chosen, is a `Streams` object; the methods differ in nothing else.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from topdb.methods.backbones import build_backbone
from topdb.methods.parts.bottleneck import Bottleneck
from topdb.methods.parts.drop import RowScore, random_drop_mask, top_drop_mask
from topdb.methods.parts.network import ReIDNetwork, StreamOutput
from topdb.methods.parts.pooling import average
from topdb.params import NetworkSettings


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

    def forward(self, name: str, features: Tensor) -> StreamOutput:
        """Classify features (B, D); the triplet loss sees them as they are, before the neck."""
        return StreamOutput(name, features, self.classifier(self.neck(features)))


class StreamNetwork(ReIDNetwork):
    """ResNet-like backbone with global, drop and regularization streams."""

    def __init__(self, settings: NetworkSettings, identities: int, streams: Streams) -> None:
        super().__init__()
        self.streams = streams
        self._top_mask = partial(
            top_drop_mask,
            ratio=settings.drop_ratio,
            power=settings.activation_power,
            score=streams.row_score,
        )
        self._random_mask = partial(random_drop_mask, ratio=settings.drop_ratio)
        self.backbone, channels = build_backbone(settings.backbone)
        self.global_reduction = nn.Sequential(
            nn.Conv2d(channels, settings.global_features, 1),
            nn.BatchNorm2d(settings.global_features),
            nn.ReLU(),
        )
        self.global_head = Head(settings.global_features, identities, streams)
        self.bottlenecks = nn.Sequential(
            *(Bottleneck(channels, settings.bottleneck_width) for _ in range(streams.bottlenecks))
        )
        if streams.drop:
            self.drop_reduction = nn.Sequential(
                nn.Linear(channels, settings.drop_features),
                nn.BatchNorm1d(settings.drop_features),
                nn.ReLU(),
            )
            self.drop_head = Head(settings.drop_features, identities, streams)
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

    def forward(self, images: Tensor, generator: torch.Generator) -> list[StreamOutput]:
        """Run the training pass: the global, the drop and the regularization stream, in order."""
        shared = self.backbone(images)
        refined = self.bottlenecks(shared)
        outputs = [self.global_head("global", self._global_features(shared))]
        mask = self.drop_mask(refined, generator)
        if mask is not None:
            outputs.append(self.drop_head("drop", self._drop_features(refined * mask)))
        if self.streams.regularization:
            pooled = average(refined)
            outputs.append(self.regularization_head("regularization", pooled))
        return outputs

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
