"""The contract between a method and the training loop."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StreamOutput:
    """What one stream gives the losses in training."""

    name: str
    features: Tensor
    """(B, D): the triplet loss compares these."""
    logits: Tensor
    """(B, identities): the cross entropy classifies by these."""


class ReIDNetwork(nn.Module, ABC):
    """A network that learns from several streams and embeds a person as one vector.

    `forward` is the training pass. Whatever it draws at random comes from the generator that it
    is given, so that a run's seed alone decides.
    """

    backbone: nn.Module

    @abstractmethod
    def forward(self, images: Tensor, generator: torch.Generator) -> list[StreamOutput]:
        """Run the training pass over images of shape (B, 3, height, width)."""

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Return the test features (B, D) of images of shape (B, 3, height, width)."""

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the map (B, C, H, W) of images (B, 3, height, width) that figures show.

        Here the backbone's output; a method that drops rows gives the map that it drops them from.
        """
        features: Tensor = self.backbone(images)
        return features

    def drop_mask(self, features: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return the mask that training would apply to a feature map: 0 in dropped rows, else 1.

        It is broadcastable to `features` (B, C, H, W); None where the method drops nothing.
        """
        return None


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Give every layer of `module` its starting weights from the generator.

    Convolutions: He et al. (ICCV 2015), normal, fan out. Linear layers: normal with standard
    deviation 0.01. Batch normalisation: scale 1, shift 0. Biases: 0. These are the choices of the
    authors' released code for all that is not the backbone.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
