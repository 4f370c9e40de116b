"""Random changes to training images: a whole batch at once, on the batch's device.

A recipe puts them in order. Resizing comes before all of them and is done once. Draws come from a
generator on the CPU, so that they are the same on every device. What is drawn goes to a GPU by
pinned memory, and nothing comes back: a batch is changed without waiting for the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from topdb.methods.contract.recipe import Moment, Transform
from topdb.methods.parts.sending import sent

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_ENLARGEMENT = 1.125
_ERASING_ATTEMPTS = 100
"""Rectangles tried before an image is left whole, as Zhong et al.'s code does."""


def normalise(images: Tensor) -> Tensor:
    """Map uint8 or float images (B, 3, H, W) in 0..255 to ImageNet's mean 0 and deviation 1."""
    mean = sent(torch.tensor(IMAGENET_MEAN), images.device)[:, None, None]
    std = sent(torch.tensor(IMAGENET_STD), images.device)[:, None, None]
    return (images.float() / 255.0 - mean) / std


def augmented(
    images: Tensor, transforms: Sequence[Transform], generator: torch.Generator, moment: Moment
) -> Tensor:
    """Return a batch (B, 3, H, W) uint8 after all transforms, float32."""
    for transform in transforms:
        images = transform(images, generator, moment)
    return images


@dataclass(frozen=True)
class _Unscaled:
    """What does not depend on the size of images."""

    def scaled(self, share: float) -> "Transform":
        """Return it as it is."""
        return self  # type: ignore[return-value]


@dataclass(frozen=True)
class Flip(_Unscaled):
    """Mirror each image left to right with a probability."""

    name: ClassVar[str] = "flip"
    p: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch with some images mirrored."""
        return flip(images, self.p, generator)

    def off(self) -> "Flip":
        """Return it with probability 0."""
        return replace(self, p=0.0)


@dataclass(frozen=True)
class EnlargeAndCrop(_Unscaled):
    """With a probability, enlarge an image by an eighth and cut a window of its old size."""

    name: ClassVar[str] = "crop"
    p: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch with some images enlarged and cut."""
        return enlarge_and_crop(images, self.p, generator)

    def off(self) -> "EnlargeAndCrop":
        """Return it with probability 0."""
        return replace(self, p=0.0)


@dataclass(frozen=True)
class PadAndCrop:
    """Surround each image by black pixels and cut a window of its old size anywhere."""

    name: ClassVar[str] = "crop"
    by: int
    """Pixels on every side."""

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch with every image moved."""
        batch, _, height, width = images.shape
        places = torch.randint(0, 2 * self.by + 1, (2, batch), generator=generator).tolist()
        padded = pad(images, (self.by,) * 4)
        windows = [
            image[:, top : top + height, left : left + width]
            for image, top, left in zip(padded, *places, strict=True)
        ]
        return torch.stack(windows)

    def scaled(self, share: float) -> "PadAndCrop":
        """Return it with as many pixels less."""
        return replace(self, by=max(1, round(self.by * share)))

    def off(self) -> "PadAndCrop":
        """Return it without pixels to move by."""
        return replace(self, by=0)


@dataclass(frozen=True)
class Normalise(_Unscaled):
    """Map grey levels to ImageNet's mean 0 and deviation 1."""

    name: ClassVar[str] = "normalise"

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch as float32."""
        return normalise(images)

    def off(self) -> "Normalise":
        """Return it as it is: networks are fed nothing else."""
        return self


@dataclass(frozen=True)
class Erase(_Unscaled):
    """With a probability, overwrite one rectangle of each image (Zhong et al., AAAI 2020)."""

    name: ClassVar[str] = "erase"
    p: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    """Share of the image, drawn uniformly between these."""
    aspect: tuple[float, float] = (0.3, 3.33)
    """Height by width, drawn uniformly between these."""
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Value of the rectangle, in the units of the images at this place of the order."""

    def __call__(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """Return the batch with rectangles in some images."""
        return erase(images, self, generator)

    def off(self) -> "Erase":
        """Return it with probability 0."""
        return replace(self, p=0.0)


def flip(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with a probability."""
    chosen = sent(_chosen(images, probability, generator), images.device)
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def enlarge_and_crop(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """With a probability, enlarge an image by an eighth and cut a window of its old size.

    Bilinear, and rounded to whole grey levels, as an image library does.
    """
    _, _, height, width = images.shape
    tall, wide = round(height * _ENLARGEMENT), round(width * _ENLARGEMENT)
    chosen = _chosen(images, probability, generator).nonzero()[:, 0]
    tops = _whole_uniform(len(chosen), tall - height, generator)
    lefts = _whole_uniform(len(chosen), wide - width, generator)
    chosen = sent(chosen, images.device)
    enlarged = interpolate(images[chosen].float(), (tall, wide), mode="bilinear").round()
    windows = [
        image[:, top : top + height, left : left + width]
        for image, top, left in zip(enlarged, tops, lefts, strict=True)
    ]
    result = images.clone()
    if windows:
        result[chosen] = torch.stack(windows).to(images.dtype)
    return result


def erase(images: Tensor, settings: Erase, generator: torch.Generator) -> Tensor:
    """With a probability, overwrite one rectangle of each image.

    Source: Zhong et al., Random Erasing (AAAI 2020), algorithm 1, with the aspect ratio drawn
    uniformly between its bounds. A rectangle that does not fit is drawn again.
    """
    batch, _, height, width = images.shape
    shape = (batch, _ERASING_ATTEMPTS)
    area = _uniform(shape, settings.area, generator) * height * width
    aspect = _uniform(shape, settings.aspect, generator)
    heights = (area * aspect).sqrt().round()
    widths = (area / aspect).sqrt().round()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    rectangle_height = heights.gather(1, first)[:, 0]
    rectangle_width = widths.gather(1, first)[:, 0]
    top = (torch.rand(batch, generator=generator) * (height - rectangle_height + 1)).floor()
    left = (torch.rand(batch, generator=generator) * (width - rectangle_width + 1)).floor()
    chosen = (torch.rand(batch, generator=generator) < settings.p) & fits.any(dim=1)

    edges = torch.stack((top, top + rectangle_height, left, left + rectangle_width))
    top, bottom, left, right = sent(edges, images.device)[:, :, None]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    in_rows = (rows >= top) & (rows < bottom)
    in_columns = (columns >= left) & (columns < right) & sent(chosen, images.device)[:, None]
    inside = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    fill = sent(torch.tensor(settings.fill), images.device)[:, None, None]
    return torch.where(inside, fill, images)


def _chosen(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    return torch.rand(len(images), generator=generator) < probability


def _uniform(
    shape: tuple[int, ...], bounds: tuple[float, float], generator: torch.Generator
) -> Tensor:
    low, high = bounds
    return low + (high - low) * torch.rand(shape, generator=generator)


def _whole_uniform(count: int, largest: int, generator: torch.Generator) -> list[int]:
    """Round uniform numbers in [0, largest]: the ends are half as likely, as with the authors."""
    drawn: list[int] = (torch.rand(count, generator=generator) * largest).round().int().tolist()
    return drawn
