"""Streams that are weighed channel by channel by one shared gate, and summed."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


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
