"""MHN: mixed high-order attention (Chen et al., ICCV 2019), as chenbinghui1/MHN trains it.

Attention modules of rising order see the same map of layer2. Their maps go on through the same
later layers, side by side on the batch axis, so that batch statistics mix the orders. Every
stripe has a feature of each order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from topdb.config.scale import ScaleSettings
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import SGD, Look, Losses, Method, Milestones, Moment, Names, Recipe
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.batches import uniform_people
from topdb.methods.parts.high_order import HighOrderAttention, OrderAdversary, OrderedHead
from topdb.methods.parts.starts import default_start


@dataclass(frozen=True)
class Options:
    """What the variants of MHN differ in."""

    head: Literal["pcb", "ide"] = "pcb"
    """`pcb`: three stripes, layer4 with stride 1. `ide`: the whole map, layer4 with stride 2."""
    orders: Annotated[int, Field(ge=0, le=9)] = 6
    """The highest order of attention; 0: none, which is the authors' baseline."""
    alpha: Annotated[float, Field(ge=0.0)] = 2.0
    """Weight of the distance between orders."""
    train_adversary: bool = False
    """Whether the adversary learns, by the rule of the other new layers, or stays as drawn."""


_SGD = SGD(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
_PCB = Recipe(
    size=(336, 168),
    epochs=70,
    augmentation=(Flip(), Normalise(), Erase(p=0.4, aspect=(0.3, 1 / 0.3))),
    rules={"backbone": replace(_SGD, rate=0.01), "rest": _SGD},
    schedule=Milestones(at=(20, 40, 60)),
    people=16,
    images=2,
    options=Options(),
    clip=20.0,
    interpolation="bicubic",
    note="MHN's adversary stays as it was drawn, since the authors' code gives it to no optimiser; "
    "on the two GPUs that they trained on, that code compares other features than on one.",
)
_IDE = replace(_PCB, size=(288, 144), options=Options(head="ide", alpha=1.4))


class MHN(Method):
    """A ResNet-50 with high-order attention after layer2."""

    title = "MHN (Chen 2019)"
    backbone_name = "resnet50"
    recipes: ClassVar[Mapping[str, Recipe]] = {
        "released": _PCB,
        "described": replace(
            _PCB,
            options=Options(train_adversary=True),
            note="MHN's adversary is trained; at which rate is a guess that is not verified.",
        ),
        "ide": replace(_IDE, note="MHN looks at the whole map instead of three stripes."),
        "pcb-4": replace(_PCB, options=Options(orders=4), note="MHN has four orders."),
        "pcb-baseline": replace(
            _PCB, options=Options(orders=0), note="MHN's baseline with stripes: no attention."
        ),
        "ide-baseline": replace(
            _IDE, options=Options("ide", orders=0), note="MHN's baseline with the whole map."
        ),
    }

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        options: Options = recipe.options
        stripes, last_stride = (3, 1) if options.head == "pcb" else (1, 2)
        self.orders = max(1, options.orders)
        self.backbone = build_backbone(self.backbone_name, scale, last_stride=last_stride)
        rows = self.backbone.rows(recipe.size[0])
        if rows < stripes:
            raise UserError(
                f"mhn cuts a feature map into {stripes} stripes, but images {recipe.size[0]} "
                f"pixels high give {rows} rows: set a greater height by scale.size or "
                "changes.mhn.size in params.yaml."
            )
        self._halves = self.backbone.through("layer2"), self.backbone.after("layer2")
        channels, inner = self.backbone.stage_channels["layer2"], scale.channels(128)
        self.attention: nn.Module = nn.Identity()
        width, norm, slope = scale.channels(256), None, None
        if options.orders:
            self.attention = HighOrderAttention(channels, inner, range(1, options.orders + 1))
            norm = 20.0 if options.head == "pcb" else None
        elif options.head == "ide":
            width, slope = scale.channels(512), 0.1
        self.head = OrderedHead(
            self.backbone.channels, width, stripes, self.orders, identities, norm, slope
        )
        self.adversary = None
        if options.orders > 1:  # one order has no other to lie apart from
            self.adversary = OrderAdversary(width, inner, options.orders)
            self.adversary.requires_grad_(options.train_adversary)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw starting weights as the released code does."""
        super().initialise(generator)
        self.head.initialise(generator)
        default_start(self.attention, generator)
        if self.adversary is not None:
            default_start(self.adversary, generator)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the backbone's parameters, which learn slowly, and the rest."""
        backbone = list(self.backbone.parameters())
        known = set(backbone)
        rest = [each for each in self.parameters() if each.requires_grad and each not in known]
        return {"backbone": backbone, "rest": rest}

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw batches in which people are equally likely, two images each."""
        return uniform_people(people, self.recipe.people, self.recipe.images, rng)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return features (stripes, orders * B, D) and logits (stripes * orders, B, people)."""
        features = self.head(self._maps(images))
        return {"features": features, "logits": self.head.logits(features)}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the cross entropy, summed over stripes, and the distance between orders."""
        features, logits = outputs["features"], outputs["logits"]
        mean = cross_entropy(logits.flatten(0, 1), people.repeat(len(logits)))
        found = {"cross_entropy": len(features) * mean}
        if self.adversary is not None:
            apart = torch.stack([self.adversary(stripe) for stripe in features]).mean()
            found["adversary"] = self.recipe.options.alpha * apart
        return found

    def embed(self, images: Tensor) -> Tensor:
        """Return unit features (B, D * stripes * orders), of images and their mirrors summed."""
        both = self.head(self._maps(images)) + self.head(self._maps(images.flip(3)))
        blocks = normalize(both, dim=2).view(len(both) * self.orders, len(images), -1)
        return blocks.permute(1, 2, 0).flatten(1) / sqrt(len(blocks))

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the maps of all orders, one after another on the axis of channels."""
        return torch.cat(self._maps(images).chunk(self.orders), dim=1)

    def released(self, entries: Mapping[str, Tensor]) -> Names:
        """Return the names of the released code; its baselines call their head otherwise."""
        names = {"backbone": "model"}
        if isinstance(self.attention, HighOrderAttention):
            names |= {f"attention.{own}": name for own, name in self.attention.released().items()}
        for place in range(len(self.head.classifiers)):
            stripe, order = divmod(place, self.orders)
            of_stripe = str(stripe) if len(self.head.reductions) > 1 else ""
            reduction, classifier = f"fc{of_stripe}", f"classifier{of_stripe}"
            if self.recipe.options.orders:
                classifier += f"_{order}" if of_stripe else f"{order}"
            else:
                reduction, classifier = f"{classifier}.add_block", f"{classifier}.classifier"
            names[f"head.reductions.{stripe}"] = reduction
            names[f"head.classifiers.{place}"] = f"{classifier}.0"
        first = names["head.classifiers.0"]
        absent = () if self.adversary is None else ("adversary",)
        return Names(names, f"{first}.weight", absent, unused=("model.fc",))

    def _maps(self, images: Tensor) -> Tensor:
        """Return the backbone's maps (orders * B, C, H, W): all images by the first order first."""
        before, after = self._halves
        maps: Tensor = after(self.attention(before(images)))
        return maps
