"""CUHK03 as the field's toolkits extract it from `cuhk-03.mat`, under the new protocol.

The new protocol (Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding,
CVPR 2017) has 767 people to train and 700 to test. The extracted form, which torchreid writes and
others copy, is a folder of images named `<pair>_<person>_<view>_<image>.png` and a list of splits.
"""

import json
import re
from pathlib import Path
from typing import Any, Literal

from topdb.datasets.folders import first_repeated, image_names
from topdb.datasets.records import SPLITS, ImageRecord, Split
from topdb.errors import UserError

Boxes = Literal["labeled", "detected"]

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


def read_extracted(root: Path, boxes: Boxes) -> list[ImageRecord]:
    """Read the images `images_<boxes>/` by the lists of `splits_new_<boxes>.json`.

    Person and camera (the view, 0 or 1) come from each file's name. Of the paths in the lists
    only the file name counts: extraction writes whatever path it ran under.

    Raises
    ------
    UserError
        The folder or the list is missing or broken, a file name fits no pattern, an image is
        listed that is not there, or is listed twice.
    """
    folder = f"images_{boxes}"
    lists = root / f"splits_new_{boxes}.json"
    present = image_names(root / folder)
    for name in present:
        _match(root / folder, name)
    there = set(present)
    records = []
    for split, names in _listed(lists).items():
        again = first_repeated(names)
        if again is not None:
            raise UserError(f"{lists} names {again} twice in {split}: extract the data set again.")
        for name in names:
            if name not in there:
                raise UserError(
                    f"{root / folder / name} is missing, though {lists.name} lists it in {split}: "
                    "extract the data set again."
                )
            match = _match(root / folder, name)
            pid = person_id(int(match["pair"]), int(match["person"]))
            records.append(ImageRecord(split, f"{folder}/{name}", pid, int(match["view"]) - 1))
    return records


def _match(folder: Path, name: str) -> re.Match[str]:
    match = FILE_NAME.fullmatch(name)
    if match is None:
        raise UserError(
            f"{folder / name} does not fit the file names of this layout ({FILE_NAME.pattern}): "
            "remove the file, or choose another layout."
        )
    return match


def _listed(lists: Path) -> dict[Split, list[str]]:
    """Return the file names that each split lists."""
    try:
        content = json.loads(lists.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{lists} is missing: extract the data set with its new-protocol splits."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{lists} cannot be read as JSON ({error}): extract the data set again."
        ) from None
    try:
        only = content[0]
        listed = {split: [_file_name(entry) for entry in only[split]] for split in SPLITS}
    except (KeyError, IndexError, TypeError):
        raise UserError(
            f"{lists} holds no list [{{train, query, gallery}}] of [path, person, camera]: "
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
