"""Windows cut out of images that are larger than the network's input."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from topdb.methods.contract.recipe import Moment
from topdb.methods.parts.sending import sent


@dataclass(frozen=True)
class CropLarger:
    """Cut a window anywhere out of every image; images come larger than the input by a factor.

    A recipe's `resize` makes them so. Since the factor is the same at every scale, the window has
    the input's size exactly.
    """

    name: ClassVar[str] = "crop"
    factor: float
    """Height and width of the images by those of the window."""
    centred: bool = False
    """Whether the window is the middle one instead."""

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the windows (B, 3, H / factor, W / factor) of images (B, 3, H, W)."""
        batch, _, tall, wide = images.shape
        height, width = round(tall / self.factor), round(wide / self.factor)
        drawn = torch.rand((2, batch), generator=generator)
        if self.centred:
            top, left = (tall - height) // 2, (wide - width) // 2
            return images[:, :, top : top + height, left : left + width]
        room = torch.tensor(((tall - height + 1,), (wide - width + 1,)))
        tops, lefts = sent((drawn * room).long(), images.device)
        windows = images.unfold(2, height, 1).unfold(3, width, 1)
        return windows[torch.arange(batch, device=images.device), :, tops, lefts]

    def scaled(self, share: float) -> "CropLarger":
        """Return it as it is."""
        return self

    def off(self) -> "CropLarger":
        """Return it with the window in the middle: networks need images of the input's size."""
        return replace(self, centred=True)
