"""Pooling of feature maps by stripes, and by pyramids of stripes."""

from collections.abc import Sequence
from math import lcm

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from topdb.errors import UserError
from topdb.methods.parts.stages import Stages, average
from topdb.methods.parts.starts import default_start


def require_stripes(backbone: Stages, height: int, counts: Sequence[int], method: str) -> None:
    """Check that the rows of the backbone's map can be cut into stripes.

    Parameters
    ----------
    backbone : what gives the map
    height : of the images, in pixels
    counts : numbers of stripes, each of which has to divide the rows
    method : whose stripes they are

    Raises
    ------
    UserError
        The rows do not divide; the message names a height that does.
    """
    rows, multiple = backbone.rows(height), lcm(*counts)
    if rows % multiple == 0:
        return
    fitting = -(-rows // multiple) * multiple * backbone.stage_strides[backbone.stages[-1]]
    raise UserError(
        f"{method} cuts a feature map into {' and '.join(map(str, counts))} equal stripes, but "
        f"images {height} pixels high give {rows} rows: set scale.size or changes.{method}.size "
        f"in params.yaml to a height such as {fitting}, whose rows {multiple} divides."
    )


def stripe_maxima(features: Tensor, count: int) -> Tensor:
    """Return the maximum of each of `count` stripes, (count, B, C), of maps (B, C, H, W)."""
    height, width = features.shape[2:]
    return max_pool2d(features, (height // count, width)).squeeze(3).permute(2, 0, 1)


def stripe_averages(features: Tensor, count: int) -> Tensor:
    """Return the mean of each of `count` stripes, (count, B, C), of maps (B, C, H, W).

    Channels are brought to the end first. So the gradient is laid out channels last, as maps are
    where training is fast; any other layout would slow down all layers below.
    """
    batch, channels, height, width = features.shape
    rows = height // count
    stripes = features.permute(0, 2, 3, 1).reshape(batch, count, rows * width, channels)
    return stripes.sum(dim=2).transpose(0, 1) / (rows * width)


def adaptive_stripe_averages(features: Tensor, count: int) -> list[Tensor]:
    """Return the mean of each of `count` stripes, (B, C), of maps (B, C, H, W).

    Stripe i has the rows from i H / count, rounded down, to (i + 1) H / count, rounded up, as in
    PyTorch's adaptive pooling; the gradient of that is not reproducible on a GPU.
    """
    rows = features.shape[2]
    if rows % count == 0:
        return list(stripe_averages(features, count).unbind())
    bounds = [(at * rows // count, -(-(at + 1) * rows // count)) for at in range(count)]
    return [average(features[:, :, top:bottom]) for top, bottom in bounds]


def stripe_counts(rows: int, levels: int) -> list[int]:
    """Return how many stripes each level of a pyramid cuts a map of `rows` rows into.

    Level i, from 0, has stripes of rows // 2^i rows, as many as fit in: 2^i of them if that
    divides the rows; 96 rows give 1, 2, 4, 8, 16, 32 and 96. A level whose stripes would have no
    rows ends the pyramid. Source: the released code of PyrNet.
    """
    return [rows // height for height in _heights(rows, levels)]


def stripe_pyramid(features: Tensor, levels: int) -> Tensor:
    """Return the maxima of all stripes, (B, C * stripes), of maps (B, C, H, W).

    Level by level; within a level channel by channel, and there from top to bottom.
    """
    rows, width = features.shape[2:]
    maxima = max_pool2d(features, (1, width))  # of each row once, for all levels
    found = [max_pool2d(maxima, (height, 1)).flatten(1) for height in _heights(rows, levels)]
    return torch.cat(found, dim=1)


def require_levels(
    backbone: Stages, stages: Sequence[str], rows: Sequence[int], levels: Sequence[int], method: str
) -> None:
    """Check that the maps of some stages have rows enough for their pyramids.

    Parameters
    ----------
    stages : of the backbone, in order
    rows, levels : of each stage's map, and of its pyramid
    method : whose pyramids they are

    Raises
    ------
    UserError
        A pyramid ends early; the message names a height at which it does not.
    """
    for stage, found, wanted in zip(stages, rows, levels, strict=True):
        least = 2 ** (wanted - 1)
        if found < least:
            raise UserError(
                f"{method}'s pyramid after {stage} has {wanted} levels, which need {least} rows, "
                f"and the images give {found}: set scale.size or changes.{method}.size in "
                f"params.yaml to a height of at least {least * backbone.stage_strides[stage]}."
            )


class StripePyramid(nn.Module):
    """A map, reduced to few channels, pooled in stripes of several heights, and mapped to features.

    Parameters
    ----------
    channels : of the map
    maps : channels that it is reduced to
    rows : of the map
    levels : of the pyramid; fewer where the rows end it
    features : D
    """

    def __init__(self, channels: int, maps: int, rows: int, levels: int, features: int) -> None:
        super().__init__()
        self.levels = levels
        self.convolution = nn.Conv2d(channels, maps, 1)
        self.map_norm = nn.BatchNorm2d(maps)
        self.linear = nn.Linear(maps * sum(stripe_counts(rows, levels)), features)
        self.norm = nn.BatchNorm1d(features)
        self.activation = nn.LeakyReLU(0.1, inplace=True)

    def pooled(self, features: Tensor) -> Tensor:
        """Return the maxima of all stripes of maps (B, channels, rows, W)."""
        reduced = self.activation(self.map_norm(self.convolution(features)))
        return stripe_pyramid(reduced, self.levels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, rows, W) to (B, D)."""
        result: Tensor = self.activation(self.norm(self.linear(self.pooled(features))))
        return result

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the starting weights of PyrNet's released code.

        He et al. (ICCV 2015), normal: fan in for the convolution, fan out for the linear layer.
        The convolution's bias is PyTorch's own, the linear layer's 0. Scales of batch
        normalisation are normal around 1 with standard deviation 0.02.
        """
        default_start(self.convolution, generator)
        nn.init.kaiming_normal_(self.convolution.weight, generator=generator)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out", generator=generator)
        nn.init.zeros_(self.linear.bias)
        for norm in (self.map_norm, self.norm):
            nn.init.normal_(norm.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(norm.bias)


def _heights(rows: int, levels: int) -> list[int]:
    return [rows // 2**level for level in range(levels) if rows >= 2**level]
