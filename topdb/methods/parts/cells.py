"""Cells of Auto-ReID (Quan et al., ICCV 2019): its published genotype and the operations in it.

Genotype: `models/genotypes.py` of bochuanwu/Auto-ReID-and-Others @480f6f4, the final model. The
operations are D-X-Y's, `xautodl/nas_infer_model` and `xautodl/models/cell_operations.py` of
AutoDL-Projects @f46486e; entries of the state dict have the names of that code.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from topdb.methods.parts.stages import average

Genotype = tuple[tuple[tuple[str, int], tuple[str, int]], ...]
"""By node: two operations, each with the number of its input. Inputs 0 and 1 are the outputs of
the last cell but one and of the last cell; input i + 2 is node i."""

NORMAL: Genotype = (
    (("sep_conv_3x3", 0), ("skip_connect", 1)),
    (("dil_conv_3x3", 2), ("dil_conv_3x3", 0)),
    (("dil_conv_3x3", 3), ("sep_conv_3x3", 2)),
    (("dil_conv_3x3", 4), ("dil_conv_3x3", 3)),
)
REDUCTION: Genotype = (
    (("max_pool_3x3", 0), ("part_aware", 1)),
    (("sep_conv_3x3", 0), ("dil_conv_3x3", 2)),
    (("dil_conv_3x3", 2), ("max_pool_3x3", 0)),
    (("dil_conv_3x3", 4), ("dil_conv_3x3", 3)),
)
PARTS = 4
"""Of the part-aware operation; a map needs as many rows."""


def _separable(channels: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, a 3x3 convolution of single channels, one of single pixels, normalisation."""
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride, dilation, dilation, channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


class Operation(nn.Module):
    """Layers in a row, below the name `op`."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to what the last layer gives."""
        result: Tensor = self.op(features)
        return result


class FactorizedReduce(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2, one of them a pixel further on, normalisation."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, each, 1, 2, bias=False) for each in (out // 2, out - out // 2)
        )
        self.bn = nn.BatchNorm2d(out)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H / 2, W / 2), rounded up."""
        features = features.relu()
        shifted = nn.functional.pad(features, (0, 1, 0, 1))[:, :, 1:, 1:]
        result: Tensor = self.bn(
            torch.cat([self.convs[0](features), self.convs[1](shifted)], dim=1)
        )
        return result


class PointwiseNorm(nn.Module):
    """A 1x1 convolution and normalisation: how the part-aware operation ends at stride 1."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H, W)."""
        result: Tensor = self.bn(self.conv(features))
        return result


class PartAware(nn.Module):
    """Body parts, cut across, attend to each other; each tells its rows what it found.

    Parameters
    ----------
    channels : of the map that comes in
    out : of the map that goes out
    stride : 1 or 2
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        hidden = channels // 3
        self.local_conv_list = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden))
            for _ in range(PARTS)
        )
        self.W_K = nn.Linear(hidden, hidden)
        self.W_Q = nn.Linear(hidden, hidden)
        ending = FactorizedReduce if stride == 2 else PointwiseNorm
        self.last = ending(channels + hidden, out)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W), H at least 4, to (B, out, H / stride, W / stride)."""
        height, width = features.shape[2:]
        cuts = [each * height // PARTS for each in range(PARTS + 1)]
        rows = [last - first for first, last in pairwise(cuts)]
        parts = torch.stack(
            [
                local(average(part)[:, :, None, None]).flatten(1)
                for local, part in zip(
                    self.local_conv_list, torch.split(features, rows, dim=2), strict=True
                )
            ],
            dim=1,
        )
        attention = (self.W_K(parts) @ self.W_Q(parts).transpose(1, 2)).softmax(dim=2)
        told = (attention.to(parts.dtype) @ parts).transpose(1, 2)  # (B, hidden, parts)
        spread = torch.cat(
            [told[:, :, i : i + 1].expand(-1, -1, each) for i, each in enumerate(rows)], dim=2
        )
        spread = spread[..., None].expand(-1, -1, -1, width)
        result: Tensor = self.last(torch.cat([features, spread.to(features.dtype)], dim=1))
        return result


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """Return the operation that a genotype names, of as many channels in as out."""
    match name:
        case "sep_conv_3x3":
            return Operation([*_separable(channels, stride), *_separable(channels, 1)])
        case "dil_conv_3x3":
            return Operation(_separable(channels, stride, dilation=2))
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "part_aware":
            return PartAware(channels, channels, stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
        case _:
            raise ValueError(f"no operation is called {name}")


class Cell(nn.Module):
    """A cell of the published genotype: four nodes, each the sum of two operations.

    Parameters
    ----------
    earlier, latest : channels of its two inputs, the outputs of the two cells before it
    channels : of each node
    reduces : whether it halves the map
    halved : whether the cell before it did, so that its first input is twice as large
    """

    def __init__(
        self, earlier: int, latest: int, channels: int, reduces: bool, halved: bool
    ) -> None:
        super().__init__()
        self.preprocess0 = (
            FactorizedReduce(earlier, channels) if halved else _narrowed(earlier, channels)
        )
        self.preprocess1 = _narrowed(latest, channels)
        edges = [edge for node in (REDUCTION if reduces else NORMAL) for edge in node]
        self.inputs = [source for _, source in edges]
        self._ops = nn.ModuleList(
            operation(name, channels, 2 if reduces and source < 2 else 1) for name, source in edges
        )

    def forward(self, earlier: Tensor, latest: Tensor) -> Tensor:
        """Return the nodes' maps side by side, (B, 4 channels, H, W)."""
        states = [self.preprocess0(earlier), self.preprocess1(latest)]
        edges = list(zip(self._ops, self.inputs, strict=True))
        for (first, one), (second, other) in zip(edges[::2], edges[1::2], strict=True):
            states.append(first(states[one]) + second(states[other]))
        return torch.cat(states[2:], dim=1)


def _narrowed(channels: int, out: int) -> Operation:
    return Operation([nn.ReLU(), nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)])


class Cells(nn.ModuleList):
    """Four stages of cells; a reduction cell stands before the normal ones of the last three.

    Parameters
    ----------
    channels : of the map that comes in, which is both inputs of the first cell
    width : of a node in the first stage; it doubles from stage to stage
    normal : normal cells of each stage; of the first at least one
    """

    def __init__(self, channels: int, width: int, normal: Sequence[int]) -> None:
        super().__init__()
        earlier = latest = channels
        halved = False
        for stage, count in enumerate(normal):
            for reduces in [*([True] if stage else []), *[False] * count]:
                self.append(Cell(earlier, latest, width << stage, reduces, halved))
                earlier, latest, halved = latest, 4 * (width << stage), reduces

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, 32 width, H / 8, W / 8), rounded up."""
        earlier = latest = features
        for cell in self:
            earlier, latest = latest, cell(earlier, latest)
        return latest
