"""How far from orthogonal channels are: ABD-Net's penalties on features and on weights.

Source: Chen et al., ABD-Net (ICCV 2019), and its released code. The rows of M are orthogonal and
equally long where all eigenvalues of M M^T are the same: what is penalised is the largest less the
smallest.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def eigenvalue_gap(matrices: Tensor, starts: Tensor) -> Tensor:
    """Return the largest less the smallest eigenvalue of each M M^T, each by one power step.

    With A = M M^T, the largest is the Rayleigh quotient of A at A x, and the smallest that of
    A - largest at (A - largest) y, plus the largest. A single step is far from the eigenvalues,
    often by half, but the weights that the authors give the penalties belong to it. A is not
    formed, since M (M^T x) is the same for a fraction of the work.

    Parameters
    ----------
    matrices : M, (..., R, K)
    starts : x and y as columns, (..., R, 2)

    Returns
    -------
    (...)
    """
    across = matrices.mT @ starts
    stepped = matrices @ across
    stepped_across = matrices.mT @ stepped
    largest = _quotient(stepped_across[..., 0], stepped[..., 0])
    shift = largest[..., None]
    smallest = _quotient(
        stepped_across[..., 1] - shift * across[..., 1], stepped[..., 1] - shift * starts[..., 1]
    )
    return largest - smallest


def features_penalty(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Return the sum over maps (N, C, H, W) of the gap of their channels: O.F., unweighted."""
    return eigenvalue_gap(maps.flatten(2), normal_starts(maps, generator)).sum()


def weights_penalty(weights: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Return the sum over convolutions of the squared gap of their filters: O.W., unweighted.

    Parameters
    ----------
    weights : each (out, in, height, width)
    generator : on the CPU, of the starts
    """
    gaps = [eigenvalue_gap(each.flatten(1), uniform_starts(each, generator)) for each in weights]
    return torch.stack(gaps).square().sum()


def normal_starts(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Draw starts (N, C, 2), normally distributed, for the channels of maps (N, C, H, W)."""
    return torch.randn(*maps.shape[:2], 2, generator=generator).to(maps, non_blocking=True)


def uniform_starts(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Draw starts (out, 2), uniform between 0 and 1, for a convolution (out, in, h, w)."""
    return torch.rand(len(weight), 2, generator=generator).to(weight, non_blocking=True)


def _quotient(across: Tensor, vector: Tensor) -> Tensor:
    """Return v^T M M^T v / v^T v, given M^T v and v."""
    return across.square().sum(dim=-1) / vector.square().sum(dim=-1)
