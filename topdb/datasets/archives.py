"""Archives unpacked without harm."""

import errno
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from topdb.datasets.control import control_error, is_control
from topdb.errors import UserError
from topdb.kinds import IMAGES, kind_of, other
from topdb.litter import is_litter

GROWTH = 20
"""Images and MATLAB files are compressed already: what unpacks to much more is no data set."""

FREE_GROWTH = 2**30
"""Bytes that any archive may unpack to."""

MOST_FILES = 2_000_000

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ARCHIVES = ("zip", "broken-zip", "tar", "gzip", "bzip2", "xz")
_BLOCK = 512
_CHUNK = 2**20


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip or tar archive, the latter compressed or not, into a folder that is made.

    Only files and folders are written, with the user's own permissions. On any error some of the
    files may have been written; the caller removes the folder.

    Raises
    ------
    UserError
        The archive is none or cut short or encrypted, a path in it leads out of the folder, is
        there twice or controls a tool, it holds a link or a device, or it unpacks to far more than
        its own size or than the disk has room for. The message names the archive and the path.
    """
    target.mkdir(parents=True)
    _require_archive(archive)
    with archive.open("rb") as stream:
        is_zip = stream.read(4) in _ZIP_MAGIC
    writer = _Writer(archive, target)
    with _broken_is_a_mistake(archive):
        for name, content in _zip_files(archive) if is_zip else _tar_files(archive):
            writer.write(name, content)


def _require_archive(archive: Path) -> None:
    kind = kind_of(archive)
    if kind is None or kind.word in _ARCHIVES:
        return
    remedy = None
    if kind.word in (*IMAGES, "hdf5", "matlab5", "matlab7.3", "text", "parquet"):
        remedy = "name the archive, or the folder that holds it"
    elif kind.word in ("7z", "rar", "zstd"):
        remedy = "unpack it yourself and add the folder"
    raise UserError(f"{archive} {other(kind, 'a zip or tar archive', remedy)}.")


class _Writer:
    """Writes an archive's files, and stops where it leads out of the folder or has no end."""

    def __init__(self, archive: Path, target: Path) -> None:
        self._archive = archive
        self._target = target
        self._most = max(FREE_GROWTH, GROWTH * archive.stat().st_size)
        self._room = shutil.disk_usage(target).free
        self._written = 0
        self._files = 0

    def write(self, name: str, content: IO[bytes]) -> None:
        parts = self._safe_parts(name)
        if any(map(is_litter, parts)):
            return
        if any(map(is_control, parts)):
            raise control_error(self._archive, name)
        self._files += 1
        if self._files > MOST_FILES:
            raise self._refusal(f"holds more than {MOST_FILES:,} files")
        path = self._target.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            out = path.open("xb")
        except (FileExistsError, NotADirectoryError):
            raise self._refusal(f"holds {name!r} twice") from None
        with out:
            while chunk := content.read(_CHUNK):
                self._count(len(chunk))
                out.write(chunk)

    def _count(self, size: int) -> None:
        self._written += size
        if self._written > self._most:
            raise self._refusal(f"unpacks to more than {self._most:,} bytes, which no images do")
        if self._written > self._room:
            raise UserError(
                f"{self._archive} does not fit on the disk of {self._target.parent}, which has "
                f"{self._room:,} bytes left: make room."
            )

    def _safe_parts(self, name: str) -> tuple[str, ...]:
        if "\0" in name:
            raise self._refusal(f"holds the path {name!r}, which no file can have")
        path = PurePosixPath(name.replace("\\", "/"))
        parts = tuple(part for part in path.parts if part != ".")
        if path.is_absolute() or ".." in parts or not parts or ":" in parts[0]:
            raise self._refusal(f"holds the path {name!r}, which leads out of its folder")
        return parts

    def _refusal(self, what: str) -> UserError:
        return UserError(f"{self._archive} {what}: get the archive from its authors.")


def _zip_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_file(archive, info.filename)
            if info.flag_bits & 1:
                raise UserError(
                    f"{archive} is encrypted: unpack it with its password and add the folder."
                )
            if not info.filename.endswith("/"):  # is_dir() breaks on an empty name
                with opened.open(info) as content:
                    yield info.filename, content


def _tar_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content
            elif not member.isdir():
                raise _no_file(archive, member.name)
        # Where the file ends between two members, tarfile takes that for the archive's end.
        assert opened.fileobj is not None
        opened.fileobj.seek(opened.offset)
        if len(opened.fileobj.read(_BLOCK)) < _BLOCK:
            raise tarfile.ReadError("unexpected end of data")


def _no_file(archive: Path, name: str) -> UserError:
    return UserError(
        f"{archive} holds {name!r}, a link or device, where only files and folders belong: unpack "
        "it yourself and add the folder."
    )


@contextmanager
def _broken_is_a_mistake(archive: Path) -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        struct.error,  # of a header that ends early
        ValueError,  # of a path that is no UTF-8, or a place before the beginning
        EOFError,
        NotImplementedError,
        OSError,
    ) as error:
        # What the system refuses has a number; what a decompressor finds broken has none, and a
        # place beyond the file's end is invalid.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{archive} cannot be unpacked ({reason}); it is no zip or tar archive, or is cut "
            "short: download it again."
        ) from None
