"""What a file is, told by its first bytes; and how much one may unfold to."""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from topdb.errors import UserError

START = 4096
"""How many bytes are looked at."""
_ALWAYS = 2**28
_TIMES = 100

_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb"\s*<(!doctype html|html|head|body)", "is a web page and no features: download it again"),
    (rb"\s*<\?xml", "is an XML document and no features: name another file"),
    (rb"version https://git-lfs", "is a pointer of git-lfs and no features: run git lfs pull"),
    (rb"/annex/|(\.\./)+\.git/annex", "is a pointer of git-annex: run git annex get"),
    (rb"\xff\xd8\xff", "is an image (JPEG): extract features of images first"),
    (rb"\x89PNG", "is an image (PNG): extract features of images first"),
    (rb"GIF8", "is an image (GIF): extract features of images first"),
    (rb"RIFF....WEBP", "is an image (WebP): extract features of images first"),
    (rb"(II\*\x00|MM\x00\*)", "is an image (TIFF): extract features of images first"),
    (rb"BM....\x00\x00\x00\x00", "is an image (BMP): extract features of images first"),
    (rb"%PDF", "is a PDF document and no features: name another file"),
    (rb"\x1f\x8b", "is packed with gzip: unpack it first"),
    (rb"BZh\d", "is packed with bzip2: unpack it first"),
    (rb"\xfd7zXZ", "is packed with xz: unpack it first"),
    (rb"\x28\xb5\x2f\xfd", "is packed with zstd: unpack it first"),
    (rb"7z\xbc\xaf|Rar!", "is a packed archive: unpack it first"),
    (rb".{257}ustar", "is a tar archive: unpack it first"),
    (rb"(\xff\xfe|\xfe\xff)", "is text in UTF-16: save it as UTF-8"),
    (
        rb"\x80[\x02-\x05]|\(([ld]p\d|dS|lS)|c(numpy|copy_reg|__builtin__|torch|collections)",
        "is a pickle of Python, and reading one can run code: load it where you trust it, and "
        "write its arrays with numpy.savez",
    ),
    (rb"\s*[\[{]\s*[\[{\"\d]", "is JSON: load it, and write its arrays with numpy.savez"),
    (rb"PAR1", "is a Parquet table: load it, and write its arrays with numpy.savez"),
    (rb"SQLite format 3", "is a database and no features: name another file"),
    (rb"\x7fELF|MZ", "is a program and no features: name another file"),
)


def shown(name: object) -> str:
    """Return a name that is safe in a message of one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return text if len(text) <= 200 else f"{text[:90]}...{text[-90:]}"


def reason(error: Exception) -> str:
    """Return the first line of what an exception says, or its kind."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.strip().splitlines()
    return shown(lines[0].rstrip(".:")) if lines else type(error).__name__


def foreign(start: bytes) -> str | None:
    """Return what a file that can hold no features is, and what to do; None where unknown."""
    for pattern, said in _KINDS:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return said
    return None


def describe(path: Path, start: bytes) -> str:
    """Return what a file that no format recognises is, and what to do."""
    if not start:
        return "is empty: write or copy it again"
    if start.startswith(b"PK"):
        return _describe_zip(path)
    known = foreign(start)
    if known:
        return known
    return (
        f"is of no known kind (it starts with the bytes {start[:8].hex(' ')}): write the .npz "
        "file of docs/features.md"
    )


def _describe_zip(path: Path) -> str:
    names = zip_names(path, b"")
    if not names:
        return "is a zip archive that is empty, damaged or cut short: copy or write it again"
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        return "is a network of TorchScript: extract features with it first"
    return f"is a zip archive (of {shown(names[0])} and so on): unpack it first"


def zip_names(path: Path, start: bytes) -> list[str]:
    """Return the names in a zip archive; of one that is cut short, the first name alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        length = int.from_bytes(start[26:28], "little")
        return [start[30 : 30 + length].decode("utf-8", "replace")] if length else []


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
