"""The published layouts, one file each: a new file here is a new layout, and no list names it.

The file's name is the layout's (`cuhk03_labeled.py` is `cuhk03-labeled`). It holds `PROTOCOL`, a
phrase for the reader of a report, and `read(root)`, which returns a record for each image and
raises `UserError` where the folder is not what it should be. It may hold more:

- `PUBLISHED`, what each split should hold, for `topdb verify`;
- `SPLITS` and `read_split(root, number)`, where the layout has several ways to split its people;
- `read_distractors(folder)`, where there is a folder of further gallery images;
- `RELEASES` and `named_release(root)`, where counts do not tell the data set's releases apart.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from topdb.config import dropped_in
from topdb.datasets.records import ImageRecord, Published, Split
from topdb.errors import UserError


class Layout(Protocol):
    """What each file of this folder provides."""

    PROTOCOL: str
    """How the data set is split and evaluated."""

    def read(self, root: Path) -> list[ImageRecord]:
        """Return a record for each image, junk included, in any order."""
        ...


@runtime_checkable
class PublishedLayout(Protocol):
    """A layout whose one data set has published counts."""

    PUBLISHED: Mapping[Split, Published]


@runtime_checkable
class LayoutOfSplits(Protocol):
    """A layout with several ways to split its people; `read` takes the first."""

    SPLITS: int

    def read_split(self, root: Path, number: int) -> list[ImageRecord]:
        """Return the records of one split, numbered from 1."""
        ...


@runtime_checkable
class LayoutWithDistractors(Protocol):
    """A layout whose gallery may be enlarged by a folder of distractors."""

    def read_distractors(self, folder: Path) -> list[ImageRecord]:
        """Return a gallery record for each image, junk included; paths are relative to `folder`."""
        ...


@runtime_checkable
class LayoutOfReleases(Protocol):
    """A layout whose data set was released several times, with other images and equal counts."""

    RELEASES: Sequence[str]

    def named_release(self, root: Path) -> str | None:
        """Return the release that a folder's own names tell; None where they tell none."""
        ...


def load_layout(name: str) -> Layout:
    """Return the layout of that name.

    Raises
    ------
    UserError
        There is no such layout.
    """
    known = dropped_in("datasets/layouts")
    if name not in known:
        raise UserError(
            f"there is no layout '{name}': name one of {', '.join(known)} in params.yaml."
        )
    return cast("Layout", import_module(f"{__name__}.{name.replace('-', '_')}"))


def published(name: str) -> Mapping[Split, Published]:
    """Return what each split of the data set of that layout should hold; empty if nobody says.

    Raises
    ------
    UserError
        There is no such layout.
    """
    layout = load_layout(name)
    return layout.PUBLISHED if isinstance(layout, PublishedLayout) else {}
