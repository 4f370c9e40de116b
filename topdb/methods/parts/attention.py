"""Attention over channels and positions, and stripes of it (ABD-Net)."""

import torch
from torch import Tensor, nn

from topdb.methods.parts.stages import average


class ChannelAttention(nn.Module):
    """Add to each channel a mean of all channels, weighted by how little alike they are.

    Source: the released code of ABD-Net, its CAM. As in the Dual Attention Network's code a weight
    is the softmax of the row's largest product of channels less the product; nothing is scaled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        pixels = _pixels(features)
        products = pixels.mT @ pixels
        # A softmax does not see what is added to a whole row: the largest need not be found.
        weights = torch.softmax(-products, dim=2)
        return torch.addcmul(features, self.gamma, (pixels @ weights.mT).mT.view_as(features))


class PositionAttention(nn.Module):
    """Add to each position a mean over all positions, weighted by learned similarities.

    Source: the released code of ABD-Net, its PAM. The paper draws batch normalisation and ReLU
    after the three convolutions, which that code lacks.

    Parameters
    ----------
    channels : of the map; queries and keys have an eighth of them, at least one
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, max(1, channels // 8), 1)
        self.key = nn.Conv2d(channels, max(1, channels // 8), 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        products = _pixels(self.query(features)) @ _pixels(self.key(features)).mT
        seen = torch.softmax(products, dim=2) @ _pixels(self.value(features))
        return torch.addcmul(features, self.gamma, seen.mT.view_as(features))


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation that in training takes the statistics of each share of a batch apart.

    It is what a layer does that sees the shares one after the other.

    Parameters
    ----------
    channels : of the map
    shares : of equal size, one after the other along the batch
    """

    def __init__(self, channels: int, shares: int) -> None:
        super().__init__(channels)
        self.shares = shares

    def forward(self, features: Tensor) -> Tensor:
        """Map (shares * B, C, H, W) to (shares * B, C, H, W)."""
        if self.shares == 1 or not self.training:
            return super().forward(features)
        shares = features.chunk(self.shares)
        return torch.cat([nn.BatchNorm2d.forward(self, each) for each in shares])


class AttentionHead(nn.Module):
    """A 3x3 convolution to half the channels, attention, another convolution, and the way back.

    Source: the released code of ABD-Net, which has it from the Dual Attention Network's.

    Parameters
    ----------
    channels : of the map that comes in, and of the one that goes out
    attention : between the convolutions, on half the channels
    shares : of a batch, one after the other, which are normalised apart in training
    """

    def __init__(self, channels: int, attention: nn.Module, shares: int = 1) -> None:
        super().__init__()
        half = channels // 2
        self.reduce = _convolution(channels, half, shares)
        self.attention = attention
        self.refine = _convolution(half, half, shares)
        self.expand = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(half, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        expanded: Tensor = self.expand(self.refined(features))
        return expanded

    def refined(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C / 2, H, W): what `expand` is given."""
        found: Tensor = self.refine(self.attention(self.reduce(features)))
        return found


def _convolution(channels: int, out_channels: int, shares: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
        SharedBatchNorm(out_channels, shares),
        nn.ReLU(inplace=True),
    )


def _pixels(features: Tensor) -> Tensor:
    """Return a map (B, C, H, W) as (B, H * W, C): a view, whatever its layout."""
    return features.flatten(2).mT


class AttentiveStripes(nn.Module):
    """Reduce a map's channels, cut it into stripes, and add up three heads on each.

    The stripes share all layers. In training each stripe is normalised by its own statistics.
    Source: the released code of ABD-Net.

    Parameters
    ----------
    channels : of the map
    width : channels of the reduced map and of the feature vectors
    stripes : of equal height; the map's rows must be a multiple
    """

    def __init__(self, channels: int, width: int, stripes: int) -> None:
        super().__init__()
        self.stripes = stripes
        self.reduction = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.plain = AttentionHead(width, nn.Identity(), stripes)
        self.channel = AttentionHead(width, ChannelAttention(), stripes)
        self.position = AttentionHead(width, PositionAttention(width // 2), stripes)
        self.blend = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(width, width, 1))

    def forward(self, features: Tensor, whole: bool = True) -> tuple[list[Tensor], list[Tensor]]:
        """Return the feature vector (B, width) of each stripe, and four maps.

        The maps are (stripes * B, width, H / stripes, W), the first stripes of all images first:
        those of the plain head, of channel and of position attention, and their blend, which is
        pooled. What follows a head's attention is linear and sees one position at a time. Unless
        the maps are wanted `whole`, pooling therefore comes first, which gives the same vectors
        for less; each map is then its mean, of one row and one column.

        Parameters
        ----------
        features : (B, channels, H, W)
        whole : whether somebody wants to see the maps
        """
        stripes = torch.cat(self.reduction(features).chunk(self.stripes, dim=2))
        maps = []
        for head in (self.plain, self.channel, self.position):
            refined = head.refined(stripes)
            maps.append(head.expand(refined if whole else average(refined)[..., None, None]))
        maps.append(self.blend(maps[0] + maps[1] + maps[2]))
        return list(average(maps[-1]).chunk(self.stripes)), maps

    def joined(self, stripes: Tensor) -> Tensor:
        """Return one of the maps with its stripes put together, (B, width, H, W)."""
        return torch.cat(stripes.chunk(self.stripes), dim=2)
