"""High-order attention, its adversary and its head (MHN)."""

from collections.abc import Sequence
from functools import reduce
from operator import mul

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, normalize

from topdb.methods.parts.stripes import adaptive_stripe_averages


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


def reversed_gradient(values: Tensor) -> Tensor:
    """Return the values as they are, whose gradient is passed on with its sign turned.

    Source: Ganin & Lempitsky (ICML 2015). Weights that are applied to the result get their own
    gradient as usual. Doubling is exact in floating point, so the values are the same bits.
    """
    return 2.0 * values.detach() - values


class OrderAdversary(nn.Module):
    """Map features to unit vectors, and measure how far those of different orders lie apart.

    The gradient of the distance is reversed where it leaves for the features. So whoever lowers
    the distance trains the adversary to lower it, and the network to raise it. Source: Chen et
    al. (ICCV 2019), the adversarial constraint; layers as in the released code, `AdvDivLoss`,
    whose names they keep.

    Parameters
    ----------
    features : length of a feature vector
    width : of both layers
    orders : how many there are, at least two
    """

    def __init__(self, features: int, width: int, orders: int) -> None:
        super().__init__()
        self.orders = orders
        self.fc_pre = nn.Sequential(nn.Linear(features, width, bias=False))
        self.fc = nn.Sequential(
            nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width), nn.BatchNorm1d(width)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the mean distance between one image's vectors of two orders, without shape.

        `features` is (orders * B, D): all images by the first order, and so on. Distances are
        Euclidean, averaged over pairs of orders and images.
        """
        shown = self.fc_pre(reversed_gradient(normalize(features)))
        vectors = normalize(self.fc(shown)).view(self.orders, -1, shown.shape[1])
        apart = [vectors[step:] - vectors[:-step] for step in range(1, self.orders)]
        distance: Tensor = torch.cat(apart).norm(dim=2).mean()
        return distance


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
