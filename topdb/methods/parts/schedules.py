"""Schedules that are one method's own."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from topdb.methods.contract.recipe import Moment


@dataclass(frozen=True)
class CosineByEpoch:
    """Half a cosine from the base to zero; the rate of an epoch is that of its beginning.

    Source: Loshchilov & Hutter (ICLR 2017), equation 5, without restarts, as torch's
    `CosineAnnealingLR` has it when it is stepped once an epoch.
    """

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step."""
        return base * 0.5 * (1.0 + math.cos(math.pi * moment.whole / epochs))


_SHARE = 0.25
"""Of the latest loss in its running average."""
_THRESHOLD = 0.16
_EXPONENT = 2.0


class DynamicTraining(nn.Module):
    """Running averages of two losses, and which of them falls fast.

    Source: commit 63ffd64 of TencentYoutuResearch/PersonReID-Pyramid, in double precision as
    there. Nothing leaves the device.
    """

    averages: Tensor
    """Of the first loss and of the second, (2,) float64; 0 before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("averages", torch.zeros(2, dtype=torch.float64))

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Take in a step's losses, each without shape, and say whether the first goes alone.

        An average falls to p of what it was, or rises, when p is 1. It counts -(1 - p)^2 log p,
        which is -0 where it rises. The first loss goes alone where the second one's count is less
        than 0.16 of its own. Two that rise give NaN, which is not less; so does the first step,
        whose averages were 0. One that rises gives -0 or minus infinity, which are.

        Returns
        -------
        bool without shape, on the losses' device
        """
        before = self.averages
        now = _SHARE * torch.stack([first, second]).double() + (1 - _SHARE) * before
        p = torch.minimum(now, before) / before
        counts = -((1 - p) ** _EXPONENT) * p.log()
        before.copy_(now)
        alone: Tensor = counts[1] / counts[0] < _THRESHOLD
        return alone
