"""The commands: each a file of this folder, whose function of the file's name is the command."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

_SHARED = {"options"}


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield each command's name, as it is typed, and its function.

    A word that Python reserves has an underscore at its end, which is not typed.
    """
    for found in pkgutil.iter_modules(__path__):
        if found.name not in _SHARED:
            module = importlib.import_module(f"{__name__}.{found.name}")
            yield found.name.strip("_").replace("_", "-"), getattr(module, found.name)
