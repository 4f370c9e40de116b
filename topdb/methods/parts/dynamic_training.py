"""Whether a second loss is worth training by: multi-loss dynamic training (Zheng et al., 2019)."""

import torch
from torch import Tensor, nn

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
