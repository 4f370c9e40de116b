"""A backbone's weights on disk, with a digest of themselves: all runs of a profile start there."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from topdb.files import replacing
from topdb.training.saving import save_tensors

_KEY = "sha256"


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write contiguous tensors of the CPU as safetensors, their digest among the metadata."""
    with replacing(path) as partial:
        save_tensors(weights, partial, {_KEY: _digest(weights)})


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read what `write_weights` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    SafetensorError
        It is no safetensors file, or is cut short.
    ValueError
        Its tensors do not have the digest that it states.
    """
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in sorted(file.keys())}
        stated = (file.metadata() or {}).get(_KEY)
    if stated != _digest(weights):
        raise ValueError("its content does not have the digest that it states")
    return weights


def _digest(weights: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].numpy()
        found.update(f"{name} {values.dtype} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()
