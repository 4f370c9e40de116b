"""Atomic writes and digests: a reader never sees half a file."""

import csv
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from topdb.errors import UserError
from topdb.limits import read_bytes


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it is renamed onto `path`.

    The name ends in `.partial`, so that nothing takes an interrupted write for a result, and
    holds the process id, so that two writers do not share it. The content is flushed to disk
    before the rename: after a power cut there is the old file or the new one. On any error the
    partial file is removed and `path` is as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        _open_up(partial)
        partial.replace(path)
    except OSError as error:
        # A failed write knows no name, and one that knows the partial file's helps nobody.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def _open_up(path: Path) -> None:
    """Give a private file the mode of any new one here: safetensors writes through a private one.

    What that is, the system tells of a new file; asking for the umask would change it for a moment.
    """
    if path.stat().st_mode & 0o077:
        return
    fresh = path.with_name(f"{path.name}.mode.partial")
    descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY, 0o666)
    try:
        path.chmod(stat.S_IMODE(os.fstat(descriptor).st_mode))
    finally:
        os.close(descriptor)
        fresh.unlink()


@contextmanager
def one_at_a_time(path: Path, waiting: str = "") -> Iterator[bool]:
    """Hold a lock on the making of `path`; yield whether somebody else held it first.

    The kernel takes the lock back however its holder ends, and nobody waits for a dead process.
    Its file lies beside `path`, ends in `.partial` and goes with the holder. Processes of one
    machine wait for each other, and those of others where the file system passes locks on. One
    that has to wait says the sentence `waiting` on standard error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.lock.partial")
    lock, waited = FileLock(place), False
    try:
        lock.acquire(blocking=False)
    except Timeout:
        waited = True
        if waiting:
            print(f"topdb: {waiting}", file=sys.stderr)
        lock.acquire()
    try:
        yield waited
    finally:
        place.unlink(missing_ok=True)  # who waits for a file that is gone takes a new one
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


_HALF = re.compile(r"[\ud800-\udfff]")
"""Half of a character, a lone surrogate."""


def require_text(content: object) -> None:
    """Raise ValueError where plain data hold half of a character.

    JSON and YAML can hold one as an escape. It has no UTF-8: whoever prints, draws, sends or
    bundles it would fail.
    """
    if isinstance(content, str):
        if found := _HALF.search(content):
            raise ValueError(f"a text holds half of a character, U+{ord(found[0]):04X}")
    elif isinstance(content, Mapping):
        for key, value in content.items():
            require_text(key)
            require_text(value)
    elif isinstance(content, list | tuple):
        for each in content:
            require_text(each)


def parse_json(text: str) -> Any:
    """Return what a JSON text says; ValueError where it is none, or holds half of a character."""
    content = json.loads(text)
    if "\\u" in text:  # what UTF-8 cannot hold is an escape
        require_text(content)
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    UserError
        The file is missing, is no JSON, or holds something other than an object.
    """
    return parsed_json(path, json_bytes(path))


def json_bytes(path: Path) -> bytes:
    """Return the bytes of a file of JSON; a UserError where there is none."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the step that writes it first.") from None


def parsed_json(path: Path, content: bytes) -> dict[str, Any]:
    """Return the JSON object of a file's bytes; a UserError where they are none."""
    try:
        found = parse_json(content.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not readable as JSON ({error}): delete it and run the step that writes "
            "it again."
        ) from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object: delete it and run its step again.")
    return found


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the named columns as CSV, atomically; floats keep every digit."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
