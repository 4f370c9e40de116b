"""Products, summed distances and nearest neighbours on a CUDA GPU, through torch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import Features
from topdb.retrieval.machine import Progress

# Distances that a block of rows holds on the GPU, together with their 64-bit keys: 12 bytes each.
BLOCK_DISTANCES = 64 * 2**20

# writes what queries [first, last) and the whole gallery make into the given block (rows, G)
_Fill = Callable[[int, int, NDArray[np.float32]], None]


def cuda_products(query: Features, gallery: Features, torch_device: str = "cuda") -> _Fill:
    """Dot products of blocks of queries with the gallery, which stays on the GPU.

    torch_device: `cpu` takes the same steps without a GPU
    Raises ValueError where torch or a GPU is missing.
    """
    torch = _torch_for(torch_device)
    resident = torch.from_numpy(_writable(gallery.values)).to(torch_device)

    def products(first: int, last: int, out: NDArray[np.float32]) -> None:
        rows = torch.from_numpy(_writable(query.values[first:last])).to(torch_device)
        with _full_float32(torch):
            torch.from_numpy(out).copy_(rows @ resident.T)

    return products


def cuda_sums(query: Features, gallery: Features, torch_device: str = "cuda") -> _Fill:
    """Summed distances of blocks of queries to the gallery, which stays on the GPU.

    The steps are those on the CPU, and the numbers the same to the rounding of the products.
    Only the sums come back from the GPU, which holds a few blocks beside the gallery.

    torch_device: `cpu` takes the same steps without a GPU
    Raises ValueError where torch or a GPU is missing.
    """
    torch = _torch_for(torch_device)
    resident = _on_device(torch, gallery, torch_device)

    def sums(first: int, last: int, out: NDArray[np.float32]) -> None:
        rows = _on_device(torch, query.rows(first, last), torch_device)
        torch.from_numpy(out).copy_(_distances(torch, rows, resident))

    return sums


def cuda_nearest_neighbours(
    query: Features,
    gallery: Features,
    count: int,
    progress: Progress,
    torch_device: str = "cuda",
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """The arrays of `Neighbours`, as on the CPU to float32's rounding.

    The features of query and gallery have to fit in the GPU's memory.

    torch_device: `cpu` takes the same steps without a GPU
    Raises ValueError where torch or a GPU is missing.
    """
    torch = _torch_for(torch_device)
    values, lengths = _together(torch, query, gallery, torch_device)
    images = len(values)
    indices = np.empty((images, count), np.int32)
    kept = np.empty((images, count), np.float32)
    farthest = np.empty(images, np.float32)
    rows = max(1, BLOCK_DISTANCES // images)
    places = torch.arange(images, device=torch_device)
    for first in range(0, images, rows):
        last = min(first + rows, images)
        block = values[first:last], lengths[..., first:last]
        distances = _distances(torch, block, (values, lengths)).clamp_(min=0)
        distances[places[: last - first], places[first:last]] = 0
        farthest[first:last] = distances.amax(dim=1).cpu().numpy()
        # A float32 that is not negative sorts like its bits. With the image below them, no two
        # keys are equal, and equal distances come by index.
        keys = (distances.view(torch.int32).to(torch.int64) << 32) | places
        nearest = keys.topk(count, dim=1, largest=False, sorted=True).values
        indices[first:last] = (nearest & 0xFFFFFFFF).to(torch.int32).cpu().numpy()
        bits = (nearest >> 32).to(torch.int32)
        kept[first:last] = bits.view(torch.float32).cpu().numpy()
        progress("nearest neighbours", last / images)
    return indices, kept, farthest


def _on_device(torch: Any, features: Features, torch_device: str) -> tuple[Any, Any]:
    """Values and squared lengths of features, as tensors."""
    return (
        torch.from_numpy(_writable(features.values)).to(torch_device),
        torch.from_numpy(_writable(features.squared_lengths)).to(torch_device),
    )


def _together(torch: Any, query: Features, gallery: Features, torch_device: str) -> tuple[Any, Any]:
    """Values and squared lengths of all images, as tensors, with query before gallery."""
    both = [_on_device(torch, features, torch_device) for features in (query, gallery)]
    values = torch.cat([values for values, _ in both])
    return values, torch.cat([lengths for _, lengths in both], dim=-1)


def _distances(torch: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Any:
    """Squared distances of features (N, D), or summed ones of features (N, parts, D)."""
    (left, left_lengths), (right, right_lengths) = rows, columns
    if left.ndim == 2:
        with _full_float32(torch):
            products = left @ right.T
        return (left_lengths[:, None] + right_lengths) - 2 * products
    total = left.new_zeros((len(left), len(right)))
    for part in range(left.shape[1]):
        own, other = left[:, part], right[:, part]
        squared = _distances(torch, (own, left_lengths[part]), (other, right_lengths[part]))
        total += squared.clamp_(min=0).sqrt_()
    return total


def _torch_for(torch_device: str) -> Any:
    # torch takes seconds to import: only who asks for the GPU pays for it.
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            "device is 'cuda' and torch is not installed; pip install 'topdb[train]', or use 'cpu'."
        ) from error
    if torch_device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda' and torch finds no CUDA GPU; use 'cpu'.")
    return torch


def _writable(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values if values.flags.writeable else values.copy()


@contextmanager
def _full_float32(torch: Any) -> Iterator[None]:
    """Products without TensorFloat-32, whose 10 bits would reorder near neighbours."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
