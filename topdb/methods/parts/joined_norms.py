"""Several batch normalisations of neighbouring channels in one call."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm


def joined_norms(features: Tensor, norms: Sequence[nn.BatchNorm2d]) -> Tensor:
    """Return what the layers give, each for its own equal share of the channels, side by side.

    Where maps are small the calls cost more than the arithmetic. Each layer's running statistics
    are updated as by itself.

    Parameters
    ----------
    features : (B, layers x channels, H, W)
    norms : of equal width, momentum, epsilon and mode
    """
    first = norms[0]
    means = torch.cat([_present(each.running_mean) for each in norms])
    variances = torch.cat([_present(each.running_var) for each in norms])
    result = batch_norm(
        features,
        means,
        variances,
        torch.cat([each.weight for each in norms]),
        torch.cat([each.bias for each in norms]),
        first.training,
        first.momentum or 0.0,
        first.eps,
    )
    if first.training:
        parts = zip(norms, means.chunk(len(norms)), variances.chunk(len(norms)), strict=True)
        for norm, mean, variance in parts:
            _present(norm.running_mean).copy_(mean)
            _present(norm.running_var).copy_(variance)
            _present(norm.num_batches_tracked).add_(1)
    return result


def _present(statistic: Tensor | None) -> Tensor:
    assert statistic is not None
    return statistic
