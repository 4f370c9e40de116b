"""ABD-Net's attentive branch, behind the backbone: stripes of a map, each through three heads."""

import torch
from torch import Tensor, nn

from topdb.methods.parts.attention import AttentionHead, ChannelAttention, PositionAttention
from topdb.methods.parts.pooling import average


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
