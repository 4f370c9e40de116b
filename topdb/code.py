"""Digests of code: of what a step imports, and of nothing else.

A result of other code is not kept for its own. Which code a result comes from follows from the
imports of the files that make it, read as text, wherever in a file they stand.
"""

import ast
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_NAME = _PACKAGE.name


_LOOP = "runs/train.py"
"""Where the code begins that trains every method."""
_SIZES = "config/scale.py"
"""What turns a profile's scale into a network's sizes."""
_RUN_ROOMS = (
    *("methods", "engine", "runs", "pickled.py"),
    *(f"results/{name}.py" for name in ("features", "records", "snapshots")),
)
"""The rooms whose code a run's weights and features come from."""


def method_code(file: Path, backbone: str) -> str:
    """Return the digest of the code that decides on a method's runs: its own, and the loop's.

    An edit of one method's file is an edit of its runs alone. `backbone` is the name of the one
    that is built: it is found by that name and not imported.
    """
    return code_digest([file, _backbone(backbone), _SIZES, _LOOP], _RUN_ROOMS)


def pretraining_code(backbone: str) -> str:
    """Return the digest of the code that decides on a backbone's pretraining."""
    return code_digest([_backbone(backbone), _SIZES, "runs/pretraining.py"], _RUN_ROOMS)


def importing_code() -> str:
    """Return the digest of the code that makes runs of released checkpoints."""
    return code_digest(["runs/importing.py"], _RUN_ROOMS)


def _backbone(name: str) -> str:
    return f"methods/backbones/{name.replace('-', '_')}.py"


def code_digest(starts: Sequence[Path | str], rooms: Sequence[str]) -> str:
    """Return a digest of some files and of all that they import from some rooms of the package.

    Parameters
    ----------
    starts : files, or files and folders below `topdb` by their names there
    rooms : folders and files below `topdb`; what is imported from others is left out
    """
    found = hashlib.sha256()
    for file in sorted(_closure(starts, tuple(rooms)), key=_shown):
        found.update(_shown(file).encode() + b"\0")
        found.update(file.read_bytes())
    return found.hexdigest()


def _closure(starts: Sequence[Path | str], rooms: tuple[str, ...]) -> set[Path]:
    waiting: list[Path] = []
    for start in starts:
        path = start if isinstance(start, Path) else _PACKAGE / start
        waiting += sorted(filter(_is_code, path.rglob("*"))) if path.is_dir() else [path]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix == ".py":
            inside = (each for each in _imports(file) if _lies_in(each, rooms))
            waiting += [each for each in inside if each not in found]
    return found


def _lies_in(file: Path, rooms: tuple[str, ...]) -> bool:
    return any(file.is_relative_to(_PACKAGE / room) for room in rooms)


def _is_code(path: Path) -> bool:
    return path.is_file() and path.parent.name != "__pycache__"


def _shown(file: Path) -> str:
    """Name a file independently of where the project lies."""
    inside = file.is_relative_to(_PACKAGE)
    return file.relative_to(_PACKAGE).as_posix() if inside else f"own/{file.name}"


@cache
def _imports(file: Path) -> frozenset[Path]:
    """Return the package's files that a file imports, packages' `__init__.py` on the way too."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names: Iterable[str] = (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != _NAME:
                continue
            for length in range(2, len(parts) + 1):
                path = _PACKAGE.joinpath(*parts[1:length])
                for candidate in (path.with_suffix(".py"), path / "__init__.py"):
                    if candidate.is_file():
                        found.add(candidate)
    return frozenset(found)
