"""Bottlenecks, reductions and classifiers of several branches at once."""

import torch
from torch import Tensor, nn

from topdb.methods.parts.norms import joined_norms


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut (He et al., CVPR 2016); shape unchanged."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map (B, channels, H, W)."""
        refined = self.bn1(self.conv1(features)).relu_()
        refined = self.bn2(self.conv2(refined)).relu_()
        refined = self.bn3(self.conv3(refined))
        result: Tensor = (refined + features).relu_()
        return result


class Reductions(nn.ModuleList):
    """Of each branch a 1x1 convolution, batch normalisation and ReLU, over pooled vectors.

    Entries are called `<branch>.0` (convolution) and `<branch>.1` (normalisation).

    Parameters
    ----------
    branches : how many
    channels : of a pooled vector
    reduced : of what comes out
    bias : whether the convolutions have one
    """

    def __init__(self, branches: int, channels: int, reduced: int, bias: bool) -> None:
        super().__init__(
            nn.Sequential(nn.Conv2d(channels, reduced, 1, bias=bias), nn.BatchNorm2d(reduced))
            for _ in range(branches)
        )

    def convolutions(self) -> list[nn.Conv2d]:
        """Return the convolution of each branch."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]

    def normalisations(self) -> list[nn.BatchNorm2d]:
        """Return the batch normalisation of each branch."""
        return [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]

    def forward(self, vectors: Tensor) -> Tensor:
        """Map vectors (branches, B, channels) to (branches, B, reduced), none below 0."""
        layers = self.convolutions()
        weights = torch.stack([each.weight.flatten(1) for each in layers])
        reduced = torch.bmm(vectors, weights.transpose(1, 2))
        biases = [each.bias for each in layers if each.bias is not None]
        if biases:
            reduced = reduced + torch.stack(biases)[:, None]
        side_by_side = reduced.transpose(0, 1).flatten(1)
        normalised = joined_norms(side_by_side, self.normalisations())
        return normalised.view(*reduced.shape[1::-1], -1).transpose(0, 1).relu()


class Classifiers(nn.ModuleList):
    """Of each branch a linear classifier; entries are called `<branch>`.

    Parameters
    ----------
    branches : how many
    features : that a branch classifies by
    identities : people to tell apart
    """

    def __init__(self, branches: int, features: int, identities: int) -> None:
        super().__init__(nn.Linear(features, identities) for _ in range(branches))

    def layers(self) -> list[nn.Linear]:
        """Return the classifier of each branch."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear)]

    def forward(self, features: Tensor) -> Tensor:
        """Map features (branches, B, features) to logits (branches, B, identities)."""
        weights = torch.stack([each.weight for each in self.layers()])
        biases = torch.stack([each.bias for each in self.layers()])
        return torch.bmm(features, weights.transpose(1, 2)) + biases[:, None]
