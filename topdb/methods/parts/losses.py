"""Losses of embeddings and of branches."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

_SMALLEST_SQUARE = 1e-12
"""Keeps the square root's gradient finite where two features are equal."""


def batch_hard_triplet(
    features: Tensor,
    labels: Tensor,
    margin: float | None,
    smallest_square: float = _SMALLEST_SQUARE,
) -> Tensor:
    """Return the mean over anchors of [margin + hardest positive - hardest negative]+.

    Source: Hermans et al. (2017), equation 5, with Euclidean distances. The hardest positive is
    the farthest image of the anchor's person, itself included; the hardest negative is the
    nearest image of anybody else.

    Parameters
    ----------
    features : (B, D)
    labels : (B,) int64; at least two people, or there is no negative
    margin : in units of distance; None for the soft margin, log(1 + e^x) in place of [margin + x]+
    smallest_square : what squared distances are clamped to from below
    """
    squares = features.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * features @ features.T
    distances = squared.clamp(min=smallest_square).sqrt()
    same = labels[:, None] == labels[None, :]
    hardest_positive = distances.masked_fill(~same, -torch.inf).amax(dim=1)
    hardest_negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    if margin is None:
        return softplus(hardest_positive - hardest_negative).mean()
    return (margin + hardest_positive - hardest_negative).clamp(min=0.0).mean()


def branch_cross_entropies(logits: Tensor, people: Tensor) -> Tensor:
    """Return the mean cross entropy of each branch, (branches,).

    Parameters
    ----------
    logits : (branches, B, identities)
    people : (B,) int64
    """
    branches, batch = logits.shape[:2]
    losses = cross_entropy(logits.flatten(0, 1), people.repeat(branches), reduction="none")
    return losses.view(branches, batch).mean(dim=1)


def branch_triplets(
    features: Tensor, people: Tensor, margin: float, smallest_square: float = 1e-12
) -> Tensor:
    """Return the batch-hard triplet loss of each branch, (branches,).

    It is `batch_hard_triplet` of every branch's features on their own.

    Parameters
    ----------
    features : (branches, B, D)
    people : (B,) int64; at least two people, or there is no negative
    margin : in units of distance
    smallest_square : what squared distances are clamped to from below
    """
    squares = features.square().sum(dim=2)
    products = torch.bmm(features, features.transpose(1, 2))
    squared = squares[:, :, None] + squares[:, None, :] - 2.0 * products
    distances = squared.clamp(min=smallest_square).sqrt()
    same = people[:, None] == people[None, :]
    hardest_positive = distances.masked_fill(~same, -torch.inf).amax(dim=2)
    hardest_negative = distances.masked_fill(same, torch.inf).amin(dim=2)
    return (margin + hardest_positive - hardest_negative).clamp(min=0.0).mean(dim=1)
