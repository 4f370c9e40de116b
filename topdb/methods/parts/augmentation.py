"""Augmentations of whole batches, on the device that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor, device
from torch.nn.functional import interpolate, pad

from topdb.methods.contract.recipe import Moment, Transform


def sent(values: Tensor, target: device) -> Tensor:
    """Bring a few values from the CPU to a device without waiting for it."""
    return values.pin_memory().to(target, non_blocking=True) if target.type == "cuda" else values


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


def enlarge_and_crop(
    images: Tensor, probability: float, generator: torch.Generator, mode: str = "bilinear"
) -> Tensor:
    """With a probability, enlarge an image by an eighth and cut a window of its old size.

    Rounded to whole grey levels, as an image library does.
    """
    _, _, height, width = images.shape
    tall, wide = round(height * _ENLARGEMENT), round(width * _ENLARGEMENT)
    chosen = _chosen(images, probability, generator).nonzero()[:, 0]
    tops = _whole_uniform(len(chosen), tall - height, generator)
    lefts = _whole_uniform(len(chosen), wide - width, generator)
    chosen = sent(chosen, images.device)
    enlarged = interpolate(images[chosen].float(), (tall, wide), mode=mode).round()
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
