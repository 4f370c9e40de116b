"""PyrNet: stripes of several heights at four depths of a DenseNet (Martinel et al., CVPRW 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, triplet_margin_loss

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract.method import Losses, Method
from topdb.methods.contract.recipe import SGD, Look, Milestones, Moment, Names, Recipe
from topdb.methods.parts.augmentation import CropLarger, EraseMore, Flip, Jitter, Normalise
from topdb.methods.parts.batches import hard_triplet_batches
from topdb.methods.parts.norms import normalise_by_pass
from topdb.methods.parts.stages import last_stages, map_rows
from topdb.methods.parts.starts import initialise
from topdb.methods.parts.stripes import StripePyramid, require_levels, stripe_counts

_MARKET_IMAGES = 12936
"""Training images of Market-1501, which the released code trains on by default."""


@dataclass(frozen=True)
class Options:
    """The choices of network, losses and mining."""

    maps: tuple[PositiveInt, ...] = (32, 64, 128, 256)
    """Channels of each pyramid, from the shallowest on."""
    levels: tuple[PositiveInt, ...] = (7, 6, 5, 4)
    """Levels of each pyramid."""
    bottleneck: PositiveInt = 512
    """Features of each pyramid."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Share of the bottlenecks' features that a training pass leaves out, before both losses."""
    margin: float = 0.1
    """Of the triplet loss, in units of distance."""
    triplet: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    """Weight of the triplet loss in the first two epochs; it rises in a straight line."""
    anchors: PositiveInt = 5000
    """Of a pass. Where there are fewer training images, the share that this is of
    Market-1501's 12,936."""
    farthest: PositiveInt = 3
    """Images of the anchor's person that a positive is drawn from."""
    nearest: PositiveInt = 10
    """Images of other people that a negative is drawn from."""


