"""A network after SONA: second-order non-local attention (Xia et al., ICCV 2019).

Its authors released no code. The attention and DropBlock+ stand in a Batch DropBlock network (Dai
et al., ICCV 2019), as the text says. What the text at hand left open was chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Losses, Method, Milestones, Moment, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.branches import Bottleneck
from topdb.methods.parts.drop import rectangle_drop_mask
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.second_order import SecondOrderNonLocal, Weight
from topdb.methods.parts.stages import average, dilate_last_stage

_AFTER = {"res2": ("layer1",), "res3": ("layer2",), "both": ("layer1", "layer2")}
"""The stages that attention follows, by the names of this package."""
_Share = Annotated[float, Field(gt=0.0, le=1.0)]


@dataclass(frozen=True)
class Options:
    """What the text names without a number, or not at all; no value is confirmed."""

    after: Literal["res2", "res3", "both"] = "both"
    """Where attention stands: in early stages, says the text. All three are recalled from it;
    which one Table 2 prints could not be checked."""
    reduction: Annotated[int, Field(ge=1)] = 2
    """Channels of the map over those inside the attention: 2 is recalled from the text, the third
    party's code has 4."""
    scaled: bool = True
    """Whether the covariance is divided by the root of the inner channels: recalled from the text;
    in the third party's code that line is commented out."""
    weight: Weight = "scalar"
    """The residual's weight, zero at first: one number, as in the third party's code, or the
    scales of a normalisation, as the text is recalled."""
    dilated: bool = True
    """Whether the last stage, whose stride is 1, keeps the reach of its stride by dilation, as
    torchvision does it: the text speaks of dilated convolutions, not of which."""
    heights: tuple[_Share, _Share] = (0.1, 0.5)
    """Between which shares of the rows DropBlock+ draws: around the third that Batch DropBlock
    drops; the text says only that the size varies."""
    widths: tuple[_Share, _Share] = (0.5, 1.0)
    """The same of the columns, of which Batch DropBlock drops all."""
    margin: float | None = None
    """Of the triplet losses; None: the soft margin of Batch DropBlock."""


_DESCRIBED = Recipe(
    size=(384, 128),
    epochs=400,
    augmentation=(Flip(0.5), Normalise(), Erase(0.5)),
    rules={"network": Adam(1e-3)},
    schedule=Milestones(at=(200, 300), warmup=50, start=0.1),
    options=Options(),
    note="SONA-style is a network after a description: its authors released no code, and choices "
    "that their text leaves open were made here.",
)


class SonaStyle(Method):
    """Second-order attention in a network of a global branch and one with a dropped rectangle."""

    title = "SONA-style (after Xia 2019)"
    rebuilt = (
        "Known are the formula of the attention, that it follows early stages, and a Batch "
        "DropBlock network whose rectangle varies; the stages, the attention's width and scale, "
        "the rectangle's range and the training were chosen here, and no number can confirm it."
    )
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": _DESCRIBED,
        "res2": replace(_DESCRIBED, options=Options(after="res2")),
        "res3": replace(_DESCRIBED, options=Options(after="res3")),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.options = options
        self.backbone = build_backbone(self.backbone_name, scale)
        if options.dilated:
            dilate_last_stage(self.backbone)
        channels, widths = self.backbone.channels, self.backbone.stage_channels
        self.attention = nn.ModuleDict(
            {
                stage: SecondOrderNonLocal(
                    widths[stage],
                    max(1, widths[stage] // options.reduction),
                    options.scaled,
                    options.weight,
                )
                for stage in _AFTER[options.after]
            }
        )
        whole, partly = scale.channels(512), scale.channels(1024)
        self.global_reduction = nn.Sequential(
            nn.Linear(channels, whole), nn.BatchNorm1d(whole), nn.ReLU()
        )
        self.global_classifier = nn.Linear(whole, identities)
        self.bottleneck = Bottleneck(channels, channels // 4)
        self.drop_reduction = nn.Sequential(
            nn.Linear(channels, partly), nn.BatchNorm1d(partly), nn.ReLU()
        )
        self.drop_classifier = nn.Linear(partly, identities)

    def initialise(self, generator: torch.Generator) -> None:
        """Give every layer its starting weights; the attention changes nothing at first."""
        super().initialise(generator)
        for module in self.attention.values():
            assert isinstance(module, SecondOrderNonLocal)
            module.start_at_nothing()

    def shared(self, images: Tensor) -> Tensor:
        """Return the backbone's map (B, C, H, W), with attention after some of its stages."""
        for stage in self.backbone.stages:
            images = self.backbone.only(stage)(images)
            if stage in self.attention:
                images = self.attention[stage](images)
        return images

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the bottleneck's output (B, C, H, W), from which a rectangle is dropped."""
        refined: Tensor = self.bottleneck(self.shared(images))
        return refined

    def drop_mask(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mask (1, 1, H, W) of a rectangle."""
        return rectangle_drop_mask(features, self.options.heights, self.options.widths, generator)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return of both branches `<name>_features` (B, D) and `<name>_logits`."""
        shared = self.shared(images)
        refined = self.bottleneck(shared)
        whole = self.global_reduction(average(shared))
        partly = self.drop_reduction(
            (refined * self.drop_mask(refined, generator)).amax(dim=(2, 3))
        )
        return {
            "global_features": whole,
            "global_logits": self.global_classifier(whole),
            "drop_features": partly,
            "drop_logits": self.drop_classifier(partly),
        }

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropy and batch-hard triplet loss of both branches, each of weight 1."""
        found = {}
        for name in ("global", "drop"):
            found[f"{name}_cross_entropy"] = cross_entropy(outputs[f"{name}_logits"], people)
            features = outputs[f"{name}_features"]
            found[f"{name}_triplet"] = batch_hard_triplet(features, people, self.options.margin)
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Return the features of both branches side by side, (B, 1536), nothing dropped."""
        shared = self.shared(images)
        partly = self.drop_reduction(self.bottleneck(shared).amax(dim=(2, 3)))
        return torch.cat((self.global_reduction(average(shared)), partly), dim=1)
