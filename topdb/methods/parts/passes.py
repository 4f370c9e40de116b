"""Several passes through a network in one batch, each with batch statistics of its own.

Some methods run anchors, positives and negatives one after the other: batch normalisation then
sees one of them at a time. Everything else maps each image by itself, so all of them can share
one batch, which large matrices make much faster.
"""

import torch
from torch import Tensor, nn


class NormByPass2d(nn.BatchNorm2d):
    """Batch normalisation that trains on equal parts of the batch one after the other."""

    passes: int = 1
    """Parts of a training batch."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (passes * B, C, H, W); running statistics are those of `passes` calls in order."""
        norm = super().forward
        if not self.training:
            return norm(features)
        return torch.cat([norm(each) for each in features.chunk(self.passes)])


class NormByPass1d(nn.BatchNorm1d):
    """Batch normalisation that trains on equal parts of the batch one after the other."""

    passes: int = 1
    """Parts of a training batch."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (passes * B, C); running statistics are those of `passes` calls in order."""
        norm = super().forward
        if not self.training:
            return norm(features)
        return torch.cat([norm(each) for each in features.chunk(self.passes)])


def normalise_by_pass(module: nn.Module, passes: int) -> None:
    """Let every batch normalisation below `module` take its statistics pass by pass.

    A training batch has then `passes` equal parts. Names, weights and testing stay as they are.
    """
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            norm: NormByPass1d | NormByPass2d
            if type(layer) is nn.BatchNorm2d:
                norm = NormByPass2d(layer.num_features, layer.eps, layer.momentum)
            elif type(layer) is nn.BatchNorm1d:
                norm = NormByPass1d(layer.num_features, layer.eps, layer.momentum)
            else:
                continue
            norm.load_state_dict(layer.state_dict())
            norm.passes = passes
            setattr(parent, name, norm)
