"""Features in the files of other toolkits: one kind of file a module, found by this folder.

To add a kind, drop a file into this folder; no list names it. It defines

- `NAME` and `TITLE`, a word and a phrase for it;
- `recognises(path, start)`, whether the file is of that kind, told by its content; `start` holds
  its first bytes;
- `read(path, wanted)`, which returns the file's arrays in a mapping by their names, or in lists
  and mappings of these, or one array without a name. An array whose name is not `wanted` need not
  be read; None stands for it.

What arrays are called, and what a list of them means, is known to `_names.py`. What they must be
is checked by `_arrays.py`. Both hold for every kind of file.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, cast

from topdb.errors import UserError
from topdb.formats._arrays import from_arrays
from topdb.formats._names import Entry, entries, is_wanted, meaning, spread
from topdb.formats._start import START, describe, reason, shown
from topdb.results.features import Features


class Format(Protocol):
    """What each file of this folder provides."""

    NAME: str
    """A word for this kind of file."""
    TITLE: str
    """A phrase for it, for a message."""

    def recognises(self, path: Path, start: bytes) -> bool:
        """Return whether the file is of this kind."""
        ...

    def read(self, path: Path, wanted: Callable[[str], bool]) -> Any:
        """Return the file's arrays by name; any exception says that the file is damaged."""
        ...


@dataclass(frozen=True, eq=False)
class Read:
    """Features that came in, and how their files were understood."""

    features: Features
    layout: str
    """Whose names the arrays have, as a phrase."""
    junk: int
    """Images of person -1, which were left out."""
    metric_hint: str | None
    """The distance that the toolkit itself uses where it is another than ours; not applied."""
    cameras: bool
    """Whether the files name cameras; where not, all cameras are 0."""
    notes: tuple[str, ...]
    """What was assumed, a sentence each."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """What stands beside their score: the notes, and how many images were left out."""
        junk = (f"{self.junk} images of person -1, junk, were left out",) if self.junk else ()
        return (*junk, *(note.removesuffix(".") for note in self.notes))

    @property
    def sentence(self) -> str:
        """What was understood, in one line."""
        parts = [
            self.layout,
            f"{len(self.features.query_pids)} queries",
            f"{len(self.features.gallery_pids)} gallery images",
        ]
        if self.junk:
            parts.append(f"{self.junk} junk left out")
        if not self.cameras:
            parts.append("no cameras")
        if self.metric_hint:
            parts.append(self.metric_hint)
        return ", ".join(parts)


def formats() -> dict[str, Format]:
    """Return all kinds of files by name, in the order of their modules."""
    found = {}
    for name in sorted(module.name for module in iter_modules(__path__)):
        if not name.startswith("_"):
            each = cast("Format", import_module(f"{__name__}.{name}"))
            found[each.NAME] = each
    return found


def read(paths: Sequence[Path], *, num_query: int | None = None) -> Read:
    """Read the features of one model from the file, or the files, that hold them.

    Parameters
    ----------
    paths : one file, or several that belong together: a file a side, or a file an array
    num_query : the number of queries, where all images are in one list, queries first, and the
        file does not say it

    Raises
    ------
    UserError
        A file is missing, damaged or something else, or its arrays are no features with labels.
    """
    if not paths:
        raise UserError("no file of features is named: name one.")
    known = formats()
    found: list[Entry] = []
    for path in dict.fromkeys(paths):
        found += _entries(path, known, num_query)
    try:
        taken, layout = spread(found)
        features, notes, junk, cameras = from_arrays(taken, num_query)
    except UserError:
        raise
    except Exception as error:  # arrays of damaged files may hold anything
        raise UserError(
            f"{shown(paths[0])} holds arrays that cannot be understood ({reason(error)}): write "
            "them again, as docs/features.md says."
        ) from None
    over = [shown(each.name) for each in found if each.value is None and meaning(each)]
    if over:
        notes += (f"Passed over, since it cannot be read safely: {', '.join(over)}.",)
    return Read(features, layout.title, junk, layout.metric, cameras, notes)


def _entries(path: Path, known: dict[str, Format], num_query: int | None) -> list[Entry]:
    start = _start(path)
    own = next((each for each in known.values() if each.recognises(path, start)), None)
    if own is None:
        raise UserError(f"{shown(path)} {describe(path, start)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries say of damaged bytes
            content = own.read(path, lambda name: is_wanted(name, path))
        return entries(path, content, num_query)
    except UserError:
        raise
    except Exception as error:  # libraries raise whatever damaged bytes lead them to
        raise UserError(
            f"{shown(path)} cannot be read as {own.TITLE} ({reason(error)}): it may be damaged or "
            "cut short, so copy or write it again."
        ) from None


def _start(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UserError(f"{shown(path)} is a folder: name the files in it that hold features.")
        if not path.exists():
            raise UserError(f"{shown(path)} does not exist: correct the name.")
        if not path.is_file():
            raise UserError(f"{shown(path)} is no plain file: name a file that holds features.")
        with path.open("rb") as stream:
            return stream.read(START)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shown(path)} cannot be opened ({reason(error)}): correct its name or its rights."
        ) from None
