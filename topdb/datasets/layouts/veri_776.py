"""VeRi-776, vehicles in place of people (Liu et al., ECCV 2016)."""

import re
from pathlib import Path

from topdb.datasets.records import (
    IMAGE_SUFFIX,
    ImageRecord,
    Published,
    Split,
    read_bounding_boxes,
)

PROTOCOL = "VeRi-776, image to image, single query"

PUBLISHED = {
    "train": Published(people=576, images=37_778, cameras=20),
    "query": Published(people=200, images=1_678, cameras=None),
    "gallery": Published(people=200, images=11_579, cameras=None),
}
"""The paper has 20 cameras in all and says nothing of those of each half."""

FILE_NAME = re.compile(
    r"(?P<pid>\d{4})_c(?P<cam>0(?:0[1-9]|1\d|20))_\d+_\d+" + IMAGE_SUFFIX, re.ASCII
)
"""Vehicle, camera (of 20), time, number: 0001_c001_00016450_0."""

FOLDERS: tuple[tuple[Split, str], ...] = (
    ("train", "image_train"),
    ("query", "image_query"),
    ("gallery", "image_test"),
)


def read(root: Path) -> list[ImageRecord]:
    """Read `image_train`, `image_query` and `image_test`; a vehicle is a person here.

    They lie in `root`, or up to two levels below it.

    Raises
    ------
    UserError
        A folder is missing or empty, or file names fit no pattern.
    """
    return read_bounding_boxes(root, FILE_NAME, FOLDERS)
