"""1x1 convolutions of small batches, on one CPU thread."""

import torch
from torch import Tensor, nn

_LARGE = 16
"""Images from which on PyTorch gives 1x1 convolutions to oneDNN, whatever the threads."""


class Pointwise(nn.Conv2d):
    """A 1x1 convolution that shows PyTorch a small batch as at least 16 images of one row each.

    Of fewer images, one CPU thread runs 1x1 convolutions by a general matrix product, at half the
    speed of oneDNN. A 1x1 convolution maps every place by itself, so that the result is the same
    but for rounding. With channels last, the other shape is a view.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out_channels, H, W)."""
        batch, channels, height, width = features.shape
        if (
            batch >= _LARGE
            or features.device.type != "cpu"
            or not features.is_contiguous(memory_format=torch.channels_last)
        ):
            return super().forward(features)
        places = batch * height * width
        parts = next((n for n in range(_LARGE, places) if places % n == 0), places)
        row = features.permute(0, 2, 3, 1).view(parts, 1, places // parts, channels)
        mapped = super().forward(row.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return mapped.reshape(batch, height, width, self.out_channels).permute(0, 3, 1, 2)


def pointwise(module: nn.Module) -> None:
    """Replace all plain 1x1 convolutions below `module`; their weights are drawn later."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if (
                type(layer) is nn.Conv2d
                and layer.kernel_size == (1, 1)
                and layer.stride == (1, 1)
                and layer.padding == (0, 0)
                and layer.groups == 1
            ):
                bias = layer.bias is not None
                setattr(
                    parent, name, Pointwise(layer.in_channels, layer.out_channels, 1, bias=bias)
                )
