"""What a file is, told by its first bytes: a download is often something else than named."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from topdb.errors import UserError

START = 4096
"""How many bytes are looked at."""
TORCH = "torch"
"""The word for a file of `torch.save`, among the kinds below."""
CHECKPOINTS = (TORCH, "pickle", "tar", "safetensors", "broken-zip")
"""What a file of weights may be: `torch.save` wrote pickles and tar archives once, and what is cut
short its reader tells."""
_FETCH = "fetch it again"
_UNPACK = "unpack it first, and name what it holds"


@dataclass(frozen=True)
class Kind:
    """A kind of files."""

    word: str
    """Which one it is, for code."""
    title: str
    """The same for a reader, with its article."""
    remedy: str
    """What to do where something else was wanted."""


_PAGE = Kind(
    "html",
    "an HTML page",
    "the download needs a login or a confirmation in the browser; fetch it again",
)
_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (rb"(\xef\xbb\xbf)?\s*(<!--.{0,2000}?-->\s*)?<(!doctype html|html|head|body|script)\b", _PAGE),
    (
        rb"(\xef\xbb\xbf)?\s*<(\?xml|error>)",
        Kind("xml", "an XML document", f"it may be a server's refusal; {_FETCH}"),
    ),
    (
        rb"version https://git-lfs",
        Kind("lfs", "a pointer of git-lfs", "run `git lfs pull` where it was cloned"),
    ),
    (
        rb"/annex/|(\.\./)+\.git/annex",
        Kind("annex", "a pointer of git-annex", "run `git annex get` where it was cloned"),
    ),
    (rb"\xff\xd8\xff", Kind("jpeg", "a JPEG image", _FETCH)),
    (rb"\x89PNG", Kind("png", "a PNG image", _FETCH)),
    (rb"GIF8[79]a", Kind("gif", "a GIF image", _FETCH)),
    (rb"RIFF....WEBP", Kind("webp", "a WebP image", _FETCH)),
    (rb"....ftyp(avif|avis)", Kind("avif", "an AVIF image", _FETCH)),
    (rb"....ftyp(heic|heix|hevc|mif1|msf1)", Kind("heic", "a HEIC image", _FETCH)),
    (
        rb"(\xff\x0a|\x00\x00\x00\x0cJXL |\x00\x00\x00\x0cjP  )",
        Kind("jxl", "a JPEG XL or JPEG 2000 image", _FETCH),
    ),
    (rb"(II\*\x00|MM\x00\*)", Kind("tiff", "a TIFF image", _FETCH)),
    (rb"BM....\x00\x00\x00\x00", Kind("bmp", "a BMP image", _FETCH)),
    (rb"....ftyp", Kind("video", "a video (MP4)", _FETCH)),
    (rb"%PDF", Kind("pdf", "a PDF document", "name another file")),
    (rb"\x1f\x8b", Kind("gzip", "packed with gzip", _UNPACK)),
    (rb"BZh\d", Kind("bzip2", "packed with bzip2", _UNPACK)),
    (rb"\xfd7zXZ", Kind("xz", "packed with xz", _UNPACK)),
    (rb"\x28\xb5\x2f\xfd", Kind("zstd", "packed with zstd", _UNPACK)),
    (rb"7z\xbc\xaf\x27\x1c", Kind("7z", "a 7z archive", _UNPACK)),
    (rb"Rar!", Kind("rar", "a RAR archive", _UNPACK)),
    (rb".{257}ustar", Kind("tar", "a tar archive", _UNPACK)),
    (
        rb"(\xff\xfe|\xfe\xff)",
        Kind("utf-16", "text in UTF-16", "save it as UTF-8"),
    ),
    (rb"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", Kind(TORCH, "", _FETCH)),
    (
        rb"\x80[\x02-\x05]|\(([ld]p\d|dS|lS)|c(numpy|copy_reg|__builtin__|torch|collections)",
        Kind("pickle", "a pickle of Python", "reading one can run code; name another file"),
    ),
    (rb"PAR1", Kind("parquet", "a Parquet table", "name another file")),
    (rb"SQLite format 3", Kind("database", "a database (SQLite)", "name another file")),
    (rb"\x7fELF|MZ", Kind("program", "a program", "name another file")),
    (rb"\x93NUMPY", Kind("npy", "an array of NumPy (.npy)", "name another file")),
    (rb"\x89HDF\r\n\x1a\n", Kind("hdf5", "an HDF5 file", "name another file")),
    (rb"MATLAB 5\.0", Kind("matlab5", "a MATLAB 5 file", "name another file")),
    (rb"MATLAB 7\.3", Kind("matlab7.3", "a MATLAB 7.3 file", "name another file")),
)
_COMPILED = tuple((re.compile(at, re.DOTALL | re.IGNORECASE), kind) for at, kind in _STARTS)
_JSON = re.compile(rb"(\xef\xbb\xbf)?\s*[\[{]\s*([\[{\"\d\]}]|$)")
IMAGES = ("jpeg", "png", "gif", "webp", "avif", "heic", "jxl", "tiff", "bmp")
"""The words of images."""
_EMPTY = Kind("empty", "empty", "fetch or copy it again")
_SAFE = Kind("safetensors", "a .safetensors file", "name another file")
_QUOTED = 60
"""Characters of a text that a message quotes."""


def shown(name: object) -> str:
    """Return a name that is safe in a message of one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return text if len(text) <= 200 else f"{text[:90]}...{text[-90:]}"


