"""What the parent run of an invocation is given to keep: its configuration and its reports."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from topdb.files import digest

_NOT_OURS = frozenset({"published", "reference"})
"""Folders of reports/ that hold what results are compared with."""


def report_files(reports: Path) -> list[Path]:
    """Return the rendered files, sorted: tables, figures, page, metrics, data of plots."""
    return sorted(_rendered(reports))


def _rendered(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_symlink() or path.name.startswith(".") or path.name in _NOT_OURS:
            continue
        if path.is_dir():
            yield from _rendered(path)
        elif path.is_file():
            yield path


def digest_of(files: list[Path]) -> str:
    """Return a digest of files' names and contents, by which an upload is known."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.as_posix()}\0{digest(file)}\n".encode())
    return found.hexdigest()
