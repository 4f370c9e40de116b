"""Part maps beside images: moved with them, and unrolled into an image of each body part.

A map holds DensePose's I (1 to 24, and 0 beside the body), U and V (in 255ths), uint8.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

import torch
from torch import Tensor

from topdb.errors import UserError
from topdb.methods.contract.recipe import Moment, Transform
from topdb.methods.parts.augmentation import (
    CropLarger,
    EnlargeAndCrop,
    Erase,
    EraseMore,
    Flip,
    Jitter,
    Normalise,
    PadAndCrop,
    enlarge_and_crop,
    sent,
)

PARTS = 24
_MIRRORED = (
    0,
    1,
    2,
    4,
    3,
    6,
    5,
    8,
    7,
    10,
    9,
    12,
    11,
    14,
    13,
    16,
    15,
    18,
    17,
    20,
    19,
    22,
    21,
    24,
    23,
)
"""What a mirror makes of each part: left and right as DensePose numbers them."""
_FRACTIONS = 2**12
"""Of a value of a normalised image, when pixels are added up: whole numbers have no order."""


def augmented_together(
    images: Tensor,
    maps: Tensor,
    transforms: Sequence[Transform],
    generator: torch.Generator,
    moment: Moment,
) -> tuple[Tensor, Tensor]:
    """Return a batch (B, 3, H, W) uint8 after all transforms, float32, and its maps with it.

    Each transform draws once for both; the images are what they are without maps.

    Raises
    ------
    UserError
        Nobody says how maps follow a transform.
    """
    for transform in transforms:
        before = generator.get_state()
        images = transform(images, generator, moment)
        after = generator.get_state()
        generator.set_state(before)
        maps = followed(transform, maps, generator, moment).to(torch.uint8)
        generator.set_state(after)
    return images, maps


@singledispatch
def followed(
    transform: Transform, maps: Tensor, generator: torch.Generator, moment: Moment
) -> Tensor:
    """Return maps (B, 3, H, W) moved as a transform moves their images.

    The generator stands where it stood for the images. For a transform of your own register one:
    `@followed.register` above a function whose first parameter has its type.
    """
    name = type(transform).__name__
    raise UserError(
        f"part maps cannot follow the transform {name}: register how in "
        "topdb.methods.parts.part_maps.followed."
    )


@followed.register
def _(transform: Flip, maps: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
    """Mirror, and call left right. U and V stay: their own mirrors are in no map."""
    width = maps.shape[3]
    columns = torch.arange(width, device=maps.device).expand(len(maps), 1, maps.shape[2], width)
    moved = transform(torch.cat((maps, columns.to(maps.dtype)), dim=1), generator, moment)
    table = sent(torch.tensor(_MIRRORED, dtype=torch.uint8), maps.device)
    swapped = torch.cat((table[moved[:, :1].int()], moved[:, 1:3]), dim=1)
    mirrored = moved[:, 3:, :1, :1] > 0
    return torch.where(mirrored, swapped, maps)


@followed.register
def _(
    transform: EnlargeAndCrop, maps: Tensor, generator: torch.Generator, moment: Moment
) -> Tensor:
    """Enlarge without mixing parts: each place shows one."""
    return enlarge_and_crop(maps, transform.p, generator, mode="nearest")


@followed.register(PadAndCrop)
@followed.register(CropLarger)
def _(transform: Transform, maps: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
    """Cut the same window; what is black around the image is no part."""
    return transform(maps, generator, moment)


@followed.register
def _(transform: Erase, maps: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
    """Erase the parts too: a part's image must not show the rectangle's colour as skin."""
    return replace(transform, fill=(0.0, 0.0, 0.0))(maps, generator, moment)


@followed.register
def _(transform: EraseMore, maps: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
    return replace(transform, fill=(0, 0, 0))(maps, generator, moment)


@followed.register(Jitter)
@followed.register(Normalise)
def _(transform: Transform, maps: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
    """Colours alone change."""
    return maps


def part_images(images: Tensor, maps: Tensor, side: int) -> Tensor:
    """Return each part's image (B, 24, 3, side, side): its surface, unrolled by U and V.

    A place of it is the mean of the pixels that show that place, and 0 where none does. The sums
    are of whole numbers, so that no device's order of adding changes a bit.

    Parameters
    ----------
    images : (B, 3, H, W) float32, normalised
    maps : (B, 3, H, W) uint8, of these images
    """
    batch = len(images)
    part, across, down = (each.flatten(1).long() for each in maps.unbind(1))
    row, column = down * side // 256, across * side // 256
    first = PARTS * torch.arange(batch, device=maps.device)[:, None]
    places = ((first + part - 1) * side + row) * side + column
    seen = part > 0
    cells = torch.where(seen, places, batch * PARTS * side * side).flatten()
    values = (images.detach().flatten(2).transpose(1, 2) * _FRACTIONS).round().long()
    counted = torch.cat((values, torch.ones_like(values[:, :, :1])), dim=2).flatten(0, 1)
    sums = torch.zeros((batch * PARTS * side * side + 1, 4), dtype=torch.long, device=images.device)
    sums.index_add_(0, cells, counted)
    total, count = sums[:-1, :3].float(), sums[:-1, 3:].clamp(min=1)
    means = total / (count * _FRACTIONS)
    return means.view(batch, PARTS, side, side, 3).permute(0, 1, 4, 2, 3)


def atlas(parts: Tensor, columns: int = 6) -> Tensor:
    """Return the images of all parts side by side, (B, 3, rows * side, columns * side)."""
    batch, count, channels, side, _ = parts.shape
    laid = parts.view(batch, count // columns, columns, channels, side, side)
    return laid.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, -1, columns * side)
