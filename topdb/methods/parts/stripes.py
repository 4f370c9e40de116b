"""Horizontal stripes: equal shares of a feature map's rows, each pooled to one vector."""

from collections.abc import Sequence
from math import lcm

from torch import Tensor
from torch.nn.functional import max_pool2d

from topdb.errors import UserError
from topdb.methods.parts.stages import Stages


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