RELEASED = Recipe(
    size=(384, 192),
    resize=(408, 204),
    interpolation="bicubic",
    epochs=100,
    augmentation=(
        Jitter(brightness=0.1, contrast=0.1, saturation=0.1),
        CropLarger(408 / 384),
        EraseMore(p=0.5, last=0.95, over=100, anywhere=False),
        Flip(0.5),
        Normalise(),
    ),
    rules={
        "backbone": SGD(rate=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
        "new": SGD(rate=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
    },
    schedule=Milestones(at=(40.0, 80.0)),
    people=10,  # triplets
    images=3,
    options=Options(),
)

DESCRIBED = replace(
    RELEASED,
    augmentation=tuple(
        replace(each, anywhere=True) if isinstance(each, EraseMore) else each
        for each in RELEASED.augmentation
    ),
    note="PyrNet's described recipe is the released one with rectangles erased anywhere in the "
    "image, as Random Erasing is published; nothing in it was checked against PyrNet's paper.",
)


class PyrNet(Method):
    """Four pyramids of stripe maxima, each with a bottleneck and a classifier of its own.

    A batch holds anchors, then as many positives, then as many negatives; batch normalisation
    sees them one after the other.
    """

    title = "PyrNet (Martinel 2019)"
    backbone_name = "densenet201"
    recipes: ClassVar[Mapping[str, Recipe]] = {"released": RELEASED, "described": DESCRIBED}

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.backbone = build_backbone(self.backbone_name, scale)
        self.taps = last_stages(self.backbone, len(options.maps))
        if not len(options.maps) == len(options.levels) == len(self.taps):
            raise UserError(
                f"pyrnet has {len(options.maps)} pyramids by its option maps, "
                f"{len(options.levels)} by levels, and stages for {len(self.taps)}: change "
                "changes.pyrnet.options in params.yaml."
            )
        rows = map_rows(self.backbone, self.taps, recipe.size, "pyrnet")
        if scale.backbone(self.backbone_name) == self.backbone_name:  # others have small maps
            require_levels(self.backbone, self.taps, rows, options.levels, "pyrnet")
        else:
            counts = zip(rows, options.levels, strict=True)
            kept = ", ".join(str(len(stripe_counts(n, levels))) for n, levels in counts)
            self.less = (
                f"its pyramids have {kept} levels instead of "
                f"{', '.join(map(str, options.levels))}, since the maps of the small network, "
                "after its stem and three stages, have no more rows"
            )
        features = scale.channels(options.bottleneck)
        self.pyramids = nn.ModuleList(
            StripePyramid(
                self.backbone.stage_channels[tap], scale.channels(maps), n, levels, features
            )
            for tap, maps, n, levels in zip(
                self.taps, options.maps, rows, options.levels, strict=True
            )
        )
        self.dropout = nn.Dropout(options.dropout)
        self.classifiers = nn.ModuleList(nn.Linear(features, identities) for _ in self.taps)
        normalise_by_pass(self, 3)
        self.backbone.after(self.taps[-1]).requires_grad_(False)  # no feature is made of it

    def _features(self, images: Tensor) -> Tensor:
        """Return the features (pyramids, B, D) of images before dropout."""
        maps = self.backbone.taps(images, self.taps)
        return torch.stack(
            [pyramid(each) for pyramid, each in zip(self.pyramids, maps, strict=True)]
        )

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return features (pyramids, B, D) and logits (pyramids, B, identities)."""
        features = self.dropout(self._features(images))
        heads = zip(self.classifiers, features, strict=True)
        return {"features": features, "logits": torch.stack([head(each) for head, each in heads])}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropy and triplet loss, summed over pyramids, in shifting shares."""
        options: Options = self.recipe.options
        step = (1.0 - options.triplet) / self.recipe.epochs
        share = min(1.0, options.triplet + max(0, moment.whole - 1) * step)
        logits, features = outputs["logits"], outputs["features"]
        count = len(logits)
        identity = count * cross_entropy(logits.flatten(0, 1), people.repeat(count))
        anchors, positives, negatives = (each.flatten(0, 1) for each in features.chunk(3, dim=1))
        triplet = count * triplet_margin_loss(anchors, positives, negatives, options.margin)
        return {"cross_entropy": (1.0 - share) * identity, "triplet": share * triplet}

    def plain(self, images: Tensor) -> Tensor:
        """Return features (B, pyramids, D) of images as they are, each of length 1."""
        return normalize(self._features(images), dim=2).transpose(0, 1)

    def embed(self, images: Tensor) -> Tensor:
        """Return features (B, 2 * pyramids, D): of the images, then of their mirror images."""
        return torch.cat((self.plain(images), self.plain(images.flip(3))), dim=1)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the backbone's parameters, and the new ones."""
        backbone = [each for each in self.backbone.parameters() if each.requires_grad]
        new = (self.pyramids, self.classifiers)
        return {"backbone": backbone, "new": [each for part in new for each in part.parameters()]}

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw anchors, mine a hard positive and negative for each, and shuffle the triplets."""
        options: Options = self.recipe.options
        anchors = options.anchors
        if len(people) < anchors:
            anchors = min(len(people), round(len(people) * anchors / _MARKET_IMAGES))
        return hard_triplet_batches(
            people,
            anchors,
            self.recipe.people,
            options.farthest,
            options.nearest,
            lambda rows: np.asarray(look(rows, embed=self.plain)),
            rng,
        )

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the starting weights of the released code.

        The released code also runs two batches of noise as it builds the network. They shift the
        running statistics that the first mining sees, and nothing later; they are left out.
        """
        initialise(self.backbone, generator)
        for pyramid in self.pyramids:
            cast(StripePyramid, pyramid).initialise(generator)
        for classifier in self.classifiers:
            nn.init.normal_(cast(nn.Linear, classifier).weight, std=0.001, generator=generator)
            nn.init.zeros_(cast(nn.Linear, classifier).bias)

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the names of the released code; no checkpoint of its authors is known."""
        names = {"backbone": "emb.base.features"}
        for number in range(len(self.taps)):
            names |= {
                f"pyramids.{number}.convolution": f"emb.pyr{number + 1}.0",
                f"pyramids.{number}.map_norm": f"emb.pyr{number + 1}.1",
                f"pyramids.{number}.linear": f"emb.bottleneck{number + 1}.0",
                f"pyramids.{number}.norm": f"emb.bottleneck{number + 1}.1",
            }
            names[f"classifiers.{number}"] = f"emb.classifier.{number}.0"
        return Names(names, classifier="emb.classifier.0.0.weight")

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the deepest map that a pyramid sees."""
        return self.backbone.taps(images, self.taps)[-1]
