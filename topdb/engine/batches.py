"""Training images in memory, and batches gathered ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from topdb.datasets.index import Pixels

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


_Order = TypeVar("_Order")
_Batch = TypeVar("_Batch")


def loaded(
    orders: Iterable[_Order], load: Callable[[_Order], _Batch], workers: int
) -> Iterator[_Batch]:
    """Yield `load` of each order, in order, with `workers` threads loading ahead.

    Threads, not processes: gathering and resizing leave Python's lock, and all share the images.
    `load` may draw nothing at random: then the batches do not depend on the number of workers.
    Without workers a batch is loaded when it is asked for.
    """
    if not workers:
        yield from map(load, orders)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        ahead: deque[Future[_Batch]] = deque()
        try:
            for order in orders:
                ahead.append(pool.submit(load, order))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()
