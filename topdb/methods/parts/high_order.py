"""High-order attention: gates from products of linear maps of a position's channels."""

from collections.abc import Sequence
from functools import reduce
from operator import mul

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class HighOrderAttention(nn.Module):
    """Several attention modules, of different orders, side by side on the same map.

    Source: Chen et al. (ICCV 2019). The module of order R multiplies each position x of the map,
    channel by channel, with the mean over r = 1..R of sigmoid(P_r ReLU(D_r1 x * ... * D_rr x)).
    All D and P are 1x1 convolutions without bias of the module's own. As in the released code the
    sigmoid comes before the mean, and there is neither a norm nor a shortcut.

    Terms with equally many factors are computed side by side for all modules.

    Parameters
    ----------
    channels : of the map
    inner : channels that each D gives
    orders : of each module, rising
    """

    def __init__(self, channels: int, inner: int, orders: Sequence[int]) -> None:
        super().__init__()
        self.terms = [
            (power, [order for order in orders if order >= power])
            for power in range(1, orders[-1] + 1)
        ]
        """By number of factors: the modules that have such a term."""
        self.factors = nn.ModuleDict(
            {
                f"{order}_{power}_{number}": nn.Conv2d(channels, inner, 1, bias=False)
                for power, owners in self.terms
                for number in range(1, power + 1)
                for order in owners
            }
        )
        """D by order of the module, factors of the term, and place among them."""
        self.projections = nn.ModuleDict(
            {
                f"{order}_{power}": nn.Conv2d(inner, channels, 1, bias=False)
                for power, owners in self.terms
                for order in owners
            }
        )
        """P by order of the module and factors of the term."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (modules * B, C, H, W): all images by the first module, and so on."""
        gates: dict[int, Tensor] = {}
        for power, owners in self.terms:
            factors = [
                self.factors[f"{order}_{power}_{number}"]
                for number in range(1, power + 1)
                for order in owners
            ]
            weights = torch.cat([each.get_parameter("weight") for each in factors])
            product = reduce(mul, _convolved(features, weights).chunk(power, dim=1)).relu()
            for order, own in zip(owners, product.chunk(len(owners), dim=1), strict=True):
                weight = self.projections[f"{order}_{power}"].get_parameter("weight")
                term = _convolved(own, weight).sigmoid_()
                gates[order] = gates[order] + term if order in gates else term
        return torch.cat([(features * gate).div_(order) for order, gate in gates.items()])

    def released(self) -> dict[str, str]:
        """Return what the released code of MHN calls each convolution, by its name here."""
        names = {}
        for key in self.factors:
            order, power, number = key.split("_")
            names[f"factors.{key}"] = f"HIGH{int(order) - 1}.order{order}_{power}_{number}.0"
        for key in self.projections:
            order, power = key.split("_")
            names[f"projections.{key}"] = f"HIGH{int(order) - 1}.convb{order}_{power}.0"
        return names


def _convolved(features: Tensor, weights: Tensor) -> Tensor:
    """Return the 1x1 convolution of a map.

    The distance between the kernel's taps, of which there is one, does not matter. PyTorch though
    takes it for a reason to use oneDNN with small batches on one thread, which halves the time.
    """
    return conv2d(features, weights, dilation=2 if features.device.type == "cpu" else 1)
