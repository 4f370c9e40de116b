"""Batch normalisation, joined, by pass and folded into convolutions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm


def joined_norms(features: Tensor, norms: Sequence[nn.BatchNorm2d]) -> Tensor:
    """Return what the layers give, each for its own equal share of the channels, side by side.

    Where maps are small the calls cost more than the arithmetic. Each layer's running statistics
    are updated as by itself.

    Parameters
    ----------
    features : (B, layers x channels, H, W)
    norms : of equal width, momentum, epsilon and mode
    """
    first = norms[0]
    means = torch.cat([_present(each.running_mean) for each in norms])
    variances = torch.cat([_present(each.running_var) for each in norms])
    result = batch_norm(
        features,
        means,
        variances,
        torch.cat([each.weight for each in norms]),
        torch.cat([each.bias for each in norms]),
        first.training,
        first.momentum or 0.0,
        first.eps,
    )
    if first.training:
        parts = zip(norms, means.chunk(len(norms)), variances.chunk(len(norms)), strict=True)
        for norm, mean, variance in parts:
            _present(norm.running_mean).copy_(mean)
            _present(norm.running_var).copy_(variance)
            _present(norm.num_batches_tracked).add_(1)
    return result


def _present(statistic: Tensor | None) -> Tensor:
    assert statistic is not None
    return statistic


class NormByPass2d(nn.BatchNorm2d):
    """Batch normalisation that trains on equal parts of the batch one after the other."""

    passes: int = 1
    """Parts of a training batch."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (passes * B, C, H, W); running statistics are those of `passes` calls in order."""
        norm = super().forward
        if not self.training:
            return norm(features)
        return torch.cat([norm(each) for each in features.chunk(self.passes)])


class NormByPass1d(nn.BatchNorm1d):
    """Batch normalisation that trains on equal parts of the batch one after the other."""

    passes: int = 1
    """Parts of a training batch."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (passes * B, C); running statistics are those of `passes` calls in order."""
        norm = super().forward
        if not self.training:
            return norm(features)
        return torch.cat([norm(each) for each in features.chunk(self.passes)])


def normalise_by_pass(module: nn.Module, passes: int) -> None:
    """Let every batch normalisation below `module` take its statistics pass by pass.

    A training batch has then `passes` equal parts. Names, weights and testing stay as they are.
    """
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            norm: NormByPass1d | NormByPass2d
            if type(layer) is nn.BatchNorm2d:
                norm = NormByPass2d(layer.num_features, layer.eps, layer.momentum)
            elif type(layer) is nn.BatchNorm1d:
                norm = NormByPass1d(layer.num_features, layer.eps, layer.momentum)
            else:
                continue
            norm.load_state_dict(layer.state_dict())
            norm.passes = passes
            setattr(parent, name, norm)


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
