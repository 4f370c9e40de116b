"""What `torch.save` wrote: tensors, arrays, lists and numbers. No code in the file is run."""

import re
import zipfile
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np

from topdb.errors import UserError
from topdb.formats._start import shown, zip_names

NAME = "torch"
TITLE = "a file of torch.save"

_OLD = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""How files before torch 1.6 start."""
_OF_NETWORKS = ("running_mean", "num_batches_tracked", "weight", "bias")
_ELEMENTS = re.compile(r"b1|[iu][1248]|f[248]|[SU]\d{1,6}")


def recognises(path: Path, start: bytes) -> bool:
    """A zip archive with a `data.pkl`, no TorchScript; or torch's magic number of old."""
    if start.startswith(_OLD):
        return True
    if not start.startswith(b"PK\x03\x04"):
        return False
    names = zip_names(path, start)
    return any(name.endswith("/data.pkl") for name in names) and not any(
        "/code/" in name or name.endswith("constants.pkl") for name in names
    )


def read(path: Path, wanted: Callable[[str], bool]) -> Any:
    """Read everything.

    Returns
    -------
    The content in the containers that it was saved in, each tensor as an array of numpy, bfloat16
    as float32. An array of objects becomes a list.

    Raises
    ------
    UserError
        It would run code to be read, or holds a network.
    """
    # torch takes seconds to import, and who brings no file of torch need not wait.
    from torch.serialization import safe_globals

    from topdb.pickled import load_pickled

    _check_sizes(path)
    with safe_globals(_stand_ins()):
        found = load_pickled(path, "features")
    if isinstance(found, Mapping) and _is_network(found):
        raise UserError(
            f"{shown(path)} holds the weights of a network and no features: extract features with "
            "it first."
        )
    # A file can name one list many times, so what it unfolds to is held against its size.
    return _plain(found, path.stat().st_size, count())


def _is_network(found: Mapping[Any, Any]) -> bool:
    """Whether names are those of layers, here or one level below."""
    levels = [found, *(each for each in found.values() if isinstance(each, Mapping))]
    return any(
        sum(str(name).rpartition(".")[2] in _OF_NETWORKS for name in level) > len(level) / 2
        for level in levels
        if level
    )


def _check_sizes(path: Path) -> None:
    """Refuse an archive that unpacks to more than itself: torch.save never packs."""
    if not zipfile.is_zipfile(path):
        return  # of old, or cut short
    with zipfile.ZipFile(path) as archive:
        whole = sum(member.file_size for member in archive.infolist())
    if whole > path.stat().st_size:
        raise UserError(
            f"{shown(path)} unpacks to {whole} bytes, and torch.save never packs: save it again "
            "with torch.save."
        )


class _Array:
    """Stands in for numpy's array while a file is read, so that none of numpy's code runs.

    `value` is the array; None until its content comes.
    """

    def __init__(self, *_: object) -> None:
        self.value: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, in_columns, content = state
        # The stand-in of topdb.pickled for numpy's type of numbers knows these two.
        code, byte_order = str(getattr(kind, "code", "")), str(getattr(kind, "order", ""))
        order: Literal["F", "C"] = "F" if in_columns is True else "C"
        if code.startswith("O") and isinstance(content, list):
            self.value = content
        elif _ELEMENTS.fullmatch(code) and byte_order in ("<", ">", "=", "|"):
            raw = content.encode("latin1") if isinstance(content, str) else content
            flat = np.frombuffer(raw, np.dtype(byte_order + code))
            self.value = flat.reshape(shape, order=order)
        else:
            raise ValueError("a numpy array of no plain type")


class _ArrayType:
    """Stands in for the class of numpy's arrays."""


def _no_bytes() -> bytes:
    """Stand in for `bytes`, which the content of an empty array is saved as a call of."""
    return b""


def _stand_ins() -> list[Any]:
    return [
        (_Array, "numpy.core.multiarray._reconstruct"),
        (_Array, "numpy._core.multiarray._reconstruct"),
        (_ArrayType, "numpy.ndarray"),
        (_no_bytes, "builtins.bytes"),
    ]


def _plain(value: Any, size: int, seen: "count[int]") -> Any:
    """Return the value with arrays in the place of tensors and stand-ins."""
    if next(seen) > size:
        raise ValueError("more entries than bytes")
    if isinstance(value, _Array):
        return _plain(value.value, size, seen) if isinstance(value.value, list) else value.value
    if hasattr(value, "element_size"):
        return _numbers(value, size)
    if isinstance(value, Mapping):
        return {key: _plain(each, size, seen) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, size, seen) for each in value]
    if value is None or isinstance(value, str | bytes | int | float | bool):
        return value
    raise ValueError(f"a {type(value).__name__}, which is no array")


def _numbers(tensor: Any, size: int) -> Any:
    """Return a tensor as an array; it shares the memory."""
    if tensor.is_sparse or tensor.is_quantized:
        raise ValueError("a sparse or quantized tensor")
    if tensor.numel() * tensor.element_size() > size:
        raise ValueError("a tensor that claims to be larger than the file")
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
