"""Images in memory, batches gathered ahead, and where and how precisely they are computed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from topdb.config import HardwareSettings
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


def resized_parts(pixels: Pixels, rows: NDArray[np.int64], size: tuple[int, int]) -> Tensor:
    """Return the part maps of training images as `resized` returns these; parts do not mix."""
    height, width = size
    maps = np.empty((len(rows), 3, height, width), dtype=np.uint8)
    for position, row in enumerate(rows):
        found = Image.fromarray(pixels.parts(int(row)))
        resampled = found.resize((width, height), Image.Resampling.NEAREST)
        maps[position] = np.asarray(resampled).transpose(2, 0, 1)
    return torch.from_numpy(maps)


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


@dataclass(frozen=True)
class Placement:
    """The device and memory layout of one training or extraction."""

    device: torch.device
    layout: torch.memory_format

    @classmethod
    def of(cls, settings: HardwareSettings) -> "Placement":
        """Return the placement that the parameters ask for."""
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        return cls(torch.device(settings.device), layout)

    def network(self, network: nn.Module) -> None:
        """Move a network there, in place."""
        network.to(self.device)
        network.to(memory_format=self.layout)

    def pinned(self, values: Tensor) -> Tensor:
        """Bring values to where a GPU can fetch them by itself; for a CPU leave them."""
        return values.pin_memory() if self.device.type == "cuda" else values

    def tensor(self, values: Tensor) -> Tensor:
        """Move values to the device; pinned ones without waiting for them."""
        return values.to(self.device, non_blocking=True)

    def images(self, images: Tensor) -> Tensor:
        """Bring a batch of images that is already on the device into the layout."""
        return images.contiguous(memory_format=self.layout)


@contextmanager
def precision(settings: HardwareSettings) -> Iterator[None]:
    """Let a GPU round products and convolutions to TF32, or not, as the parameters say.

    torch's own defaults differ between the two, so both are set; they are put back at the end. On
    a CPU nothing is touched.
    """
    if settings.device == "cpu":
        yield
        return
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = settings.tf32
    try:
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before
