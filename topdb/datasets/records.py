"""What a layout says of its images, and what layouts read folders with."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topdb.errors import UserError
from topdb.litter import is_litter

Split = Literal["train", "query", "gallery"]

SPLITS: tuple[Split, ...] = ("train", "query", "gallery")
"""The splits in the order in which an index lists them."""

DISTRACTOR = 0
"""Person id of a gallery image that shows nobody of the test people."""

JUNK = -1
"""Person id of a badly cut image, which the protocol tells evaluations to ignore."""

MARKER = "rendered.json"
"""What was rendered; where it stands in a data set's folder, `topdb render` drew it whole."""

SEAL = ".rendered"
"""File in every rendered root; a folder without it is somebody's own and never touched. It is not
the marker, since a workflow removes a step's known outputs before it runs the step again."""


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
    cameras: int | None
    """None where nobody states it."""


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
    file: Path | None = None
    """Where it lies, if elsewhere than at `path` below the root."""


BOUNDING_BOX_FOLDERS: tuple[tuple[Split, str], ...] = (
    ("train", "bounding_box_train"),
    ("query", "query"),
    ("gallery", "bounding_box_test"),
)
"""Folder of each split in the layout that Market-1501 introduced."""

IMAGE_SUFFIX = r"(?i:(?:\.jpg)+|\.jpeg|\.png)"
"""How a file name of an image may end; some of Market-1501's end in `.jpg.jpg`."""

CACHE_TAG = "CACHEDIR.TAG"
"""Marks a folder that can be made again from its neighbours (bford.info/cachedir)."""

DEPTH = 2
"""Levels below a root at which a data set is still found."""
TOLD = 10
"""Problems of one kind that a message names; it counts the others."""


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or is_litter(name)


def image_names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, sorted, without hidden ones and litter.

    The released Market-1501 archive holds some.

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
    names = sorted(name for name in found if not _is_passed_over(name))
    folders = [name for name in names if found[name]]
    if folders:
        verb, them = ("is a folder", "it") if len(folders) == 1 else ("are folders", "them")
        raise UserError(
            f"{folder / told(folders)} {verb} where only images belong: move {them} elsewhere."
        )
    if not names:
        raise UserError(f"the folder {folder} holds no images: put the data set's images there.")
    return names


def matched(
    pattern: re.Pattern[str], folder: Path, names: Sequence[str]
) -> dict[str, re.Match[str]]:
    """Return how the whole name of each file in a folder fits a pattern.

    Raises
    ------
    UserError
        Some do not; the message names the first ten.
    """
    found = {name: pattern.fullmatch(name) for name in names}
    _refuse_names(pattern, folder, [name for name, match in found.items() if match is None])
    return {name: match for name, match in found.items() if match}


def _refuse_names(pattern: re.Pattern[str], folder: Path, wrong: Sequence[str]) -> None:
    if wrong:
        verb, what = ("does", "file") if len(wrong) == 1 else ("do", "files")
        raise UserError(
            f"{folder / told(wrong)} {verb} not fit the file names of this layout "
            f"({pattern.pattern}): remove the {what}, or choose another layout."
        )


def told(problems: Sequence[str]) -> str:
    """Return the first ten of some names or phrases, and how many more there are."""
    more = len(problems) - TOLD
    listed = ", ".join(problems[:TOLD])
    return f"{listed} and {more:,} more" if more > 0 else listed


def located(root: Path, *needed: str) -> Path:
    """Return the folder that holds a data set: `root`, or one at most two levels below it.

    `needed` are names of files or folders that lie in it. Archives unpack into a folder of their
    own name, and people rename those. Where no folder has any of them it is `root`, so that what
    reads it names what is missing.

    Raises
    ------
    UserError
        `root` is no folder, or several folders below it hold such a data set.
    """
    if root.is_file():
        raise UserError(
            f"the data set's folder {root} is a file: unpack it with `topdb add NAME {root}`, and "
            "name the folder as its root in params.yaml."
        )
    if not root.is_dir():
        raise UserError(
            f"the data set's folder {root} is missing: put the data set there, or correct its "
            "root in params.yaml."
        )
    if all((root / name).exists() for name in needed):
        return root
    levels = [[root]]
    for _ in range(DEPTH):
        levels.append([folder for each in levels[-1] for folder in _folders(each)])
    for enough in (all, any):  # an incomplete one is found, too, and its reader says what it lacks
        for level in levels:
            found = [each for each in level if enough((each / name).exists() for name in needed)]
            if len(found) > 1:
                names = told([str(each) for each in found])
                raise UserError(f"{root} holds several data sets ({names}): name one as its root.")
            if found:
                return found[0]
    return root


def below(root: Path, folder: Path) -> str:
    """Return what leads from a root to a folder in it: nothing, or a path that ends in a slash."""
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.is_dir()]
    except OSError:
        return []
    inner = (folder / name for name in sorted(names) if not _is_passed_over(name))
    return [each for each in inner if not (each / CACHE_TAG).exists()]


def read_bounding_boxes(
    root: Path,
    pattern: re.Pattern[str],
    folders: Sequence[tuple[Split, str]] = BOUNDING_BOX_FOLDERS,
) -> list[ImageRecord]:
    """Read a folder a split, wherever below the root the three lie (`located`).

    `pattern` matches a whole file name and has the groups `pid` and `cam`, the latter counted
    from 1. The records are sorted by split, then file name.

    Raises
    ------
    UserError
        A folder is missing or empty, file names fit no pattern, or a distractor lies outside
        the gallery.
    """
    base = located(root, *(folder for _, folder in folders))
    prefix = below(root, base)
    found = [
        (split, f"{folder}/{name}", pattern.fullmatch(name))
        for split, folder in folders
        for name in image_names(base / folder)
    ]
    _refuse_names(pattern, base, [path for _, path, match in found if match is None])
    records = [
        ImageRecord(split, f"{prefix}{path}", int(match["pid"]), int(match["cam"]) - 1)
        for split, path, match in found
        if match
    ]
    misplaced = [
        each.path.removeprefix(prefix)
        for each in records
        if each.pid == DISTRACTOR and each.split != "gallery"
    ]
    if misplaced:
        verb, them = (
            ("is a distractor", "it") if len(misplaced) == 1 else ("are distractors", "them")
        )
        raise UserError(
            f"{base / told(misplaced)} {verb} (person {DISTRACTOR}) outside the gallery: move "
            f"{them} to the gallery's folder."
        )
    return records


def first_repeated(items: Sequence[str]) -> str | None:
    """Return the first item that occurs a second time, or None."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
