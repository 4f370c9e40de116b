"""Losses that several methods share."""

import torch
from torch import Tensor

_SMALLEST_SQUARE = 1e-12
"""Keeps the square root's gradient finite where two features are equal."""


def batch_hard_triplet(
    features: Tensor, labels: Tensor, margin: float, smallest_square: float = _SMALLEST_SQUARE
) -> Tensor:
    """Return the mean over anchors of [margin + hardest positive - hardest negative]+.

    Source: Hermans et al. (2017), equation 5, with Euclidean distances. The hardest positive is
    the farthest image of the anchor's person, itself included; the hardest negative is the
    nearest image of anybody else.

    Parameters
    ----------
    features : (B, D)
    labels : (B,) int64; at least two people, or there is no negative
    margin : in units of distance
    smallest_square : what squared distances are clamped to from below
    """
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * features @ features.T
    distances = squared.clamp(min=smallest_square).sqrt()
    same = labels[:, None] == labels[None, :]
    hardest_positive = distances.masked_fill(~same, -torch.inf).amax(dim=1)
    hardest_negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    return (margin + hardest_positive - hardest_negative).clamp(min=0.0).mean()
