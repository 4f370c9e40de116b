"""Networks small enough for a test, with recipes short enough for one."""

from dataclasses import replace
from typing import Any

import torch

from topdb.config import ScaleSettings
from topdb.methods import build, find
from topdb.methods.contract import Adam, Cosine, Method, Moment, Recipe
from topdb.methods.contract.resolving import resolved

SMALL = ScaleSettings(size=(48, 16), width=1 / 64, backbones={"resnet50": "small"})
"""Six rows of 64 channels; eight features of the global stream, 16 of the drop stream."""
TWELVE_ROWS = ScaleSettings(size=(96, 32), width=1 / 64, backbones={"resnet50": "small"})
START = Moment(0, 0.0)


def recipe_of(
    method: str = "top-db-net", side: str = "released", scale: ScaleSettings = SMALL, **parts: Any
) -> Recipe:
    """A method's recipe at a scale, with parts of it replaced."""
    return replace(resolved(find(method), method, side, scale), **parts)


def short(method: str = "top-db-net", side: str = "released", **parts: Any) -> Recipe:
    """A recipe of two passes over small batches."""
    few = {
        "epochs": 2,
        "people": 3,
        "images": 2,
        "rules": {"network": Adam(0.01)},
        "schedule": Cosine(warmup=1.0),
    }
    return recipe_of(method, side, **{**few, **parts})


def network(
    method: str,
    recipe: Recipe,
    identities: int = 4,
    seed: int = 0,
    scale: ScaleSettings = SMALL,
) -> Method:
    """A method with starting weights."""
    built = build(find(method), recipe, identities, scale)
    built.initialise(torch.Generator().manual_seed(seed))
    return built
