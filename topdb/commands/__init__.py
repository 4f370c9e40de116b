"""The commands: each a file of this folder, whose function of the file's name is the command."""

import ast
import importlib
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

_SHARED = {"__init__", "options"}


def commands(wanted: Container[str]) -> dict[str, Callable[..., Any]]:
    """Return the function of each command by its name, as it is typed.

    A word that Python reserves has an underscore at its end, which is not typed. Just the wanted
    commands are imported, for some of them import torch. Of the others there is what the list of
    commands shows, read as text.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    names = {file.stem.strip("_").replace("_", "-"): file for file in files}
    return {
        name: _function(file) if name in wanted else _described(file)
        for name, file in names.items()
        if file.stem not in _SHARED
    }


def _function(file: Path) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(
        importlib.import_module(f"{__name__}.{file.stem}"), file.stem
    )
    return function


def _described(file: Path) -> Callable[..., Any]:
    """Return a function that has the command's docstring, and that nobody calls."""

    def unwanted() -> None:
        raise LookupError(f"{file.stem} was not among the wanted commands")

    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == file.stem:
            unwanted.__doc__ = ast.get_docstring(node)
    return unwanted
