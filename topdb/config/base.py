"""What all parameters are made of: settings without unknown keys, and checked names."""

import difflib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from topdb.config.methods import method_files
from topdb.errors import UserError
from topdb.metrics import metrics

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseModel):
    """Base of all parameter objects: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Recipe = Literal["released", "described"]
"""How faithful to what: the authors' released code, or the paper's text (docs/recipes.md)."""

Ranking = Literal["plain", "rk"]
"""Nearest features first, or the same after k-reciprocal re-ranking."""

METHOD_FOLDERS = "method_folders"
"""The key of params.yaml that names folders of further methods; while the file is checked, the
context of the validators holds them under it."""
ELSEWHERE = "elsewhere"
"""In that context: whether the file is of another machine, whose folders are not here."""
_PACKAGE = Path(__file__).parents[1]
_Thing = TypeVar("_Thing")
_SHORTHAND = re.compile(r"~.*|\$(?:\w+|\{\w+\})")


def dropped_in(room: str) -> list[str]:
    """Return the names of the files dropped into a room of the package, sorted.

    `room` is a folder relative to the package, such as `methods` or `datasets/layouts`. The name
    of `top_db_net.py` is `top-db-net`. Reading the folder, not importing it, keeps this cheap.
    """
    files = (_PACKAGE / room).glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if not file.stem.startswith("_"))


def _exists_in(room: str) -> AfterValidator:
    def check(name: str) -> str:
        known = dropped_in(room)
        if name not in known:
            raise ValueError(f"'{name}' is not one of {', '.join(known)}{nearest(name, known)}")
        return name

    return AfterValidator(check)


def _is_method(name: str, info: ValidationInfo) -> str:
    folders = (info.context or {}).get(METHOD_FOLDERS, ())
    known = list(method_files(folders))
    if name not in known:
        raise ValueError(f"'{name}' is not one of {', '.join(known)}{nearest(name, known)}")
    return name


def _is_metric(name: str) -> str:
    known = list(metrics())
    if name not in known:
        raise ValueError(f"'{name}' is not one of {', '.join(known)}{nearest(name, known)}")
    return name


def require_known(key: str, kind: str, name: object, known: Iterable[object]) -> None:
    """Raise a ValueError where a key names a thing that there is not; it names the nearest."""
    there = [str(each) for each in known]
    if str(name) not in there:
        raise ValueError(
            f"{key} names the {kind} '{name}'{nearest(str(name), there)}; name one of "
            f"{', '.join(there)}"
        )


def _plain_name(name: str) -> str:
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise ValueError(f"'{name}' may hold only letters, digits, '-', '_' and '.'")
    if name.startswith((".", "-")):
        raise ValueError(f"'{name}' may not start with '{name[0]}'")
    return name


def nearest(name: str, known: list[str]) -> str:
    """Return the nearest known name as a question in brackets, or nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def pick(kind: str, name: str, things: dict[str, _Thing]) -> _Thing:
    """Return the thing of a name.

    Raises
    ------
    UserError
        There is none; the message names those that there are.
    """
    if name not in things:
        known = sorted(things)
        raise UserError(
            f"there is no {kind} '{name}' in params.yaml{nearest(name, known)}: "
            f"name one of {', '.join(known)}."
        )
    return things[name]


def expanded(path: Path) -> Path:
    """Return a path with `~` and, at its start, a variable such as `$HOME` replaced.

    Raises
    ------
    ValueError
        There is no such user or variable; a folder called `~` would be made otherwise.
    """
    first = path.parts[0] if path.parts else ""
    found = Path(os.path.expandvars(first), *path.parts[1:]) if first.startswith("$") else path
    with suppress(RuntimeError):  # there is no such user
        found = found.expanduser()
    if found == path and _SHORTHAND.fullmatch(first):
        raise ValueError(f"'{path}' begins with {first}, which is not known here; write it out")
    return found


def _plain_path(path: Path, info: ValidationInfo) -> Path:
    if not (info.context or {}).get(ELSEWHERE):
        path = expanded(path)
    if not str(path).isprintable() or "{" in str(path) or "}" in str(path):
        raise ValueError(f"{str(path)!r} may hold no control characters and no braces")
    return path


Name = Annotated[str, AfterValidator(_plain_name)]
PlainPath = Annotated[Path, AfterValidator(_plain_path)]
"""Spaces and what a shell takes for commands are fine; Snakemake takes braces for wildcards."""
MethodName = Annotated[str, AfterValidator(_is_method)]
MetricName = Annotated[str, AfterValidator(_is_metric)]
LayoutName = Annotated[str, _exists_in("datasets/layouts")]
BackboneName = Annotated[str, _exists_in("methods/backbones")]
