"""Losses of several branches at once, one number a branch."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


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
