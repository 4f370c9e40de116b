"""Images of one split at a recipe's size, in memory as uint8."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from topdb.datasets.pixels import Pixels

_KINDS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def resized(
    pixels: Pixels,
    rows: NDArray[np.int64],
    size: tuple[int, int],
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
) -> Tensor:
    """Resize images of the cache once, with antialiasing as torchvision's transforms do.

    Parameters
    ----------
    pixels : the decoded images
    rows : (N,) rows of the index
    size : height and width
    interpolation : as the recipe has it

    Returns
    -------
    (N, 3, height, width) uint8
    """
    height, width = size
    images = np.empty((len(rows), 3, height, width), dtype=np.uint8)
    for position, row in enumerate(rows):
        image = Image.fromarray(pixels[int(row)])
        found = image.resize((width, height), _KINDS[interpolation])
        images[position] = np.asarray(found).transpose(2, 0, 1)
    return torch.from_numpy(images)
