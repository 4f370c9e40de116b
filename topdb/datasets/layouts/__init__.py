"""The published layouts, one file each: a new file here is a new layout, and no list names it.

The file's name is the layout's (`cuhk03_labeled.py` is `cuhk03-labeled`). It holds `PROTOCOL`, a
phrase for the reader of a report, and `read(root)`, which returns a record for each image and
raises `UserError` where the folder is not what it should be.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from topdb.datasets.records import ImageRecord
from topdb.errors import UserError
from topdb.params import dropped_in


class Layout(Protocol):
    """What each file of this folder provides."""

    PROTOCOL: str
    """How the data set is split and evaluated."""

    def read(self, root: Path) -> list[ImageRecord]:
        """Return a record for each image, junk included, in any order."""
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
    return cast(Layout, import_module(f"{__name__}.{name.replace('-', '_')}"))
