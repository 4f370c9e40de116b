"""MGN: Learning Discriminative Features with Multiple Granularities (Wang et al., ACM MM 2018).

ResNet-50 whose end is copied three times: the first copy sees the person as a whole, the second
in two stripes and the third in three. Its authors released no code. The wiring follows two
third-party codes, levyfan/reid-mgn (62d3ded) and seathiefwang/MGN-pytorch (384e820).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from topdb.config.scale import ScaleSettings
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
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.batches import everybody_once
from topdb.methods.parts.branches import Classifiers, Reductions
from topdb.methods.parts.losses import branch_cross_entropies, branch_triplets
from topdb.methods.parts.stages import Stages, started
from topdb.methods.parts.stripes import require_stripes, stripe_averages, stripe_maxima

_WHOLE = 3
"""Of the eight pooled vectors the first three are of whole maps, the others of stripes."""
_BY_BRANCH = (0, 1, 3, 4, 2, 5, 6, 7)
"""The vectors in levyfan's order of test features: branch by branch."""
_POOLING: dict[str, tuple[Callable[[Tensor, int], Tensor], Callable[..., Tensor]]] = {
    "max": (stripe_maxima, torch.amax),
    "average": (stripe_averages, torch.mean),
}
"""From a map to stripes, and from stripes to the whole."""
_STEM = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2")


@dataclass(frozen=True)
class Options:
    """The choices of network and losses in which the two codes differ."""

    wiring: Literal["levyfan", "seathiefwang"] = "levyfan"
    """Whose. With levyfan a whole map's person is told by its 2048 channels, with seathiefwang by
    their reduction; classifiers start otherwise, and test features are in another order."""
    pooling: Literal["max", "average"] = "max"
    margin: float = 1.2
    """Of the triplet loss on the three reduced whole vectors."""
    identity: float = 8 / 11
    """Weight of the mean of the eight cross entropies."""
    triplet: float = 3 / 11
    """Weight of the mean of the three triplet losses."""


_THEIRS = Recipe(
    size=(384, 128),
    epochs=400,
    augmentation=(Flip(), Normalise(), Erase(p=0.5, aspect=(0.3, 1 / 0.3))),
    rules={"all": Adam(2e-4, weight_decay=5e-4, amsgrad=True)},
    schedule=Milestones(at=(320, 380)),
    options=Options(wiring="seathiefwang", pooling="average", identity=1.0, triplet=2.0),
    interpolation="bicubic",
    note="The recipe is seathiefwang/MGN-pytorch's, not the authors': they released no code; the "
    "95.78 / 93.83 that it reports for Market-1501 is with re-ranking.",
)


