"""Market-1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015)."""

import re
from pathlib import Path

from topdb.datasets.records import (
    DISTRACTOR,
    IMAGE_SUFFIX,
    JUNK,
    ImageRecord,
    Published,
    image_names,
    matched,
    read_bounding_boxes,
)
from topdb.errors import UserError

PROTOCOL = "Market-1501, single query"

PUBLISHED = {
    "train": Published(people=751, images=12_936, cameras=6),
    "query": Published(people=750, images=3_368, cameras=6),
    "gallery": Published(people=750, images=15_913, cameras=6),
}
"""Junk apart; the gallery's images include 2,798 distractors."""

FILE_NAME = re.compile(
    r"(?P<pid>-1|\d{4,5})_c(?P<cam>[1-9]\d?)s\d+_\d{6}_\d{2}" + IMAGE_SUFFIX, re.ASCII
)
"""Person, camera, sequence, frame, box; -1 is junk and 0000 a distractor: 0002_c1s1_000451_03."""

DISTRACTOR_NAME = re.compile(
    r"(?P<pid>-1|\d+)_c(?P<cam>[1-9]\d?)(?!\d)\w*" + IMAGE_SUFFIX, re.ASCII
)
"""A name among the 500k distractors: number of the person (0, or -1 for junk), camera, the rest."""


def read(root: Path) -> list[ImageRecord]:
    """Read `bounding_box_train`, `query` and `bounding_box_test`.

    They lie in `root`, or up to two levels below it.

    Raises
    ------
    UserError
        A folder is missing or empty, or file names fit no pattern.
    """
    return read_bounding_boxes(root, FILE_NAME)


def read_distractors(folder: Path) -> list[ImageRecord]:
    """Read the folder of the 500k distractors, all of which join the gallery as person 0.

    Raises
    ------
    UserError
        The folder is missing or empty, a file name fits no pattern, or names a person.
    """
    records = []
    for name, match in matched(DISTRACTOR_NAME, folder, image_names(folder)).items():
        pid = int(match["pid"])
        if pid > DISTRACTOR:
            raise UserError(
                f"{folder / name} shows person {pid}, and distractors show nobody (person "
                f"{DISTRACTOR}): name the folder of the distractors in params.yaml."
            )
        records.append(
            ImageRecord("gallery", name, JUNK if pid < 0 else DISTRACTOR, int(match["cam"]) - 1)
        )
    return records
