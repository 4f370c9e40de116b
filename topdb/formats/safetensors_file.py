"""Tensors in a `.safetensors` file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open

from topdb.errors import UserError
from topdb.kinds import is_safetensors, shown

NAME = "safetensors"
TITLE = "a .safetensors file"


def recognises(path: Path, start: bytes) -> bool:
    """A length of eight bytes, then JSON."""
    return is_safetensors(start)


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Read the tensors that are wanted. Raises UserError where the names are those of a network."""
    with safe_open(path, "numpy") as stream:
        names = list(stream.keys())
        layers = [name for name in names if name.rpartition(".")[2] in ("weight", "bias")]
        if len(layers) > len(names) / 2:
            raise UserError(
                f"{shown(path)} holds the weights of a network and no features: extract features "
                "with it first."
            )
        return {name: stream.get_tensor(name) if wanted(name) else None for name in names}
