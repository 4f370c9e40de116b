"""The files of methods: which there are, and what they declare, without torch."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1] / "methods"


@dataclass(frozen=True)
class Declared:
    """What a method's file says of itself in plain literals."""

    title: str | None
    backbone: str
    rebuilt: str = ""
    """Why its published number can neither be met nor missed; empty for most."""
    needs: tuple[str, ...] = ()
    """What its batches carry beside images: `parts`, or nothing."""
    sides: tuple[str, ...] = ()
    """Of its recipes, variants among them; none where they are not written out as a literal."""


def method_files(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the file of every method by name: the package's, then those of further folders.

    The name of `my_method.py` is `my-method`; a file whose name begins with `_` is none.
    """
    found: dict[str, Path] = {}
    for folder in (_PACKAGE, *folders):
        for file in sorted(folder.glob("*.py")):
            if not file.stem.startswith("_"):
                found.setdefault(file.stem.replace("_", "-"), file)
    return dict(sorted(found.items()))


def shadowed(folders: Sequence[Path]) -> list[Path]:
    """Return the files of further folders that have the name of a method that comes first."""
    found = method_files(folders)
    return [
        file
        for folder in folders
        for file in sorted(folder.glob("*.py"))
        if not file.stem.startswith("_") and not found[file.stem.replace("_", "-")].samefile(file)
    ]


def rebuilt_methods(methods: Sequence[str], folders: Sequence[Path] = ()) -> dict[str, str]:
    """Return what is known and what was chosen, by method, of those that are rebuilt."""
    files = method_files(folders)
    told = {name: declared(files[name]).rebuilt for name in methods if name in files}
    return {name: " ".join(text.split()) for name, text in told.items() if text.strip()}


@cache
def declared(file: Path) -> Declared:
    """Return what a method's file declares: `title`, `backbone_name`, `rebuilt`, `needs`, recipes.

    Files are read as text, since importing them would import torch. What a file inherits from the
    contract is filled in: the backbone is ResNet-50, and nothing is rebuilt.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return Declared(None, "resnet50")
    values: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                name, value = _assigned(statement)
                if name and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    values[name] = value.value
                elif name == "needs" and isinstance(value, ast.Tuple):
                    constants = (
                        each.value for each in value.elts if isinstance(each, ast.Constant)
                    )
                    needs = tuple(each for each in constants if isinstance(each, str))
                if name == "recipes" and isinstance(value, ast.Dict):
                    keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
                    sides = tuple(map(str, keys)) if len(keys) == len(value.keys) else ()
    return Declared(
        values.get("title"),
        values.get("backbone_name", "resnet50"),
        values.get("rebuilt", ""),
        needs,
        sides,
    )


@cache
def transforms(file: Path) -> tuple[str, ...]:
    """Return what a file's augmentations are called: the plain `name` of each class, read as text.

    A file that cannot be read has none.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = []
    for node in tree.body:
        for statement in node.body if isinstance(node, ast.ClassDef) else ():
            name, value = _assigned(statement)
            if name == "name" and isinstance(value, ast.Constant):
                found.append(str(value.value))
    return tuple(dict.fromkeys(found))


def augmentations(folders: Sequence[Path] = ()) -> list[str]:
    """Return what all augmentations are called, of the package and of methods of one's own."""
    own = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    files = [_PACKAGE / "parts/augmentation.py", *own]
    return sorted({name for file in files for name in transforms(file)})


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return None, None