class MGN(Method):
    """Three branches of one, two and three stripes, each with a copy of the backbone's end."""

    title = "MGN (Wang 2018)"
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "described": Recipe(
            size=(384, 128),
            epochs=80,
            augmentation=(Flip(), Normalise()),
            rules={"all": SGD(0.01, momentum=0.9, weight_decay=5e-4)},
            schedule=Milestones(at=(40, 60)),
            options=Options(),
            note="The authors released no code: wiring and recipe follow levyfan/reid-mgn, a third "
            "party's, and are not verified against the paper, least of all classifier biases, "
            "the mean over all 11 losses and the L2 norm of test features, which levyfan's own "
            "test lacks.",
        ),
        "seathiefwang": _THEIRS,
        "seathiefwang-max": replace(_THEIRS, options=replace(_THEIRS.options, pooling="max")),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        self.options = options
        ends = [build_backbone(self.backbone_name, scale, last_stride=each) for each in (2, 1, 1)]
        require_stripes(ends[-1], recipe.size[0], (2, 3), "mgn")
        channels, reduced = ends[0].channels, scale.channels(256)
        self.trunk = _split(ends[0])[0]
        self.tails = nn.ModuleList(_split(each)[1] for each in ends)
        self.reductions = Reductions(8, channels, reduced, bias=False)
        wide = channels if options.wiring == "levyfan" else reduced
        self.whole_classifiers = Classifiers(_WHOLE, wide, identities)
        self.part_classifiers = Classifiers(8 - _WHOLE, reduced, identities)

    def initialise(self, generator: torch.Generator) -> None:
        """Start all eight reductions alike, as both codes do, and the classifiers as each does."""
        super().initialise(generator)
        first, *others = self.reductions
        nn.init.kaiming_normal_(self.reductions.convolutions()[0].weight, generator=generator)
        nn.init.normal_(self.reductions.normalisations()[0].weight, 1.0, 0.02, generator=generator)
        for other in others:
            other.load_state_dict(first.state_dict())
        for layer in (*self.whole_classifiers.layers(), *self.part_classifiers.layers()):
            if self.options.wiring == "levyfan":
                nn.init.normal_(layer.weight, std=0.001, generator=generator)
            else:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", generator=generator)

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Start the trunk and each copy of the end from the same weights."""
        for part in (self.trunk, *self.tails):
            started(part, weights)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps (B, C, H, W) of the branches of one, two and three stripes."""
        shared = self.trunk(images)
        return [tail(shared) for tail in self.tails]

    def vectors(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the pooled vectors (8, B, C) and their reductions (8, B, R).

        In the order of the released names: three of whole maps, two of halves, three of thirds.
        """
        pool, join = _POOLING[self.options.pooling]
        one, two, three = (pool(each, count) for count, each in enumerate(maps, 1))
        whole = [one, *(join(each, 0, keepdim=True) for each in (two, three))]
        pooled = torch.cat([*whole, two, three])
        return pooled, self.reductions(pooled)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the eight reduced vectors (8, B, R) and their logits (8, B, identities)."""
        pooled, reduced = self.vectors(self.maps(images))
        told = pooled if self.options.wiring == "levyfan" else reduced
        logits = [self.whole_classifiers(told[:_WHOLE]), self.part_classifiers(reduced[_WHOLE:])]
        return {"features": reduced, "logits": torch.cat(logits)}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the weighted means of eight cross entropies and of three triplet losses."""
        options = self.options
        triplets = branch_triplets(outputs["features"][:_WHOLE], people, options.margin)
        identity = branch_cross_entropies(outputs["logits"], people).mean()
        return {
            "cross_entropy": options.identity * identity,
            "triplet": options.triplet * triplets.mean(),
        }

    def features(self, images: Tensor) -> Tensor:
        """Return the reduced vectors of images side by side, (B, 8 R)."""
        reduced = self.vectors(self.maps(images))[1]
        if self.options.wiring == "levyfan":
            reduced = reduced[list(_BY_BRANCH)]
        return reduced.transpose(0, 1).flatten(1)

    def embed(self, images: Tensor) -> Tensor:
        """Return the features (B, 8 R) of images and mirror images, added up, of length 1."""
        return normalize(self.features(images) + self.features(images.flip(3)))

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw every person once."""
        return everybody_once(people, self.recipe.people, self.recipe.images, rng)

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the map (B, C, H, W) of the branch of two stripes."""
        return self.maps(images)[1]

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the names of the code whose wiring it is; they differ in that of the trunk."""
        trunk = "backbone" if self.options.wiring == "levyfan" else "backone"
        names = {"trunk.layer3.0": f"{trunk}.6"}
        names |= {f"trunk.{name}": f"{trunk}.{place}" for place, name in enumerate(_STEM)}
        for branch in range(3):
            tail, theirs = f"tails.{branch}", f"p{branch + 1}"
            names |= {f"{tail}.layer3.{n}": f"{theirs}.0.{n - 1}" for n in range(1, 6)}
            names |= {f"{tail}.layer4": f"{theirs}.1"}
        names |= {f"reductions.{n}": f"reduction_{n}" for n in range(8)}
        names |= {f"whole_classifiers.{n}": f"fc_id_2048_{n}" for n in range(3)}
        stripes = ("1_0", "1_1", "2_0", "2_1", "2_2")
        names |= {f"part_classifiers.{n}": f"fc_id_256_{each}" for n, each in enumerate(stripes)}
        return Names(names, classifier="fc_id_2048_0.weight")


def _split(backbone: Stages) -> tuple[nn.Sequential, nn.Sequential]:
    """Cut a backbone after the first block of layer3, or before layer4 where layer3 is empty."""
    trunk, tail = backbone.through("layer2"), backbone.after("layer2")
    for name, stage in backbone.only("layer3").named_children():
        assert isinstance(stage, nn.Sequential)
        trunk.add_module(name, stage[:1])
        tail.add_module(name, stage[1:])
    return trunk, tail
