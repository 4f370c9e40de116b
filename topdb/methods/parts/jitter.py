"""Random brightness, contrast and saturation."""

from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor

from topdb.methods.contract.recipe import Moment
from topdb.methods.parts.sending import sent


@dataclass(frozen=True)
class Jitter:
    """Change brightness, contrast and saturation of each image, in random order.

    Each is changed by a factor drawn uniformly between 1 - amplitude and 1 + amplitude. The steps
    are Pillow's, which torchvision's ColorJitter calls: grey levels are whole after every step.
    """

    name: ClassVar[str] = "jitter"
    brightness: float = 0.1
    contrast: float = 0.1
    saturation: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch (B, 3, H, W) uint8 with its colours changed."""
        batch = len(images)
        amplitudes = torch.tensor((self.brightness, self.contrast, self.saturation))
        orders = torch.rand((batch, 3), generator=generator).argsort(dim=1)
        factors = 1.0 + amplitudes * (2.0 * torch.rand((batch, 3), generator=generator) - 1.0)
        if not amplitudes.any():
            return images
        result = torch.empty_like(images)
        for order in permutations(range(3)):
            rows = (orders == torch.tensor(order)).all(dim=1).nonzero()[:, 0]
            if len(rows):
                places = sent(rows, images.device)
                own = sent(factors[rows], images.device)[:, :, None, None, None]
                changed = images[places].float()
                for step in order:
                    changed = _STEPS[step](changed, own[:, step])
                result[places] = changed.to(images.dtype)
        return result

    def scaled(self, share: float) -> "Jitter":
        """Return it as it is."""
        return self

    def off(self) -> "Jitter":
        """Return it with amplitudes of 0."""
        return replace(self, brightness=0.0, contrast=0.0, saturation=0.0)


def brightened(images: Tensor, factors: Tensor) -> Tensor:
    """Scale grey levels (B, 3, H, W) by factors (B, 1, 1, 1)."""
    return (factors * images).clamp(max=255.0).floor()


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the difference from the image's mean grey level, which is rounded, by factors."""
    grey = _grey(images).double().mean(dim=(1, 2, 3), keepdim=True)
    return _away_from((grey + 0.5).floor().float(), images, factors)


def saturated(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the difference from the pixel's own grey level by factors."""
    return _away_from(_grey(images), images, factors)


_STEPS = (brightened, contrasted, saturated)


def _away_from(origin: Tensor, images: Tensor, factors: Tensor) -> Tensor:
    return (origin + factors * (images - origin)).clamp(0.0, 255.0).floor()


def _grey(images: Tensor) -> Tensor:
    """Return the luma (B, 1, H, W) of ITU-R 601 in Pillow's 16-bit weights.

    All sums are whole numbers below 2^24, so float32 is exact.
    """
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    return ((red * 19595.0 + green * 38470.0 + blue * 7471.0 + 32768.0) / 65536.0).floor()
