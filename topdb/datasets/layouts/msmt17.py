"""MSMT17 (Wei et al., Person Transfer GAN, CVPR 2018), version 1 or 2."""

import re
from pathlib import Path

from topdb.datasets.records import (
    ImageRecord,
    Published,
    Split,
    below,
    first_repeated,
    located,
    matched,
    told,
)
from topdb.errors import UserError

PROTOCOL = "MSMT17, training with validation images, single query"

PUBLISHED = {
    "train": Published(people=1_041, images=32_621, cameras=15),
    "query": Published(people=3_060, images=11_659, cameras=15),
    "gallery": Published(people=3_060, images=82_161, cameras=15),
}

FILE_NAME = re.compile(r"\d{4}/\d{4}_\d{3}_(?P<cam>0[1-9]|1[0-5])_\w+\.jpg", re.ASCII)
"""Person/person, image, camera (of 15), time and frame: 0000/0000_000_01_0303morning_0015_0."""

RELEASES = ("V1", "V2")
"""The second blurs faces, and has the first one's names, people and counts."""

VERSIONS = ("MSMT17_V1", "MSMT17_V2")
IMAGE_FOLDERS = {"train": ("train", "mask_train_v2"), "test": ("test", "mask_test_v2")}
"""Folders of the images in version 1, and in version 2."""

LISTS: tuple[tuple[str, Split, str], ...] = (
    ("list_train.txt", "train", "train"),
    ("list_val.txt", "train", "train"),
    ("list_query.txt", "query", "test"),
    ("list_gallery.txt", "gallery", "test"),
)
"""Each list, the split that its images join, and which folder they lie in."""

TEST_PEOPLE = 10_000
"""Added to the test people's numbers, since both halves count their people from 0."""


def read(root: Path) -> list[ImageRecord]:
    """Read the images that the four lists name, each with its person.

    They lie in `root`, or up to two levels below it. Person ids begin at 1 for train, and at
    10,001 for test.

    Raises
    ------
    UserError
        A folder or list is missing, a line is no file name and number, or an image is not there.
    """
    base = located(root, *(file for file, _, _ in LISTS))
    prefix = below(root, base)
    records = []
    lacking: dict[str, str] = {}
    for file, split, half in LISTS:
        folder = _image_folder(base, half)
        first = 1 if half == "train" else 1 + TEST_PEOPLE
        lines = dict(_lines(base / file))
        matches = matched(FILE_NAME, base / folder, [*lines])
        for name in lines:
            if not (base / folder / name).is_file():
                lacking[f"{folder}/{name}"] = file
        for name, person in lines.items():
            camera = int(matches[name]["cam"]) - 1
            records.append(ImageRecord(split, f"{prefix}{folder}/{name}", person + first, camera))
    if lacking:
        verb, them = ("is", "it") if len(lacking) == 1 else ("are", "them")
        lists = " and ".join(dict.fromkeys(lacking.values()))
        raise UserError(
            f"{base / told([*lacking])} {verb} missing, though {lists} lists {them}: complete the "
            "data set."
        )
    return records


def named_release(root: Path) -> str | None:
    """Return V2 for folders `mask_*_v2`; else what `MSMT17_V1` or `MSMT17_V2` around them tells.

    `train` and `test` alone tell nothing: whoever reads version 2 with code for version 1 renames
    its folders to that.

    Raises
    ------
    UserError
        The names contradict each other, as where both versions were unpacked into one folder.
    """
    base = located(root, *(file for file, _, _ in LISTS))
    there = [name for both in IMAGE_FOLDERS.values() for name in both if (base / name).is_dir()]
    masked = [name for name in there if name.startswith("mask_")]
    around = [root.name, *base.relative_to(root).parts]
    outer = next((RELEASES[n] for n, name in enumerate(VERSIONS) if name in around), None)
    if masked and (masked != there or outer == "V1"):
        raise UserError(
            f"{base} holds {', '.join(there)}, names of both versions of MSMT17: keep the folders "
            "of one version there."
        )
    return "V2" if masked else outer


def _image_folder(base: Path, half: str) -> str:
    for folder in IMAGE_FOLDERS[half]:
        if (base / folder).is_dir():
            return folder
    raise UserError(
        f"{base} has neither folder {' nor '.join(IMAGE_FOLDERS[half])}: put the data set there, "
        "or correct its root in params.yaml."
    )


def _lines(path: Path) -> list[tuple[str, int]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"the list {path} is missing: complete the data set.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): replace it.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        name, _, person = line.strip().rpartition(" ")
        if not (name and re.fullmatch("[0-9]{1,4}", person)):
            raise UserError(
                f"line {number} of {path} is no file name and person's number: replace the list."
            )
        found.append((name, int(person)))
    again = first_repeated([name for name, _ in found])
    if again is not None:
        raise UserError(f"{path} names {again} twice: replace the list.")
    return found
