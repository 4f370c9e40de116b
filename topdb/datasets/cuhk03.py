"""CUHK03 as images and lists: the folders of toolkits, or what is extracted from its release."""

import re
from pathlib import Path
from typing import Any

from topdb.datasets.cuhk03_matlab import IMAGES, Boxes, config_name, extract, find_matlab_file
from topdb.datasets.records import (
    SPLITS,
    ImageRecord,
    Split,
    below,
    first_repeated,
    image_names,
    located,
    matched,
    told,
)
from topdb.errors import UserError
from topdb.files import parse_json

FILE_NAME = re.compile(
    r"(?P<pair>[1-5])_(?P<person>\d{3,4})_(?P<view>[12])_(?P<image>\d{2})\.png", re.ASCII
)
"""Camera pair, person within the pair, view (camera of the pair), image: 1_001_1_01.png."""

PEOPLE_OF_A_PAIR = 10_000


def person_id(pair: int, person: int) -> int:
    """Return a number for a person that no other person of any pair has, and that is never 0.

    The lists' own numbers do not serve: they count the training people anew from 0, so that one
    number stands for two people.
    """
    return pair * PEOPLE_OF_A_PAIR + person


def read_new(root: Path, boxes: Boxes) -> list[ImageRecord]:
    """Read the images `images_<boxes>/` by the lists of `splits_new_<boxes>.json`.

    Where neither is there, they are extracted from `cuhk-03.mat` first. Person and camera (the
    view, 0 or 1) come from each file's name. Of the paths in the lists only the file name counts:
    extraction writes whatever path it ran under.

    Raises
    ------
    UserError
        The folder or the list is missing or broken, a file name fits no pattern, an image is
        listed that is not there, or is listed twice.
    """
    base, prefix = _extracted(root, boxes)
    lists = base / f"splits_new_{boxes}.json"
    if base != root and not lists.exists():
        raise UserError(
            f"{root / config_name(boxes)} is missing: put the new protocol's files beside "
            "cuhk-03.mat, or choose a classic layout."
        )
    return _records(root, base, prefix, boxes, lists, _listed(lists, 0))


def read_classic(root: Path, boxes: Boxes, number: int) -> list[ImageRecord]:
    """Read one of the 20 classic splits, counted from 1, from `splits_classic_<boxes>.json`.

    The lists hold every image of the test people as query and as gallery. Here those of a pair's
    first view are the queries and those of its second the gallery, as Li et al. search.

    Raises
    ------
    UserError
        As `read_new` does, or the lists have no such split.
    """
    base, prefix = _extracted(root, boxes)
    lists = base / f"splits_classic_{boxes}.json"
    listed = _listed(lists, number - 1)
    views: dict[Split, str] = {"query": "1", "gallery": "2"}
    for split, view in views.items():
        matches = matched(FILE_NAME, lists, listed[split])
        listed[split] = [name for name in listed[split] if matches[name]["view"] == view]
    return _records(root, base, prefix, boxes, lists, listed)


def _extracted(root: Path, boxes: Boxes) -> tuple[Path, str]:
    """Return the folder that holds images and lists, and what leads to it from the root."""
    base = located(root, f"images_{boxes}")
    if (base / f"images_{boxes}").exists():
        return base, below(root, base)
    home = root if find_matlab_file(root) else located(root, IMAGES)
    if not find_matlab_file(home):
        return root, ""
    folder = extract(home, boxes)
    return folder, f"{below(root, home)}{folder.name}/"


def _records(
    root: Path,
    base: Path,
    prefix: str,
    boxes: Boxes,
    lists: Path,
    listed: dict[Split, list[str]],
) -> list[ImageRecord]:
    folder = f"images_{boxes}"
    away = not base.is_relative_to(root)
    present = image_names(base / folder)
    there = matched(FILE_NAME, base / folder, present)
    records = []
    for split, names in listed.items():
        again = first_repeated(names)
        if again is not None:
            raise UserError(f"{lists} names {again} twice in {split}: extract the data set again.")
        missing = [name for name in names if name not in there]
        if missing:
            verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
            raise UserError(
                f"{base / folder / told(missing)} {verb} missing, though {lists.name} lists {them} "
                f"in {split}: extract the data set again."
            )
        for name in names:
            match = there[name]
            pid = person_id(int(match["pair"]), int(match["person"]))
            path = f"{prefix}{folder}/{name}"
            file = base / folder / name if away else None
            records.append(ImageRecord(split, path, pid, int(match["view"]) - 1, file))
    return records


def _listed(lists: Path, position: int) -> dict[Split, list[str]]:
    """Return the file names that each part of a split lists."""
    try:
        content = parse_json(lists.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{lists} is missing: extract the data set with its lists of splits."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{lists} cannot be read as JSON ({error}): extract the data set again."
        ) from None
    try:
        only = content[position]
        listed = {split: [_file_name(entry) for entry in only[split]] for split in SPLITS}
    except (KeyError, IndexError, TypeError):
        raise UserError(
            f"{lists} holds no list [{{train, query, gallery}}] of [path, person, camera] "
            f"at position {position + 1}: "
            "extract the data set again."
        ) from None
    for split, names in listed.items():
        if not names:
            raise UserError(f"{lists} lists no image in {split}: extract the data set again.")
    return listed


def _file_name(entry: Any) -> str:
    path = entry[0]
    if not isinstance(path, str):
        raise TypeError
    return path.replace("\\", "/").rsplit("/", 1)[-1]
