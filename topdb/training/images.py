"""Images of one split at the network's input size, in memory as uint8."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from topdb.datasets.pixels import Pixels
from topdb.params import NetworkSettings


def resized(pixels: Pixels, rows: NDArray[np.int64], network: NetworkSettings) -> Tensor:
    """Resize images of the cache once, bilinear with antialiasing as the authors' transforms do.

    Parameters
    ----------
    pixels : the decoded images
    rows : (N,) rows of the index
    network : its input height and width

    Returns
    -------
    (N, 3, height, width) uint8
    """
    images = np.empty((len(rows), 3, network.height, network.width), dtype=np.uint8)
    size = (network.width, network.height)
    for position, row in enumerate(rows):
        image = Image.fromarray(pixels[int(row)]).resize(size, Image.Resampling.BILINEAR)
        images[position] = np.asarray(image).transpose(2, 0, 1)
    return torch.from_numpy(images)