def first_bytes(path: Path) -> bytes:
    """Return a file's first bytes; errors as `Path.open`."""
    with path.open("rb") as stream:
        return stream.read(START)


def zip_names(path: Path, start: bytes) -> list[str]:
    """Return the names in a zip archive; of one that is cut short, the first name alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        length = int.from_bytes(start[26:28], "little")
        return [start[30 : 30 + length].decode("utf-8", "replace")] if length else []


def kind_of(path: Path, start: bytes | None = None) -> Kind | None:
    """Return a file's kind, by its first bytes or those that are given; None where unknown.

    Raises
    ------
    OSError
        It cannot be read.
    """
    start = first_bytes(path) if start is None else start
    if not start:
        return _EMPTY
    if start.startswith(b"PK"):
        return _zip(path, start)
    for pattern, kind in _COMPILED:
        if pattern.match(start):
            return kind
    if is_safetensors(start):
        return _SAFE
    text = _text(start)
    if text is None:
        return None
    quoted = shown(" ".join(text.split())[:_QUOTED])
    if _JSON.match(start):
        return Kind("json", f"JSON ('{quoted}')", f"it may be a server's refusal; {_FETCH}")
    return Kind("text", f"text ('{quoted}')", f"it may be a server's refusal; {_FETCH}")


def is_safetensors(start: bytes) -> bool:
    """Whether a file of tensors begins so: a length of eight bytes, then JSON."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and length < 10**8 and start[9:16].lstrip()[:1] in (b'"', b"}")


def refuse_other(path: Path, wanted: str, *fine: str) -> None:
    """Refuse a file whose first bytes say that it is something else; unknown ones pass.

    Parameters
    ----------
    path : the file; one that cannot be read passes, too
    wanted : what it ought to be, for the message
    fine : the words of the kinds that it may be

    Raises
    ------
    UserError
        It is of another kind.
    """
    try:
        kind = kind_of(path)
    except OSError:
        return
    if kind and kind.word not in fine:
        raise UserError(f"{shown(path)} {other(kind, wanted)}.")


def other(kind: Kind, wanted: str, remedy: str | None = None) -> str:
    """Return that a file is of a kind and not what was wanted, and what to do."""
    if kind is _EMPTY:
        return f"({wanted}) is empty: {kind.remedy}"
    proof = "" if kind.word in ("json", "text") else " (its first bytes say so)"
    return f"is {kind.title}{proof}, not {wanted}: {remedy or kind.remedy}"


def _zip(path: Path, start: bytes) -> Kind:
    names = zip_names(path, b"")
    if not names:
        partial = zip_names(path, start)
        first = f" that begins with {shown(partial[0])}" if partial else ""
        title = f"a zip archive{first}, and empty, damaged or cut short"
        return Kind("broken-zip", title, "fetch or write it again")
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        return Kind("torchscript", "a network of TorchScript", "name its weights, by `torch.save`")
    if any(name.endswith("/data.pkl") for name in names):
        return Kind(TORCH, "a file of `torch.save`", "name another file")
    if all(name.endswith(".npy") for name in names):
        return Kind("npz", "an archive of NumPy (.npz)", "name another file")
    if any(name.startswith(("xl/", "word/", "ppt/")) for name in names):
        return Kind("office", "an Office document", "save its table as CSV")
    files = [name for name in names if not name.endswith("/")] or names
    around = shown(files[0]) if len(files) == 1 else f"{shown(files[0])} and {len(files) - 1} more"
    return Kind("zip", f"a zip archive around {around}", "unpack it, and name what is meant in it")


def _text(start: bytes) -> str | None:
    """Return the start of a file as text; None where it is none."""
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The start may end within a letter.
        if error.start < START - 4 or len(start) < START:
            return None
        text = start[: error.start].decode("utf-8-sig")
    plain = all(each.isprintable() or each in "\t\r\n" for each in text)
    return text if plain and text.strip() else None
