"""A digest of a folder's content that is quick where nothing was touched."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from topdb.files import digest, write_text
from topdb.litter import is_litter

_MANY = 2000
"""Files from which reading them all is announced."""


def fingerprint(root: Path, less: str = "", note: bool = True) -> str:
    """Return a digest of the names and contents of a folder's files.

    Times are no part of it, since a checkout renews them. They only tell which files have to be
    read again: those whose size, times or inode are others than when they were last read, which is
    noted beside the folder, or in the user's cache where nothing can be written there. Left out are
    what is still being written, what systems leave in folders (`topdb.litter`), and folders with a
    CACHEDIR.TAG, whose content follows from the rest.

    Parameters
    ----------
    less : name of a file at the top that is left out, too
    note : whether what was read is noted, and what was noted is believed
    """
    looked = {name: stamp for name, stamp in _look(root) if name != less}
    quick = sha256(json.dumps(looked).encode()).hexdigest()
    head, lines = _noted(root) if note else ([], [])
    if head[:1] == [quick]:
        return str(head[1])
    known = _entries(lines)
    read = {name: known[name][1] for name in looked if known.get(name, [0])[0] == looked[name]}
    stale = [name for name in looked if name not in read]
    if len(stale) >= _MANY:
        print(f"topdb: reading {len(stale):,} files of {root} once.", file=sys.stderr)
    read |= {name: _digest(root / os.fsdecode(name.encode("latin-1"))) for name in stale}
    content = sha256()
    for name in looked:
        content.update(f"{name}\0{read[name]}\n".encode())
    found = content.hexdigest()
    noted = [[quick, found], *([name, looked[name], read[name]] for name in looked)]
    text = "".join(json.dumps(line) + "\n" for line in noted)
    for place in _places(root) if note else ():
        with suppress(OSError):
            write_text(place, text)
            break
    return found


def _look(folder: Path, before: str = "") -> Iterator[tuple[str, list[int]]]:
    """Yield name, and size, times and inode, of each file in order; names as bytes in latin-1."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if before and any(entry.name == "CACHEDIR.TAG" for entry in entries):
        return
    for entry in entries:
        name = before + os.fsencode(entry.name).decode("latin-1")
        passed = entry.name.endswith(".partial") or is_litter(entry.name)
        if passed or _leads_back(entry, folder):
            continue
        if entry.is_dir():
            yield from _look(Path(entry), f"{name}/")
            continue
        try:
            of = entry.stat()
        except OSError:  # a link to nothing
            yield name, [-1]
        else:
            yield name, [of.st_size, of.st_mtime_ns, of.st_ctime_ns, of.st_ino]


def _leads_back(entry: os.DirEntry[str], folder: Path) -> bool:
    """Whether an entry is a link to a folder that it lies in."""
    return (
        entry.is_symlink()
        and entry.is_dir()
        and folder.resolve().is_relative_to(Path(entry).resolve())
    )


def _digest(path: Path) -> str:
    try:
        return digest(path)
    except OSError:
        return "unreadable"


def _places(root: Path) -> Iterator[Path]:
    """Yield where it may be noted what was read."""
    absolute = root.absolute()
    yield absolute.with_name(f".{root.name}.seen.partial")
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    except RuntimeError:  # a user without a home
        return
    name = sha256(os.fsencode(absolute)).hexdigest()[:24]
    yield cache / "topdb" / f"{name}.seen"


def _noted(root: Path) -> tuple[list[str], list[str]]:
    """Return quick look and digest as noted, and the lines of the files; empty if broken."""
    for place in _places(root):
        with suppress(OSError, ValueError, IndexError):
            first, *lines = place.read_text(encoding="utf-8").splitlines()
            head = json.loads(first)
            if isinstance(head, list) and len(head) == 2:
                return head, lines
    return [], []


def _entries(lines: list[str]) -> dict[str, list[Any]]:
    """Return stamp and digest of each file; empty where a line is broken."""
    try:
        return {name: [stamp, read] for name, stamp, read in map(json.loads, lines)}
    except (ValueError, TypeError):
        return {}
