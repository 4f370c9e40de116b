"""What a file that holds no features is; and how much one may unfold to."""

from collections.abc import Iterable
from pathlib import Path

from topdb.errors import UserError
from topdb.kinds import IMAGES, START, kind_of, other, shown, zip_names

__all__ = ["START", "check_unfolded", "describe", "is_text", "reason", "shown", "zip_names"]

_ALWAYS = 2**28
_TIMES = 100

_ARRAYS = "load it, and write its arrays with numpy.savez"
_REMEDIES = {
    **dict.fromkeys((*IMAGES, "video"), "extract features of images first"),
    **dict.fromkeys(("json", "parquet"), _ARRAYS),
    "pickle": "reading one can run code, so load it where you trust it, and write its arrays with "
    "numpy.savez",
    "torchscript": "extract features with it first",
}
"""What else to do about a kind, where features are wanted of it."""


def reason(error: Exception) -> str:
    """Return the first line of what an exception says, or its kind."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.strip().splitlines()
    return shown(lines[0].rstrip(".:")) if lines else type(error).__name__


def is_text(path: Path, start: bytes) -> bool:
    """Whether a file is printable UTF-8 that is nothing else."""
    kind = kind_of(path, start) if not start.startswith(b"PK") else None
    return kind is not None and kind.word == "text"


def describe(path: Path, start: bytes) -> str:
    """Return what a file that no format recognises is, and what to do."""
    kind = kind_of(path, start)
    if kind:
        return other(kind, "features", _REMEDIES.get(kind.word))
    return (
        f"is of no known kind (it starts with the bytes {start[:8].hex(' ')}): write the .npz "
        "file of docs/features.md"
    )


def check_unfolded(path: Path, sizes: Iterable[int]) -> None:
    """Refuse content that claims to be much larger than its file.

    sizes : bytes that each part of the content will take in memory

    Raises
    ------
    UserError
        Together they take over 256 MiB and over a hundred times the file's size.
    """
    whole = sum(sizes)
    if whole > max(_ALWAYS, _TIMES * path.stat().st_size):
        raise UserError(
            f"{shown(path)} claims to hold {whole / 2**30:.1f} GiB, far more than its size allows: "
            "write it again without compression."
        )
