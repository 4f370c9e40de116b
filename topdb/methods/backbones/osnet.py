"""OSNet's backbone: omni-scale blocks with gated streams (Zhou et al., ICCV 2019)."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, linear

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.norms import joined_norms
from topdb.methods.parts.stages import Stages


def convolve_and_normalise(features: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Return `norm(conv(features))`.

    In evaluation mode the normalisation is a factor and a shift of each channel. The convolution's
    weights take both over, which saves a pass over the map; numbers differ by rounding.

    Parameters
    ----------
    features : (B, channels, H, W)
    conv : without a bias
    norm : of its output; its own mode decides, and not that of the caller
    """
    if norm.training:
        result: Tensor = norm(conv(features))
        return result
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    weight = conv.weight * factor[:, None, None, None]
    shift = norm.bias - norm.running_mean * factor
    assert not isinstance(conv.padding, str)
    return conv2d(features, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups)


class ChannelGate(nn.Module):
    """One gate that several streams share (Zhou et al., ICCV 2019, equation 3).

    A stream's gate comes from its own average over the map, by two layers with a ReLU between them
    and a sigmoid after them.

    Parameters
    ----------
    channels : of every stream
    hidden : channels between the two layers
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, *streams: Tensor) -> Tensor:
        """Return the sum (B, channels, H, W) of the gated streams, each of that shape."""
        layers = (self.fc1.weight, self.fc1.bias, self.fc2.weight, self.fc2.bias)
        with torch.autocast(streams[0].device.type, enabled=False):
            result: Tensor = _GatedSum.apply(*layers, *streams)
        return result


class _GatedSum(torch.autograd.Function):
    """The gate's arithmetic with its gradient.

    Step by step autograd writes each stream's gradient out twice, once for the product and once
    for the average, and a product with 1 besides. Here it is written once.
    """

    @staticmethod
    def forward(
        ctx: Any, squeeze: Tensor, shift1: Tensor, excite: Tensor, shift2: Tensor, *streams: Tensor
    ) -> Tensor:
        first, second = squeeze.flatten(1), excite.flatten(1)
        area = streams[0].shape[2] * streams[0].shape[3]
        pooled = torch.stack([each.sum((2, 3), dtype=first.dtype) for each in streams]) / area
        hidden = linear(pooled, first, shift1).relu_()
        gates = linear(hidden, second, shift2).sigmoid_()
        ctx.save_for_backward(squeeze, excite, pooled, hidden, gates, *streams)
        factors = gates.to(streams[0].dtype)[..., None, None]
        result = streams[0] * factors[0]
        for stream, factor in zip(streams[1:], factors[1:], strict=True):
            result.addcmul_(stream, factor)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        squeeze, excite, pooled, hidden, gates, *streams = ctx.saved_tensors
        area = gradient.shape[2] * gradient.shape[3]
        by_gates = torch.stack(
            [(gradient * each).sum((2, 3), dtype=gates.dtype) for each in streams]
        )
        # Streams and images are rows alike: the layers are shared by all of them.
        by_second = (by_gates * gates * (1.0 - gates)).flatten(0, 1)
        hidden, pooled = hidden.flatten(0, 1), pooled.flatten(0, 1)
        by_first = (by_second @ excite.flatten(1)) * (hidden > 0)
        by_average = (by_first @ squeeze.flatten(1)).div_(area).view_as(gates)
        factors = gates.to(gradient.dtype)[..., None, None]
        shares = by_average.to(gradient.dtype)[..., None, None]
        return (
            (by_first.T @ pooled).view_as(squeeze),
            by_first.sum(0),
            (by_second.T @ hidden).view_as(excite),
            by_second.sum(0),
            *(
                torch.addcmul(share, gradient, factor)
                for share, factor in zip(shares, factors, strict=True)
            ),
        )


_CHANNELS = (64, 256, 384, 512)
_REDUCTION = 16
"""Of channels inside the gate."""
_FEW = 32
"""Below so many channels of a stream, calls cost more than their arithmetic."""


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, and a ReLU unless it is `linear`."""

    def __init__(
        self, channels: int, out: int, size: int = 1, stride: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, size, stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.linear = linear

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H / stride, W / stride)."""
        result = convolve_and_normalise(features, self.conv, self.bn)
        return result if self.linear else result.relu_()


class LightConv(nn.Module):
    """A 3x3 convolution in two: one of single pixels, then one of single channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        return convolve_and_normalise(self.conv1(features), self.conv2, self.bn).relu_()


