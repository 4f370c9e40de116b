"""Random erasing of grey levels, the more often the longer training goes on."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from topdb.methods.contract.recipe import Moment
from topdb.methods.parts.sending import sent

_ATTEMPTS = 100
"""Rectangles tried before an image is left whole."""


@dataclass(frozen=True)
class EraseMore:
    """Overwrite one rectangle of each image with a probability that rises from epoch to epoch.

    Images are uint8: it comes before normalisation. Source: the released code of PyrNet, after
    Zhong et al., Random Erasing (AAAI 2020).
    """

    name: ClassVar[str] = "erase"
    p: float = 0.5
    """Probability in the first two epochs."""
    last: float = 0.95
    """Probability that it rises to, in a straight line."""
    over: int = 100
    """Epochs of the recipe that the rise takes, after the first."""
    area: tuple[float, float] = (0.02, 0.2)
    """Share of the image, drawn uniformly between these."""
    aspect: tuple[float, float] = (0.3, 3.3333)
    """Height by width, drawn uniformly between these."""
    fill: tuple[int, int, int] = (123, 116, 103)
    """Grey levels of the rectangle; ImageNet's mean, rounded down."""
    anywhere: bool = True
    """Whether the rectangle lies anywhere. Otherwise its top is at most its own height, its left
    side at most its own width from the corner: small ones stay at the top left."""

    def probability(self, moment: Moment) -> float:
        """Return the probability of the moment's epoch."""
        risen = self.p + max(0, moment.whole - 1) * (self.last - self.p) / self.over
        return min(risen, self.last)

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch (B, 3, H, W) uint8 with rectangles in some images."""
        batch, _, height, width = images.shape
        shares, aspects, downs, rights = torch.rand((4, batch, _ATTEMPTS), generator=generator)
        chosen = torch.rand(batch, generator=generator) < self.probability(moment)
        areas = _between(shares, self.area) * height * width
        aspects = _between(aspects, self.aspect)
        heights = (areas * aspects).sqrt().round()
        widths = (areas / aspects).sqrt().round()
        if self.anywhere:
            tops = (downs * (height - heights + 1.0)).floor()
            lefts = (rights * (width - widths + 1.0)).floor()
            fits = (heights <= height) & (widths <= width)
        else:
            tops = (downs * (heights + 1.0)).floor()
            lefts = (rights * (widths + 1.0)).floor()
            fits = (tops + heights <= height) & (lefts + widths <= width)
        edges = torch.stack((tops, tops + heights, lefts, lefts + widths))
        first = fits.int().argmax(dim=1)  # of the attempts
        edges = edges[:, torch.arange(batch), first] * (chosen & fits.any(dim=1))
        top, bottom, left, right = sent(edges, images.device)[:, :, None]
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        in_rows = ((rows >= top) & (rows < bottom))[:, None, :, None]
        in_columns = ((columns >= left) & (columns < right))[:, None, None, :]
        fill = sent(torch.tensor(self.fill, dtype=images.dtype), images.device)[:, None, None]
        return torch.where(in_rows & in_columns, fill, images)

    def scaled(self, share: float) -> "EraseMore":
        """Return it as it is."""
        return self

    def off(self) -> "EraseMore":
        """Return it with probability 0."""
        return replace(self, p=0.0, last=0.0)


def _between(drawn: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return low + (high - low) * drawn
