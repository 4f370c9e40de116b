"""Checkpoints as the authors' code saves them, of networks small enough for a test."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import SMALL, network, recipe_of

from topdb.config import ScaleSettings


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
    """A checkpoint with everything that the authors' code puts in, as it trains on a GPU."""
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
