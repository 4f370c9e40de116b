"""From a method's name to its class, in the package or in a folder that params.yaml names."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from topdb.errors import UserError
from topdb.methods.contract.method import Method


def find(name: str, folders: Sequence[Path] = ()) -> type[Method]:
    """Return the class of a method.

    Parameters
    ----------
    name : `my-method` for the file `my_method.py`
    folders : where methods lie beside the package's own, which come first

    Raises
    ------
    UserError
        There is no such file, it cannot be imported, or it does not hold one method.
    """
    module = _module(name, folders)
    found = [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Method) and each.__module__ == module.__name__
    ]
    file = module.__file__
    if len(found) != 1:
        raise UserError(
            f"{file} defines {len(found)} methods: define one class that inherits Method "
            "(docs/methods.md)."
        )
    (method,) = found
    for attribute in ("title", "recipes"):
        if not hasattr(method, attribute):
            raise UserError(
                f"{file}: {method.__name__} has no {attribute}: give it one (docs/methods.md)."
            )
    if inspect.isabstract(method):
        missing = sorted(method.__abstractmethods__)
        raise UserError(
            f"{file}: {method.__name__} lacks {', '.join(missing)}: define it (docs/methods.md)."
        )
    return method


def _module(name: str, folders: Sequence[Path]) -> ModuleType:
    stem = name.replace("-", "_")
    package = Path(__file__).parents[1]
    if (package / f"{stem}.py").is_file():
        return importlib.import_module(f"topdb.methods.{stem}")
    for folder in folders:
        path = (folder / f"{stem}.py").resolve()
        if not path.is_file():
            continue
        full = f"topdb_own_methods.{stem}"
        specification = importlib.util.spec_from_file_location(full, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[full] = module
        try:
            specification.loader.exec_module(module)
        except Exception as error:  # whatever a user's file does
            sys.modules.pop(full, None)
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{path} cannot be imported ({type(error).__name__}: {reason}): mend it."
            ) from None
        return module
    places = ", ".join(map(str, folders))
    raise UserError(
        f"there is no method '{name}': no file {stem}.py in topdb/methods"
        f"{f' or {places}' if places else ''}."
    )
