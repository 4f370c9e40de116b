"""Archives unpacked without harm, and a data set put in its place, under DVC."""

import errno
import lzma
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import yaml

from topdb.datasets.control import control_error, is_control, is_litter, require_no_control
from topdb.datasets.reading import Source, Verification, verify
from topdb.datasets.records import CACHE_TAG
from topdb.errors import UserError

GROWTH = 20
"""Images and MATLAB files are compressed already: what unpacks to much more is no data set."""

FREE_GROWTH = 2**30
"""Bytes that any archive may unpack to."""

MOST_FILES = 2_000_000

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
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
    with archive.open("rb") as stream:
        is_zip = stream.read(4) in _ZIP_MAGIC
    writer = _Writer(archive, target)
    with _broken_is_a_mistake(archive):
        for name, content in _zip_files(archive) if is_zip else _tar_files(archive):
            writer.write(name, content)


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
        if is_litter(parts):
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


Told = Callable[[Verification], None]


def add(
    name: str, layout: str, given: Path, data: Path, told: Told, allow_partial: bool = False
) -> Path:
    """Put a folder or an archive under DVC as `data/<name>`; return `data/<name>.dvc`.

    It is copied or unpacked beside its place, verified, renamed into place, and added by the
    `dvc` program. A folder that already lies in its place stays there. Whatever fails, nothing is
    left behind and what was there before is as it was. `told` gets the counts before they are
    judged.

    Raises
    ------
    UserError
        There is no `dvc` program or no DVC repository, something has the data set's name already,
        its place lies inside of what is given, the archive is unsafe or broken, a file controls a
        tool, the data set does not verify, or DVC fails or leaves files out.
    """
    target = data / name
    record = data / f"{name}.dvc"
    program = _dvc()
    _require_repository(program, data)
    if not given.exists():
        raise UserError(f"{given} does not exist: name the folder or archive of the data set.")
    _remove_stale(target)
    source = Source(layout, target)
    if target.exists() and given.resolve() == target.resolve():
        require_no_control(target, given)
        _verify(name, source, told, allow_partial)
        before = record.read_bytes() if record.exists() else None
        try:
            _dvc_add(program, target)
        except UserError:
            _forget(program, record, before)
            raise
        return record
    _require_free(target, record, name)
    if target.resolve().is_relative_to(given.resolve()):
        raise UserError(
            f"{given} holds {target}, where its copy would go: name the folder of the data set "
            "alone, or move it out of the way."
        )
    with _folder_made(data), _staged(target) as staging:
        root = _brought(given, staging / "content")
        with _named(root, given):
            _verify(name, Source(layout, root), told, allow_partial)
        try:
            root.rename(target)
        except OSError:
            _require_free(target, record, name)
            raise
        try:
            _dvc_add(program, target)
        except BaseException:
            _forget(program, record, None)
            target.rename(staging / "undone")
            raise
    return record


def _verify(name: str, source: Source, told: Told, allow_partial: bool) -> None:
    verification = verify(name, source)
    told(verification)
    verification.require(allow_partial)


