"""Digests of code: of what a step imports, and of nothing else.

A result of other code is not kept for its own. Which code a result comes from follows from the
imports of the files that make it, read as text, wherever in a file they stand.
"""

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_NAME = _PACKAGE.name


_LOOP = "runs/train.py"
"""Where the code begins that trains every method."""
_SIZES = "config/scale.py"
"""What turns a profile's scale into a network's sizes."""
_EVALUATION = (
    *("metrics", "retrieval", "formats", "runs/evaluate.py", "runs/indexed.py", "pickled.py"),
    *("kinds.py", "parquet.py", "results/evaluation.py", "results/features.py"),
    *("results/provenance.py", "results/records.py", "results/runs.py", "results/seals.py"),
)
"""The rooms whose code scores come from."""
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


def own_files(file: Path) -> frozenset[Path]:
    """Return a method's file and all that it imports, where they are not the package's."""
    return frozenset(each for each in _closure([file], ()) if not each.is_relative_to(_PACKAGE))


def own_libraries(file: Path) -> list[str]:
    """Return the libraries that a method of one's own imports, by the names of the imports."""
    names = {name.partition(".")[0] for each in own_files(file) for name, _ in _named(each)}
    return sorted(
        name
        for name in names - {_NAME, ""} - sys.stdlib_module_names
        if not _written_here(name) and importlib.util.find_spec(name)
    )


def importing_code() -> str:
    """Return the digest of the code that makes runs of released checkpoints."""
    return code_digest(["runs/importing.py"], _RUN_ROOMS)


def imported_code(file: Path, backbone: str) -> str:
    """Return the digest of the code that made a run of a released checkpoint of one method."""
    return code_digest([file, _backbone(backbone), _SIZES, "runs/importing.py"], _RUN_ROOMS)


def evaluation_code() -> str:
    """Return the digest of the code that ranks and scores; imports need not be followed."""
    return code_digest(_EVALUATION, ())


def _backbone(name: str) -> str:
    return f"methods/backbones/{name.replace('-', '_')}.py"


def code_digest(starts: Sequence[Path | str], rooms: Sequence[str]) -> str:
    """Return a digest of some files and of all that they import from some rooms of the package.

    Parameters
    ----------
    starts : files, or files and folders below `topdb` by their names there
    rooms : folders and files below `topdb`; what is imported from others is left out, and what a
        file that is not the package's imports of its like never is
    """
    own = next((each.parent for each in starts if isinstance(each, Path) and _is_own(each)), None)
    home = own.resolve() if own else None
    named = {_shown(file, home): file for file in _closure(starts, tuple(rooms))}
    found = hashlib.sha256()
    for name, file in sorted(named.items()):
        found.update(name.encode() + b"\0")
        found.update(file.read_bytes())
    return found.hexdigest()


def _closure(starts: Sequence[Path | str], rooms: tuple[str, ...]) -> set[Path]:
    waiting: list[Path] = []
    for start in starts:
        path = start if isinstance(start, Path) else _PACKAGE / start
        path = path.resolve() if _is_own(path) else path
        waiting += sorted(filter(_is_code, path.rglob("*"))) if path.is_dir() else [path]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix == ".py" and (rooms or _is_own(file)):
            inside = (each for each in _imports(file) if _is_own(each) or _lies_in(each, rooms))
            waiting += [each for each in inside if each not in found]
    return found


def _is_own(file: Path) -> bool:
    """Whether a file is not the package's, but of somebody who adds to it."""
    return not file.is_relative_to(_PACKAGE)


def _lies_in(file: Path, rooms: tuple[str, ...]) -> bool:
    return any(file.is_relative_to(_PACKAGE / room) for room in rooms)


def _is_code(path: Path) -> bool:
    return path.is_file() and path.parent.name != "__pycache__"


def _shown(file: Path, home: Path | None) -> str:
    """Name a file independently of where the project, or the method's folder `home`, lies."""
    if not _is_own(file):
        return file.relative_to(_PACKAGE).as_posix()
    inside = home is not None and file.is_relative_to(home)
    return f"own/{file.relative_to(home).as_posix() if inside and home else file.name}"


@cache
def _imports(file: Path) -> frozenset[Path]:
    """Return the files that a file imports, packages' `__init__.py` on the way too.

    Of the package's files these are the package's; of others also those that are found where
    Python would look for them, libraries that are installed left out.
    """
    found: set[Path] = set()
    for name, above in _named(file):
        parts = name.split(".") if name else []
        if above:
            found.update(_files(file.parents[above - 1], parts))
        elif parts[0] == _NAME:
            found.update(_files(_PACKAGE, parts[1:]))
        elif _is_own(file):
            beside = [each for place in _places(file) for each in _files(place, parts)]
            written = _written_here(parts[0])
            found.update(beside or (_files(written, parts) if written else ()))
    return frozenset(found)


def _named(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of each import, and how many folders up a relative one begins."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # whoever imports it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            before = f"{node.module}." if node.module else ""
            yield node.module or "", node.level
            yield from ((f"{before}{alias.name}", node.level) for alias in node.names)


def _places(file: Path) -> Iterator[Path]:
    """Yield a file's folder, and those above it while it is part of a package."""
    folder = file.parent
    yield folder
    while (folder / "__init__.py").is_file():
        folder = folder.parent
        yield folder


def _files(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    for length in range(1, len(parts) + 1):
        path = folder.joinpath(*parts[:length])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                yield candidate


@cache
def _written_here(name: str) -> Path | None:
    """Return the folder of a module that Python finds and that is no installed library."""
    if name in sys.stdlib_module_names:
        return None
    try:
        specification = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = specification.origin if specification else None
    if not origin or not (file := Path(origin)).is_file():
        return None
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    if installed or file.is_relative_to(sysconfig.get_path("stdlib")):
        return None
    return file.parents[1 if file.name == "__init__.py" else 0].resolve()
