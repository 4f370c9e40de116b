"""Test features of the query and gallery images of a data set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topdb.config import HardwareSettings
from topdb.datasets.index import Index, Pixels
from topdb.engine.batches import Placement, loaded, precision, resized
from topdb.files import replacing
from topdb.methods.contract import Method
from topdb.methods.parts.augmentation import normalise


def extract(network: Method, images: Tensor, settings: HardwareSettings) -> NDArray[np.float32]:
    """Embed images (N, 3, height, width) uint8; return (N, D) or (N, parts, D).

    One forward pass a batch.
    """
    batches = map(Placement.of(settings).pinned, torch.split(images, settings.extraction_batch))
    return _embed(network, batches, settings)


def extract_rows(
    network: Method,
    pixels: Pixels,
    rows: NDArray[np.int64],
    settings: HardwareSettings,
) -> NDArray[np.float32]:
    """Embed the images of some rows (N,) of the index; return (N, D) or (N, parts, D).

    Images are resized a batch at a time: a gallery of 82,000 would take 12 GB at full size.
    """
    place = Placement.of(settings)
    starts = range(0, len(rows), settings.extraction_batch)

    def load(start: int) -> Tensor:
        chunk = rows[start : start + settings.extraction_batch]
        return place.pinned(
            resized(pixels, chunk, network.recipe.size, network.recipe.interpolation)
        )

    return _embed(network, loaded(starts, load, settings.workers), settings)


def _embed(
    network: Method, batches: Iterable[Tensor], settings: HardwareSettings
) -> NDArray[np.float32]:
    place = Placement.of(settings)
    place.network(network)
    network.eval()
    with precision(settings), torch.inference_mode():
        embedded = [
            network.embed(place.images(normalise(place.tensor(batch)))).cpu() for batch in batches
        ]
    features: NDArray[np.float32] = torch.cat(embedded).float().numpy()
    return features


def write_features(
    path: Path,
    network: Method,
    index: Index,
    pixels: Pixels,
    settings: HardwareSettings,
) -> int:
    """Write `features.npz` of the index's query and gallery; return the number of images.

    The file holds `query_features` (Q, D) and `gallery_features` (G, D) float32,
    or (Q, parts, D) and (G, parts, D) of a method whose test features have parts, their `_pids` and
    `_camids` int64 and their `_paths`.
    """
    arrays: dict[str, Any] = {}
    for split in ("query", "gallery"):
        part = index.split(split)
        arrays[f"{split}_features"] = extract_rows(network, pixels, part.rows, settings)
        arrays[f"{split}_pids"] = part.pids
        arrays[f"{split}_camids"] = part.camids
        arrays[f"{split}_paths"] = np.array(part.paths)
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez(stream, **arrays)
    return len(arrays["query_pids"]) + len(arrays["gallery_pids"])
