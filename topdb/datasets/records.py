"""What a layout says of its images, and what layouts read folders with."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topdb.errors import UserError

Split = Literal["train", "query", "gallery"]

SPLITS: tuple[Split, ...] = ("train", "query", "gallery")
"""The splits in the order in which an index lists them."""

DISTRACTOR = 0
"""Person id of a gallery image that shows nobody of the test people."""

JUNK = -1
"""Person id of a badly cut image, which the protocol tells evaluations to ignore."""


@dataclass(frozen=True)
class Counts:
    """How much a split holds. Distractors count as images, and not as people."""

    images: int
    people: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Published:
    """What a data set's authors, or the field's toolkits, say that a split holds."""

    people: int
    images: int | None
    """None where nobody states it."""
    cameras: int


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data set.

    `path` is relative to the data set's root, with forward slashes. `pid` is the person id: equal
    for two images if and only if they show the same person, in whichever split; `DISTRACTOR` and
    `JUNK` are reserved. `camid` counts cameras from 0.
    """

    split: Split
    path: str
    pid: int
    camid: int


BOUNDING_BOX_FOLDERS: tuple[tuple[Split, str], ...] = (
    ("train", "bounding_box_train"),
    ("query", "query"),
    ("gallery", "bounding_box_test"),
)
"""Folder of each split in the layout that Market-1501 introduced."""

_LITTER = frozenset({"thumbs.db", "desktop.ini"})


def image_names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, sorted, without what file managers leave.

    Hidden files and Windows' `Thumbs.db` (the released Market-1501 archive holds some) are passed
    over.

    Raises
    ------
    UserError
        The folder is missing or empty, or holds a folder.
    """
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_dir() for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"the folder {folder} is missing: put the data set there, or correct its root in "
            "params.yaml."
        ) from None
    except OSError as error:
        raise UserError(
            f"the folder {folder} cannot be read ({error.strerror}): mend its permissions."
        ) from None
    names = sorted(n for n in found if not n.startswith(".") and n.lower() not in _LITTER)
    for name in names:
        if found[name]:
            raise UserError(
                f"{folder / name} is a folder where only images belong: move it elsewhere."
            )
    if not names:
        raise UserError(f"the folder {folder} holds no images: put the data set's images there.")
    return names


def matched(pattern: re.Pattern[str], folder: Path, name: str) -> re.Match[str]:
    """Return how the whole name of a file in a folder fits a pattern.

    Raises
    ------
    UserError
        It does not.
    """
    match = pattern.fullmatch(name)
    if match is None:
        raise UserError(
            f"{folder / name} does not fit the file names of this layout ({pattern.pattern}): "
            "remove the file, or choose another layout."
        )
    return match


def unpacked_root(root: Path, *nested: str) -> Path:
    """Return the folder that holds the data set: `root`, or the first of `nested` inside it.

    The published archives unpack into a folder of their own name.

    Raises
    ------
    UserError
        `root` is no folder.
    """
    if not root.is_dir():
        raise UserError(
            f"the data set's folder {root} is missing: put the data set there, or correct its "
            "root in params.yaml."
        )
    inner = (root / name for name in nested)
    return next((folder for folder in inner if folder.is_dir()), root)


def read_bounding_boxes(root: Path, nested: str, pattern: re.Pattern[str]) -> list[ImageRecord]:
    """Read the folders `bounding_box_train`, `query` and `bounding_box_test`.

    `pattern` matches a whole file name and has the groups `pid` and `cam`, the latter counted
    from 1. The records are sorted by split, then file name.

    Raises
    ------
    UserError
        A folder is missing or empty, a file name fits no pattern, or a distractor lies outside
        the gallery.
    """
    base = unpacked_root(root, nested)
    prefix = "" if base == root else f"{nested}/"
    records = []
    for split, folder in BOUNDING_BOX_FOLDERS:
        for name in image_names(base / folder):
            match = matched(pattern, base / folder, name)
            pid, camid = int(match["pid"]), int(match["cam"]) - 1
            if pid == DISTRACTOR and split != "gallery":
                raise UserError(
                    f"{base / folder / name} is a distractor (person {DISTRACTOR}) outside the "
                    "gallery: move it to bounding_box_test."
                )
            records.append(ImageRecord(split, f"{prefix}{folder}/{name}", pid, camid))
    return records


def first_repeated(items: Sequence[str]) -> str | None:
    """Return the first item that occurs a second time, or None."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
