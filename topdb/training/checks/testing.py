"""What a trained method is asked for: test features, and maps for figures."""

import torch

from topdb.methods.contract import Moment
from topdb.training.checks.subject import (
    Subject,
    draws,
    images,
    kept,
    losses_of,
    nothing_drawn,
    require,
    same,
)

_FEW = 4


def embedding(subject: Subject) -> None:
    """Ask for test features of each image, whatever is around it."""
    network = subject.built()
    losses_of(network, Moment(0, 0.0))  # moves the batch statistics away from their start
    network.eval()
    before = kept(network)
    shown = images(network, _FEW)
    with torch.inference_mode(), nothing_drawn("embed()"):
        together = network.embed(shown)
        alone = torch.cat([network.embed(image[None]) for image in shown])
    require(
        together.ndim in (2, 3) and len(together) == _FEW,
        f"embed() returns {tuple(together.shape)} for {_FEW} images: return ({_FEW}, D) or "
        f"({_FEW}, parts, D).",
    )
    require(
        together.dtype == torch.float32 and bool(together.isfinite().all()),
        f"embed() returns {together.dtype}, or no finite numbers: return float32.",
    )
    require(bool(together.std(dim=0).max() > 0), "embed() returns the same for different images.")
    largest = together.abs().max()
    require(
        bool(((together - alone).abs() <= 1e-4 * largest + 1e-6).all()),
        "embed() of an image depends on the batch around it: leave batch statistics alone.",
    )
    require(same(before, kept(network)), "embed() changes the network's state: leave it as it is.")


def figures(subject: Subject) -> None:
    """Ask for a map, and for a mask that fits it."""
    network = subject.built().eval()
    before = kept(network)
    with torch.inference_mode(), nothing_drawn("feature_map() or drop_mask()"):
        features = network.feature_map(images(network, _FEW))
        mask = network.drop_mask(features, draws())
    require(
        features.ndim == 4 and len(features) == _FEW,
        f"feature_map() returns {tuple(features.shape)} for {_FEW} images: return "
        f"({_FEW}, C, H, W).",
    )
    if mask is not None:
        require(
            mask.expand_as(features).shape == features.shape
            and bool(((mask == 0.0) | (mask == 1.0)).all()),
            "drop_mask() is no mask of the map: return zeros and ones that broadcast to it.",
        )
    require(same(before, kept(network)), "feature_map() changes the network's state: leave it.")
