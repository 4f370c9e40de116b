"""MHN's head: a feature of each stripe and order, and a classifier of each of these."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from topdb.methods.parts.adaptive_stripes import adaptive_stripe_averages


class OrderedHead(nn.Module):
    """Reduce the mean of each stripe to a feature, and tell people by it.

    All orders share a stripe's reduction, a linear layer with batch normalisation: maps of
    different orders come side by side on the batch axis. Classifiers are not shared.

    Parameters
    ----------
    channels : of the map
    width : length of a feature
    stripes, orders : how many there are
    identities : training people
    norm : length that features are brought to; None: they are left as they are
    slope : of a leaky ReLU at the reduction's end; None: there is none
    """

    def __init__(
        self,
        channels: int,
        width: int,
        stripes: int,
        orders: int,
        identities: int,
        norm: float | None = None,
        slope: float | None = None,
    ) -> None:
        super().__init__()
        self.norm = norm
        end = [] if slope is None else [nn.LeakyReLU(slope)]
        self.reductions = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, width), nn.BatchNorm1d(width), *end)
            for _ in range(stripes)
        )
        self.classifiers = nn.ModuleList(
            nn.Linear(width, identities) for _ in range(stripes * orders)
        )
        """Of all orders of the first stripe, then of the next."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (orders * B, channels, H, W) to features (stripes, orders * B, width)."""
        means = adaptive_stripe_averages(maps, len(self.reductions))
        found = [reduce(mean) for reduce, mean in zip(self.reductions, means, strict=True)]
        features = torch.stack(found)
        return features if self.norm is None else self.norm * normalize(features, dim=2)

    def logits(self, features: Tensor) -> Tensor:
        """Return (stripes * orders, B, identities) of features (stripes, orders * B, width)."""
        each = features.view(len(self.classifiers), -1, features.shape[2])
        weights = torch.stack([own.get_parameter("weight") for own in self.classifiers])
        biases = torch.stack([own.get_parameter("bias") for own in self.classifiers])
        return torch.baddbmm(biases[:, None], each, weights.transpose(1, 2))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw starting weights as the released code of MHN does."""
        for layer in self.reductions.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", generator=generator)
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.BatchNorm1d):
                nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)
                nn.init.zeros_(layer.bias)
        for classifier in self.classifiers:
            nn.init.normal_(classifier.get_parameter("weight"), std=0.001, generator=generator)
            nn.init.zeros_(classifier.get_parameter("bias"))
