"""What a method is: one file, one class. Nobody outside of it knows more of a method than this."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from topdb.config.scale import ScaleSettings
from topdb.methods.contract.recipe import Look, Moment, Names, Recipe
from topdb.methods.parts.batches import people_batches
from topdb.methods.parts.starts import initialise

Losses = dict[str, Tensor]


class Method(nn.Module, ABC):
    """A network with everything that it learns by.

    What has to survive an interruption is a parameter or a buffer. What is drawn at random comes
    from the generator that a hook is given, or from torch's own (dropout), which the training
    loop seeds before every step.

    Every hook that training calls is given the moment, whose `epoch` runs on the recipe's clock.
    """

    title: ClassVar[str]
    """How tables call it; a literal."""
    backbone_name: ClassVar[str] = "resnet50"
    """The backbone at full scale: its file in `topdb/methods/backbones`; a literal."""
    rebuilt: ClassVar[str] = ""
    """For a method that cannot be confirmed: what of it is known, what was chosen here, and that
    no number can confirm it; one line for a reader of the tables, and a literal. A method that
    follows released code, or a whole text, has none."""
    needs: ClassVar[tuple[str, ...]] = ()
    """What batches carry beside images, a literal: `("parts",)` for the images' part maps, of data
    sets that name a folder of them. `forward` is then given `parts`, (B, 3, height, width) uint8:
    DensePose's I, U and V, augmented with their images, and 0 where an image has none."""
    recipes: ClassVar[Mapping[str, Recipe]]
    """By side: `released` (the authors' code), `described` (their paper), and further variants
    under names of their own."""

    recipe: Recipe
    """As it is trained here: scaled and changed."""
    less: str = ""
    """What the network lacks of the real method at this scale, for a reader of the tables; one
    sentence, set by the constructor."""

    @abstractmethod
    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        """Build the network; weights are drawn later, by `initialise`.

        Raises
        ------
        UserError
            The recipe cannot be trained, as where stripes do not divide the map's rows.
        """
        super().__init__()
        self.recipe = recipe

    @abstractmethod
    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Run the training pass over images (B, 3, height, width) float32.

        A method that `needs` something takes it by name. It may be compiled and run under
        autocast; what it returns goes to `losses` as float32.
        """

    @abstractmethod
    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return the weighted losses by name, each without shape.

        Training lowers their sum, and `history.csv` has a column of each; the names are the same
        in every step. `people` is (B,) int64 classes.
        """

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Return the test features (B, D) of images (B, 3, height, width).

        Or (B, parts, D): the distance is then the sum over parts of Euclidean distances. Mirror
        images, normalise and concatenate here.
        """

    # What most methods leave as it is.

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that each of the recipe's rules moves; here one group has all."""
        (name,) = self.recipe.rules
        return {name: [each for each in self.parameters() if each.requires_grad]}

    def begin(self, moment: Moment) -> None:
        """Prepare an epoch of the recipe's clock: what trains, what is frozen, in which mode.

        Called before the first step of each, and again where a training goes on: the moment alone
        decides.
        """
        self.train()

    def batches(
        self, people: NDArray[np.int64], moment: Moment, rng: np.random.Generator, look: Look
    ) -> list[NDArray[np.int64]]:
        """Draw one pass over the training images: rows, batch by batch.

        `people` is (N,) classes. Batches may differ in size. `look` gives features of rows.

        Raises
        ------
        UserError
            There are too few people or images.
        """
        return people_batches(people, self.recipe.people, self.recipe.images, rng)

    def initialise(self, generator: torch.Generator) -> None:
        """Give every layer its starting weights; the backbone's start is loaded afterwards."""
        initialise(self, generator)

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the weights that training starts from, under the backbone's own names.

        Raises
        ------
        RuntimeError
            Names or shapes do not fit, as `load_state_dict` says.
        """
        backbone = self.backbone
        assert isinstance(backbone, nn.Module)
        backbone.load_state_dict(weights)

    def released(self, entries: Mapping[str, Tensor]) -> Names | None:
        """Return what released checkpoints call this network's entries; None: there are none.

        `entries` is the checkpoint's state dict, for names that depend on it; it may be empty.
        """
        return None

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the map (B, C, H, W) that figures show; here the backbone's output."""
        backbone = self.backbone
        assert isinstance(backbone, nn.Module)
        features: Tensor = backbone(images)
        return features

    def drop_mask(self, features: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return the mask that training would apply to a feature map: 0 in dropped rows, else 1.

        Broadcastable to `features` (B, C, H, W); None where the method drops nothing.
        """
        return None
