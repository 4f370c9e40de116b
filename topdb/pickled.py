"""Files that `torch.save` wrote, by whomever: tensors are read, code is never run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.serialization import safe_globals

from topdb.errors import UserError

_NUMBERS = {"f2", "f4", "f8", "i4", "i8"}


class _NumberType:
    """Stands in for numpy's dtype while a file is read, so that none of numpy's code runs."""

    def __init__(self, code: str = "", *_: object) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


def _number(kind: _NumberType, content: bytes | str) -> float:
    """Stand in for what numpy rebuilds its scalars with; only plain numbers are known."""
    if not isinstance(kind, _NumberType) or kind.code not in _NUMBERS or kind.order not in "<>=|":
        raise ValueError("a numpy value that is no plain number")
    raw = content.encode("latin1") if isinstance(content, str) else content
    return float(np.frombuffer(raw, np.dtype(kind.order + kind.code), count=1)[0])


def load_pickled(path: Path, what: str) -> Any:
    """Read a file of `torch.save`: tensors on the CPU, containers, plain numbers.

    torch's own list of harmless types decides (`weights_only`). numpy's scalars, which old
    checkpoints hold beside their tensors, are read by stand-ins and become floats.

    Parameters
    ----------
    path : the file, of any version of torch
    what : what it ought to be, for the message

    Raises
    ------
    UserError
        The file is missing or broken, or it would run code to be read.
    """
    stand_ins: list[Any] = [
        (_NumberType, "numpy.dtype"),
        (_number, "numpy.core.multiarray.scalar"),
        (_number, "numpy._core.multiarray.scalar"),
    ]
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UserError(
            f"{path} ({what}) cannot be read ({error.strerror}): correct the name."
        ) from None
    try:
        with stream, safe_globals(stand_ins):
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle may raise whatever its bytes lead to
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code:
            raise UserError(
                f"{path} is not only tensors: reading it would run {code[1]}, so it was not read; "
                f"get {what} from its authors."
            ) from None
        raise UserError(
            f"{path} is no file of torch ({type(error).__name__}), or is cut short: get {what} "
            "again."
        ) from None
