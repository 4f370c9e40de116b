"""Second-order non-local attention: positions attend by their covariance (Xia et al., ICCV 2019).

No code of the authors is public. The formula follows a third party's code (AGDN_SONA.py).
"""

from typing import Literal

import torch
from torch import Tensor, nn

Weight = Literal["scalar", "norm"]
"""The weight of the residual: one number, or the scales of a batch normalisation."""


def covariance_of_positions(vectors: Tensor) -> Tensor:
    """Return the covariance (B, N, N) of N positions over the channels of vectors (B, N, C).

    It is theta I theta^T with I = (1 - 11^T / C) / C: each position's own mean over the channels
    is taken off, and the sum of products is divided by their number.
    """
    centred = vectors - vectors.mean(dim=2, keepdim=True)
    return centred @ centred.transpose(1, 2) / vectors.shape[2]


class Factor(nn.Module):
    """A learned number that a map is multiplied by."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Map features of any shape to the same shape."""
        return features * self.weight


class SecondOrderNonLocal(nn.Module):
    """x + w p(A g(x)), where A is the softmax by row of the covariance of positions.

    The weight w starts at zero, so that the module changes nothing at first.

    Parameters
    ----------
    channels : of the map
    hidden : channels that theta and g reduce it to
    scaled : whether the covariance is divided by the square root of `hidden`
    weight : what w is
    """

    def __init__(self, channels: int, hidden: int, scaled: bool, weight: Weight) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, hidden, 1)
        self.g = nn.Conv2d(channels, hidden, 1)
        self.p = nn.Conv2d(hidden, channels, 1)
        self.scaled = scaled
        self.weight = nn.BatchNorm2d(channels) if weight == "norm" else Factor()

    def attention(self, features: Tensor) -> Tensor:
        """Return A (B, H W, H W) of maps (B, channels, H, W); each row adds up to 1."""
        vectors = self.theta(features).relu().flatten(2).transpose(1, 2)
        covariance = covariance_of_positions(vectors)
        if self.scaled:
            covariance = covariance / vectors.shape[2] ** 0.5
        result: Tensor = covariance.softmax(dim=2)
        return result

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        attention = self.attention(features)
        values = self.g(features).flatten(2).transpose(1, 2)
        gathered = (attention.to(values.dtype) @ values).transpose(1, 2)
        result: Tensor = features + self.weight(self.p(gathered.unflatten(2, features.shape[2:])))
        return result

    def start_at_nothing(self) -> None:
        """Set the weight of the residual to zero."""
        nn.init.zeros_(self.weight.weight)
