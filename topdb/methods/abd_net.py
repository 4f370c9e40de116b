"""ABD-Net: attentive but diverse (Chen et al., ICCV 2019), after VITA-Group/ABD-Net @502305e."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Losses, Method, Milestones, Moment, Names, Recipe
from topdb.methods.parts.attention import AttentiveStripes, ChannelAttention
from topdb.methods.parts.augmentation import EnlargeAndCrop, Erase, Flip, Normalise
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.orthogonality import features_penalty, weights_penalty
from topdb.methods.parts.stages import average, started

_FIXBASE = 10
"""Epochs in which the backbone stands still; the authors count epochs anew after them."""
_OF_START = _FIXBASE + 23
_NEW = ("shallow_attention", "fc", "classifier", "attentive", "classifiers")
"""What trains while the backbone stands still."""


@dataclass(frozen=True)
class Options:
    """What recipes differ in, and what an ablation may change."""

    ow_on: Literal["first", "all"] = "first"
    """The convolutions of the backbone on whose weights O.W. acts."""
    stripes: int = 2
    """Of equal height, into which the attentive branch cuts its map."""
    margin: float = 1.2
    """Of the triplet loss, in units of the distance between features."""
    triplet: float = 0.1
    """Weight of the triplet loss."""
    of: float = 1e-6
    """Weight of the gap of each map, for a batch of 32; the shallow map has a hundredth of it."""
    ow: float = 1e-2
    """Weight of the squared gap of each convolution."""


_RELEASED = Recipe(
    size=(384, 128),
    epochs=_FIXBASE + 80,
    augmentation=(
        EnlargeAndCrop(0.5),
        Flip(0.5),
        Normalise(),
        Erase(0.5, fill=(0.4914, 0.4822, 0.4465)),
    ),
    rules={"all": Adam(3e-4, betas=(0.9, 0.999), weight_decay=5e-4)},
    schedule=Milestones(at=(_FIXBASE + 20, _FIXBASE + 40), factor=0.1),
    people=16,
    images=4,
    options=Options(),
    fresh=(_FIXBASE,),
    note="ABD-Net's O.W. acts on the first convolution alone, as in the authors' code.",
)


class ABDNet(Method):
    """Channel attention in the trunk, then two copies of the backbone's last stage.

    The global branch pools one's map whole; the attentive branch cuts the other's into stripes.
    """

    title = "ABDnet (Chen 2019)"
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "released": _RELEASED,
        "described": replace(
            _RELEASED,
            options=Options(ow_on="all"),
            note="ABD-Net's O.W. acts on all convolutions of the backbone, as the paper says.",
        ),
        "longer": replace(
            _RELEASED,
            epochs=_FIXBASE + 120,
            note="ABD-Net goes on for 120 epochs instead of 80, as in a co-author's scripts.",
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        stripes = recipe.options.stripes
        backbone = build_backbone(self.backbone_name, scale, last_stride=1)
        rows = backbone.rows(recipe.size[0])
        width = min(scale.channels(1024), backbone.channels)  # or the reduction would widen
        if stripes < 1 or rows % stripes:
            raise UserError(
                f"abd-net cannot cut a map of {rows} rows, from images {recipe.size[0]} pixels "
                f"high, into {stripes} stripes of equal height: change the height (scale.size) or "
                "changes.abd-net.options.stripes in params.yaml."
            )
        self.stem = backbone.through("layer1")
        self.shallow_attention = ChannelAttention()
        self.global_tail = backbone.only("layer4")
        self.attentive_tail = deepcopy(self.global_tail)
        self.trunk = backbone.after("layer1")[: -len(self.global_tail)]
        self.fc = nn.Sequential(
            nn.Linear(backbone.channels, width),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        self.classifier = nn.Linear(width, identities)
        self.attentive = AttentiveStripes(backbone.channels, width, stripes)
        self.classifiers = nn.ModuleList(nn.Linear(width, identities) for _ in range(stripes))

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return `features` (V, B, D) and `logits` (V, B, identities): global, then by stripe.

        Once O.F. has begun also the maps that it sees: `shallow` (B, C, H, W), and `deep`, those
        of `AttentiveStripes` one after the other along the batch.
        """
        features, shallow, deep = self._run(images, moment.whole >= _OF_START)
        classifiers = (self.classifier, *self.classifiers)
        logits = [each(seen) for each, seen in zip(classifiers, features, strict=True)]
        outputs = {"features": torch.stack(features), "logits": torch.stack(logits)}
        if moment.whole >= _OF_START:
            outputs |= {"shallow": shallow, "deep": torch.cat(deep)}
        return outputs

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropy, triplet loss, and the two penalties: 0 until they begin."""
        options: Options = self.recipe.options
        features, logits = outputs["features"], outputs["logits"]
        triplets = [batch_hard_triplet(each, people, options.margin) for each in features]
        of = ow = logits.new_zeros(())
        if moment.whole >= _OF_START:
            shallow = features_penalty(outputs["shallow"], generator)
            deep = features_penalty(outputs["deep"], generator)
            of = options.of * 32 / len(people) * (0.01 * shallow + deep / options.stripes)
        if moment.whole >= _FIXBASE:
            ow = options.ow * weights_penalty(self._penalised(), generator)
        return {
            "cross_entropy": cross_entropy(
                logits.flatten(0, 1), people.repeat(len(logits)), label_smoothing=0.1
            ),
            "triplet": options.triplet * torch.stack(triplets).mean(),
            "orthogonal_features": of,
            "orthogonal_weights": ow,
        }

    def features(self, images: Tensor) -> Tensor:
        """Return the features (B, V D) of images as they are: global, then by stripe."""
        return torch.cat(self._run(images, whole=False)[0], dim=1)

    def embed(self, images: Tensor) -> Tensor:
        """Return the mean features (B, V D), not normalised, of images and their mirror images."""
        straight, mirrored = self.features(torch.cat((images, images.flip(3)))).chunk(2)
        return (straight + mirrored) / 2

    def begin(self, moment: Moment) -> None:
        """Train the new layers alone at first, the backbone in evaluation mode; then everything."""
        self.train()
        for name, part in self.named_children():
            opened = name in _NEW or moment.whole >= _FIXBASE
            part.train(opened).requires_grad_(opened)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters, those included that stand still at first."""
        return {"all": list(self.parameters())}

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights; the scales of new batch normalisations lie around 1."""
        super().initialise(generator)
        for layer in (each for name in _NEW for each in self.get_submodule(name).modules()):
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the backbone's weights, those of its last stage twice."""
        for part in self._backbone():
            started(part, weights)

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the released names; the order of the branches differs between checkpoints.

        It follows Python's hash seed in the authors' run. Without entries the global one is first.
        """
        swapped = any("branches.0.1.reduction." in name for name in entries)
        return _names(*(("branches.1", "branches.0") if swapped else ("branches.0", "branches.1")))

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the map that the attentive branch pools, its stripes joined again."""
        return self.attentive.joined(self._run(images, whole=True)[2][-1])

    def _run(self, images: Tensor, whole: bool) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Return features, the shallow map and the deep ones, which are maps if `whole`."""
        shallow = self.shallow_attention(self.stem(images))
        shared = self.trunk(shallow)
        vectors, deep = self.attentive(self.attentive_tail(shared), whole)
        return [self.fc(average(self.global_tail(shared))), *vectors], shallow, deep

    def _backbone(self) -> tuple[nn.Module, ...]:
        return self.stem, self.trunk, self.global_tail, self.attentive_tail

    def _penalised(self) -> list[Tensor]:
        """Return the weights that O.W. acts on."""
        layers = (layer for part in self._backbone() for layer in part.modules())
        weights = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d)]
        return weights if self.recipe.options.ow_on == "all" else weights[:1]


def _names(whole: str, attentive: str) -> Names:
    """Return the released names, given those of the global and of the attentive branch."""
    prefixes = {
        "stem.conv1": "common_branch.backbone1.0",
        "stem.bn1": "common_branch.backbone1.1",
        "stem.layer1": "common_branch.backbone1.4",
        "shallow_attention": "common_branch.shallow_cam._cam_module",
        "trunk.layer2": "common_branch.backbone2.0",
        "trunk.layer3": "common_branch.backbone2.1",
        "global_tail.layer4": f"{whole}.0.backbone",
        "fc": f"{whole}.1.fc",
        "classifier": f"{whole}.1.classifier",
        "attentive_tail.layer4": f"{attentive}.0.backbone",
        "attentive.reduction": f"{attentive}.1.reduction",
        "attentive.blend": f"{attentive}.1.sum_conv",
        "classifiers": f"{attentive}.1.classifiers",
    }
    heads = {"plain": "before_module", "channel": "cam_module", "position": "pam_module"}
    layers = {
        "reduce": "conv5c",
        "attention": "attention_module",
        "attention.query": "attention_module.query_conv",
        "attention.key": "attention_module.key_conv",
        "attention.value": "attention_module.value_conv",
        "refine": "conv52",
        "expand": "conv7",
    }
    for head, theirs in heads.items():
        for layer, name in layers.items():
            prefixes[f"attentive.{head}.{layer}"] = f"{attentive}.1.{theirs}.{name}"
    return Names(
        prefixes,
        classifier=f"{whole}.1.classifier.weight",
        unused=("common_branch.shallow_cam._cam_module_abc",),
    )
