"""The losses of every stream: batch-hard triplet, and cross entropy with smoothed labels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from topdb.methods.parts.network import StreamOutput

_SMALLEST_SQUARE = 1e-12
"""Keeps the square root's gradient finite where two features are equal."""


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return the mean over anchors of [margin + hardest positive - hardest negative]+.

    Source: Hermans et al. (2017), equation 5, with Euclidean distances. The hardest positive is
    the farthest image of the anchor's person, itself included; the hardest negative is the
    nearest image of anybody else.

    Parameters
    ----------
    features : (B, D)
    labels : (B,) int64; at least two people, or there is no negative
    margin : in units of distance
    """
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * features @ features.T
    distances = squared.clamp(min=_SMALLEST_SQUARE).sqrt()
    same = labels[:, None] == labels[None, :]
    hardest_positive = distances.masked_fill(~same, -torch.inf).amax(dim=1)
    hardest_negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    return (margin + hardest_positive - hardest_negative).clamp(min=0.0).mean()


@dataclass(frozen=True)
class StreamLoss:
    """Both losses of one stream; each a tensor without shape."""

    name: str
    cross_entropy: Tensor
    triplet: Tensor


def stream_losses(
    outputs: list[StreamOutput], labels: Tensor, margin: float, label_smoothing: float
) -> list[StreamLoss]:
    """Return the losses of each stream, in the order of `outputs`.

    Smoothing spreads `label_smoothing` evenly over all people, the true one included (Szegedy et
    al., CVPR 2016). `labels` is (B,) int64.
    """
    return [
        StreamLoss(
            output.name,
            cross_entropy(output.logits, labels, label_smoothing=label_smoothing),
            batch_hard_triplet(output.features, labels, margin),
        )
        for output in outputs
    ]


def total(losses: list[StreamLoss]) -> Tensor:
    """Return the sum of all losses of all streams, each with weight 1."""
    parts = [part for loss in losses for part in (loss.cross_entropy, loss.triplet)]
    return torch.stack(parts).sum()
