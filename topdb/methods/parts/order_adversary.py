"""MHN's adversary: it draws the features of different orders together, the network apart."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from topdb.methods.parts.gradient_reversal import reversed_gradient


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
