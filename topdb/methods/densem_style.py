"""A network after DenSem: densely semantically aligned features (Zhang et al., CVPR 2019).

Its authors released no code. DensePose's maps unroll each training image into images of 24 body
parts; a second stream sees those, and teaches the first, which alone is used in testing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Losses, Method, Milestones, Moment, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.part_maps import PARTS, atlas, part_images
from topdb.methods.parts.stages import average

_WHOLE, _UPPER, _LOWER = "whole", "upper", "lower"
_FEET_AND_LEGS = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
"""DensePose's numbers of the lower body; the others are of the upper one."""
_Weight = Annotated[float, Field(ge=0.0)]


@dataclass(frozen=True)
class Options:
    """What the text names without a number, or not at all; no value is confirmed."""

    side: Annotated[int, Field(ge=4)] = 32
    """Pixels of a part's image along each side, at 384 rows; it follows the height of the input.
    32 is recalled from the text."""
    width: Annotated[int, Field(ge=1)] = 512
    """Features of each head; the text has global and local ones, not how many."""
    fused: _Weight = 1.0
    """Weight of the losses of both streams' sum; chosen here, as all weights."""
    parts: _Weight = 0.5
    """Weight of the cross entropy of the part stream alone: it learns by images that have a map."""
    margin: float = 0.3
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class DenSemStyle(Method):
    """A stream of whole images, and beside it in training one of body parts."""

    title = "DenSem-style (after Zhang 2019)"
    rebuilt = (
        "Known are two streams trained together, the second on DensePose's 24 parts unrolled into "
        "images, and that the first alone is tested; the layers, where the streams meet, the "
        "weights of the losses and the training were chosen here, and no number can confirm it."
    )
    backbone_name = "resnet50"
    needs = ("parts",)
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": Recipe(
            size=(384, 128),
            epochs=120,
            augmentation=(Flip(0.5), Normalise(), Erase(0.5)),
            rules={"network": Adam(3.5e-4)},
            schedule=Milestones(at=(40, 70), warmup=10, start=0.1),
            options=Options(),
            note="DenSem-style is a network after a description: its authors released no code, and "
            "choices that their text leaves open were made here.",
        )
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.options = options
        self.side = max(4, round(options.side * recipe.size[0] / 384))
        self.backbone = build_backbone(self.backbone_name, scale)
        self.part_backbone = build_backbone(self.backbone_name, scale)
        if self.backbone.rows(recipe.size[0]) < 2:
            raise UserError(
                "densem-style needs a map of two rows or more, an upper and a lower half: set "
                "scale.size or changes.densem-style.size in params.yaml to a larger height."
            )
        width = scale.channels(options.width)
        names = (_WHOLE, _UPPER, _LOWER)
        self.heads = nn.ModuleDict({each: self._head(width) for each in names})
        self.part_heads = nn.ModuleDict({each: self._head(width) for each in names})
        for stream in ("image", "parts", "fused"):
            classifiers = {each: nn.Linear(width, identities) for each in names}
            self.add_module(f"{stream}_classifiers", nn.ModuleDict(classifiers))

    def _head(self, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(self.backbone.channels, width), nn.BatchNorm1d(width))

    def image_features(self, images: Tensor) -> dict[str, Tensor]:
        """Return the first stream's features (B, D) of the whole image and of its halves."""
        maps = self.backbone(images)
        half = maps.shape[2] // 2
        seen = {_WHOLE: maps, _UPPER: maps[:, :, :half], _LOWER: maps[:, :, half:]}
        return {name: self.heads[name](average(each)) for name, each in seen.items()}

    def part_features(self, images: Tensor, parts: Tensor) -> dict[str, Tensor]:
        """Return the second stream's features (B, D) of all parts, and of both halves' own."""
        unrolled = part_images(images, parts, self.side)
        lower = torch.zeros(PARTS, dtype=torch.bool, device=images.device)
        lower[[number - 1 for number in _FEET_AND_LEGS]] = True
        order = torch.cat((torch.where(~lower)[0], torch.where(lower)[0]))  # 14 upper, 10 lower
        maps = self.part_backbone(atlas(unrolled[:, order], columns=4))
        cut = round(maps.shape[2] * (PARTS - len(_FEET_AND_LEGS)) / PARTS)
        cut = min(max(cut, 1), maps.shape[2] - 1)
        seen = {_WHOLE: maps, _UPPER: maps[:, :, :cut], _LOWER: maps[:, :, cut:]}
        return {name: self.part_heads[name](average(each)) for name, each in seen.items()}

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator, **needed: Tensor
    ) -> dict[str, Tensor]:
        """Return features and logits of image, parts and their sum, and which images have parts.

        An image without a map has no parts to add: its sum is the first stream's.
        """
        maps = needed["parts"]
        present = maps[:, 0].flatten(1).any(dim=1).float()
        own, others = self.image_features(images), self.part_features(images, maps)
        outputs = {"present": present}
        for name in own:
            other = others[name] * present[:, None]
            for stream, features in (
                ("image", own[name]),
                ("parts", other),
                ("fused", own[name] + other),
            ):
                outputs[f"{stream}_{name}"] = features
                logits = self.get_submodule(f"{stream}_classifiers.{name}")(features)
                outputs[f"{stream}_{name}_logits"] = logits
        return outputs

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropies (means of three heads) and triplet losses, weighted."""
        options, present = self.options, outputs["present"]
        found = {}
        everybody = torch.ones_like(present)
        for stream, weight in (("image", 1.0), ("fused", options.fused)):
            identity = self._identity(outputs, stream, people, everybody)
            together = torch.cat([outputs[f"{stream}_{name}"] for name in self.heads], dim=1)
            triplet = batch_hard_triplet(together, people, options.margin)
            found[f"{stream}_cross_entropy"] = weight * identity
            found[f"{stream}_triplet"] = weight * triplet
        identity = self._identity(outputs, "parts", people, present)
        found["parts_cross_entropy"] = options.parts * identity
        return found

    def _identity(
        self, outputs: dict[str, Tensor], stream: str, people: Tensor, counted: Tensor
    ) -> Tensor:
        each = [
            cross_entropy(
                outputs[f"{stream}_{name}_logits"],
                people,
                reduction="none",
                label_smoothing=self.options.smoothing,
            )
            for name in self.heads
        ]
        return (torch.stack(each) * counted).mean(dim=0).sum() / counted.sum().clamp(min=1.0)

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Start both streams from the same weights."""
        self.backbone.load_state_dict(weights)
        self.part_backbone.load_state_dict(weights)

    def embed(self, images: Tensor) -> Tensor:
        """Return the first stream's three features side by side, (B, 1536), not normalised."""
        return torch.cat(list(self.image_features(images).values()), dim=1)