class OSBlock(nn.Module):
    """A residual block of four streams that see 3, 5, 7 and 9 pixels, summed by one gate.

    Streams are one to four `LightConv` long. Narrow ones are computed side by side, level by
    level; the weights are the same.

    Parameters
    ----------
    channels : of the map that comes in
    out : of the map that goes out
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        middle = out // 4
        self.conv1 = ConvNorm(channels, middle)
        self.conv2a = LightConv(middle)
        self.conv2b = nn.Sequential(*(LightConv(middle) for _ in range(2)))
        self.conv2c = nn.Sequential(*(LightConv(middle) for _ in range(3)))
        self.conv2d = nn.Sequential(*(LightConv(middle) for _ in range(4)))
        self.gate = ChannelGate(middle, max(1, middle // _REDUCTION))
        self.conv3 = ConvNorm(middle, out, linear=True)
        self.downsample = ConvNorm(channels, out, linear=True) if channels != out else None
        self.side_by_side = middle < _FEW

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H, W)."""
        reduced = self.conv1(features)
        streams = self._levels(reduced) if self.side_by_side else self._streams(reduced)
        result: Tensor = self.conv3(self.gate(*streams))
        shortcut = features if self.downsample is None else self.downsample(features)
        return result.add_(shortcut).relu_()

    def _streams(self, reduced: Tensor) -> list[Tensor]:
        """Compute each stream (B, middle, H, W) by itself."""
        return [stream(reduced) for stream in (self.conv2a, self.conv2b, self.conv2c, self.conv2d)]

    def _levels(self, reduced: Tensor) -> list[Tensor]:
        """Compute the streams side by side; one ends at each level."""
        rows = [[self.conv2a], [*self.conv2b], [*self.conv2c], [*self.conv2d]]
        middle = reduced.shape[1]
        found = []
        for level in range(3):
            layers: list[LightConv] = [row[level] for row in rows[level:]]
            pixels = torch.cat([each.conv1.weight for each in layers])
            windows = torch.cat([each.conv2.weight for each in layers])
            # At the first level all streams read the same map.
            reduced = conv2d(reduced, pixels, groups=len(layers) if level else 1)
            reduced = conv2d(reduced, windows, padding=1, groups=len(windows))
            reduced = joined_norms(reduced, [each.bn for each in layers]).relu_()
            ended, reduced = torch.split(reduced, [middle, reduced.shape[1] - middle], dim=1)
            found.append(ended)
        return [*found, rows[3][3](reduced)]


def build(scale: ScaleSettings) -> Stages:
    """Build the network without pooling, `fc` and classifier.

    Its widths follow the scale. A map's odd last row or column is left out where it is halved
    after `conv2` and `conv3`.
    """
    stem, second, third, last = (scale.channels(full) for full in _CHANNELS)
    layers = OrderedDict(
        conv1=ConvNorm(3, stem, size=7, stride=2),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        conv2=nn.Sequential(OSBlock(stem, second), OSBlock(second, second), _halving(second)),
        conv3=nn.Sequential(OSBlock(second, third), OSBlock(third, third), _halving(third)),
        conv4=nn.Sequential(OSBlock(third, last), OSBlock(last, last)),
        conv5=ConvNorm(last, last),
    )
    return Stages(
        layers,
        ends={"stem": "maxpool", **{name: name for name in ("conv2", "conv3", "conv4", "conv5")}},
        channels={"stem": stem, "conv2": second, "conv3": third, "conv4": last, "conv5": last},
        strides={"stem": 4, "conv2": 8, "conv3": 16, "conv4": 16, "conv5": 16},
    )


def _halving(channels: int) -> nn.Sequential:
    """Return a layer of single pixels, then the average of each 2x2 of them."""
    return nn.Sequential(ConvNorm(channels, channels), nn.AvgPool2d(2))