def _brought(given: Path, content: Path) -> Path:
    """Copy or unpack; return the data set's folder, without the folder around it."""
    if given.is_dir():
        require_no_control(given, given)
        _copy(given, content)
    else:
        unpack(given, content)
        require_no_control(content, given)
    inside = [entry for entry in content.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else content


def _copy(given: Path, content: Path) -> None:
    for folder, folders, files in os.walk(given):
        for name in [*folders, *files]:
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UserError(
                    f"{path} is a link or device where only files and folders belong: replace it "
                    "by what it stands for."
                )
        copy = content / Path(folder).relative_to(given)
        copy.mkdir(parents=True)
        for name in files:
            shutil.copyfile(Path(folder, name), copy / name)


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target that is removed at the end."""
    staging = target.with_name(f".{target.name}.{os.getpid()}.adding.partial")
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    """Remove what killed processes left."""
    for stale in target.parent.glob(f".{target.name}.*.adding.partial"):
        if not _alive(int(stale.name.split(".")[-3])):
            shutil.rmtree(stale, ignore_errors=True)


@contextmanager
def _folder_made(data: Path) -> Iterator[None]:
    """Make the data folder; where what follows fails, it goes as it came."""
    existed = data.exists()
    data.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not existed and not any(data.iterdir()):
            data.rmdir()


@contextmanager
def _named(staged: Path, given: Path) -> Iterator[None]:
    """Let messages name what the user gave, and not where it was staged."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(staged), str(given))) from None


def _require_free(target: Path, record: Path, name: str) -> None:
    if target.exists() or target.is_symlink():
        raise UserError(
            f"{target} is there already: move it away to add another one, or add it where it is "
            f"with `topdb add {name} {target}`."
        )
    if record.exists():
        raise UserError(
            f"{record} is there already: `dvc pull {record}` brings its images; remove it to add "
            "others."
        )


def _dvc() -> str:
    # An environment that is not activated has its programs beside its Python.
    beside = Path(sys.executable).with_name("dvc")
    program = shutil.which("dvc") or (str(beside) if beside.is_file() else None)
    if program is None:
        raise UserError(
            "the program dvc is not installed: `pip install dvc` (dvc-s3 for an S3 remote), and "
            "run the same command again."
        )
    return program


def _require_repository(program: str, data: Path) -> None:
    there = data.absolute()
    while not there.is_dir():
        there = there.parent
    if _run(program, "root", folder=there).returncode:
        raise UserError(
            f"{data} lies in no DVC repository: run `dvc init` (`dvc init --no-scm` without git) "
            "in the project's folder first."
        )


def _dvc_add(program: str, target: Path) -> None:
    _done(_run(program, "add", "--quiet", target.name, folder=target.parent), f"add {target}")
    _require_all_recorded(program, target)


def _done(run: subprocess.CompletedProcess[str], command: str) -> list[str]:
    """Return the lines that `dvc` printed; raise a UserError where it failed."""
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.strip()]
        reason = lines[0].removeprefix("ERROR: ").rstrip(".") if lines else "no reason given"
        raise UserError(f"`dvc {command}` failed ({reason}): mend that and add it again.")
    return run.stdout.splitlines()


def _require_all_recorded(program: str, target: Path) -> None:
    """Raise a UserError where DVC left out files that a checkout would then lack."""
    there = _files(target)
    record = target.with_name(f"{target.name}.dvc")
    (out,) = yaml.safe_load(record.read_text(encoding="utf-8"))["outs"]
    if (out.get("nfiles"), out.get("size")) == (len(there), sum(there.values())):
        return  # listing takes long
    arguments = ("list", ".", target.name, "--recursive", "--dvc-only")
    listed = _done(_run(program, *arguments, folder=target.parent), f"list {target}")
    missing = sorted(set(there) - set(listed))
    if missing:
        raise UserError(
            f"DVC leaves out {len(missing):,} of the {len(there):,} files of {target} (first "
            f"{missing[0]}), and a checkout would lack them: `dvc check-ignore --details "
            f"{target / missing[0]}` names the pattern in a .dvcignore; mend it and add it again."
        )


def _files(root: Path) -> dict[str, int]:
    """Return each file's size by its path, without what follows from others or is unfinished."""
    found = {}
    for place, folders, files in os.walk(root):
        if CACHE_TAG in files and Path(place) != root:
            folders.clear()
            continue
        for name in files:
            path = Path(place, name)
            if not name.endswith(".partial"):
                found[path.relative_to(root).as_posix()] = path.stat().st_size
    return found


def _forget(program: str, record: Path, before: bytes | None) -> None:
    """Undo what DVC recorded: back to what the record was before, if there was one."""
    if before is not None:
        record.write_bytes(before)
    elif record.exists():
        _run(program, "remove", "--quiet", record.name, folder=record.parent)
        record.unlink(missing_ok=True)


def _run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
