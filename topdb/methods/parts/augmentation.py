"""Random changes to training images: a whole batch at once, on the batch's device.

The order is the authors': flip, enlarge and crop, normalise, erase; resizing to the input size
comes before all of them and is done once (`topdb.training.images`). Draws come from a generator
on the CPU, so that they are the same on every device. What is drawn goes to a GPU by pinned
memory, and nothing comes back: a batch is changed without waiting for the one before.
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
    mean = _sent(torch.tensor(IMAGENET_MEAN), images.device)[:, None, None]
    std = _sent(torch.tensor(IMAGENET_STD), images.device)[:, None, None]
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
    chosen = _sent(_chosen(images, probability, generator), images.device)
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
    chosen = _sent(chosen, images.device)
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

    edges = torch.stack((top, top + rectangle_height, left, left + rectangle_width))
    top, bottom, left, right = _sent(edges, images.device)[:, :, None]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    in_rows = (rows >= top) & (rows < bottom)
    in_columns = (columns >= left) & (columns < right) & _sent(chosen, images.device)[:, None]
    inside = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    fill = _sent(torch.tensor(settings.erase_fill), images.device)[:, None, None]
    return torch.where(inside, fill, images)


def _sent(values: Tensor, device: torch.device) -> Tensor:
    """Bring a few values from the CPU to a device without waiting for it."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


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
