"""Checkpoints as the authors' code saves them, of networks small enough for a test."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from topdb.methods import build
from topdb.methods.parts.network import initialise
from topdb.methods.parts.released import released_names
from topdb.params import NetworkSettings


def released_state(
    method: str, network: NetworkSettings, identities: int, seed: int = 0
) -> dict[str, torch.Tensor]:
    """The state dict of an untrained network under the released names."""
    built = build(method, network, identities, "released")
    initialise(built, torch.Generator().manual_seed(seed))
    names = released_names(built)
    return {names[own]: value for own, value in built.state_dict().items()}


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
