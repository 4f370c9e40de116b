"""Random changes to training images: a whole batch at once, on the batch's device.

The order is the authors': flip, enlarge and crop, normalise, erase; resizing to the input size
comes before all of them and is done once (`topdb.training.images`). Draws come from a generator
on the CPU, so that they are the same on every device.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from topdb.params import AugmentationSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_ENLARGEMENT = 1.125
_ERASING_ATTEMPTS = 100
"""Rectangles tried before an image is left whole, as Zhong et al.'s code does."""


def normalise(images: Tensor) -> Tensor:
    """Map uint8 or float images (B, 3, H, W) in 0..255 to ImageNet's mean 0 and deviation 1."""
    mean = images.new_tensor(IMAGENET_MEAN, dtype=torch.float32)[:, None, None]
    std = images.new_tensor(IMAGENET_STD, dtype=torch.float32)[:, None, None]
    return (images.float() / 255.0 - mean) / std


def augment(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Return normalised training images.

    Parameters
    ----------
    images : (B, 3, H, W) uint8
    settings : probabilities and ranges
    generator : on the CPU

    Returns
    -------
    (B, 3, H, W) float32
    """
    flipped = flip(images, settings.flip, generator)
    moved = enlarge_and_crop(flipped, settings.crop, generator)
    return erase(normalise(moved), settings, generator)


def flip(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with a probability."""
    chosen = _chosen(images, probability, generator).to(images.device)
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
    chosen = chosen.to(images.device)
    enlarged = interpolate(images[chosen].float(), (tall, wide), mode="bilinear").round()
    windows = [
        image[:, top : top + height, left : left + width]
        for image, top, left in zip(enlarged, tops, lefts, strict=True)
    ]
    result = images.clone()
    if windows:
        result[chosen] = torch.stack(windows).to(images.dtype)
    return result


def erase(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """With a probability, overwrite one rectangle of each image.

    Source: Zhong et al., Random Erasing (AAAI 2020), algorithm 1, with the aspect ratio drawn
    uniformly between its bounds. A rectangle that does not fit is drawn again.
    """
    batch, _, height, width = images.shape
    shape = (batch, _ERASING_ATTEMPTS)
    area = _uniform(shape, settings.erase_area, generator) * height * width
    aspect = _uniform(shape, settings.erase_aspect, generator)
    heights = (area * aspect).sqrt().round()
    widths = (area / aspect).sqrt().round()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    rectangle_height = heights.gather(1, first)[:, 0]
    rectangle_width = widths.gather(1, first)[:, 0]
    top = (torch.rand(batch, generator=generator) * (height - rectangle_height + 1)).floor()
    left = (torch.rand(batch, generator=generator) * (width - rectangle_width + 1)).floor()
    chosen = (torch.rand(batch, generator=generator) < settings.erase) & fits.any(dim=1)

    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top[:, None]) & (rows < (top + rectangle_height)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + rectangle_width)[:, None])
    inside = in_rows[:, None, :, None] & in_columns[:, None, None, :] & chosen[:, None, None, None]
    fill = images.new_tensor(settings.erase_fill)[:, None, None]
    return torch.where(inside.to(images.device), fill, images)


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
