"""Networks, recipes and checkpoints that are small enough for a test."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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


def released_state(
    method: str,
    identities: int,
    scale: ScaleSettings = SMALL,
    side: str = "released",
    seed: int = 0,
) -> dict[str, torch.Tensor]:
    """The state dict of an untrained network under the released names."""
    built = network(method, recipe_of(method, side, scale), identities, seed, scale)
    names = built.released({})
    assert names is not None
    renamed = {names.released(own): value for own, value in built.state_dict().items()}
    return {name: value for name, value in renamed.items() if name is not None}


def write_checkpoint(path: Path, state: dict[str, torch.Tensor], **changes: Any) -> Path:
    """A checkpoint as the authors' code saves it on a GPU, with everything that it puts in."""
    content = {
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "epoch": 400,
        "rank1": np.float32(0.75),
        "optimizer": {
            "state": {0: {"step": 9, "exp_avg": torch.ones(2)}},
            "param_groups": [{"lr": 5e-6, "betas": (0.9, 0.999), "params": [0, 1]}],
        },
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path
