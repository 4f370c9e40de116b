"""CUHK03's new protocol as folders, the form of Zhong et al.'s repository (`cuhk03-np.zip`)."""

import re
from pathlib import Path
from typing import Literal

from topdb.datasets.records import (
    BOUNDING_BOX_FOLDERS,
    IMAGE_SUFFIX,
    ImageRecord,
    read_bounding_boxes,
)

FILE_NAME = re.compile(r"(?P<pid>\d{4})_c(?P<cam>[12])_\d+" + IMAGE_SUFFIX, re.ASCII)
"""Person, view, number of the image: 0001_c1_13."""


def read_folders(root: Path, boxes: Literal["labeled", "detected"]) -> list[ImageRecord]:
    """Read `bounding_box_train`, `query` and `bounding_box_test` of one kind of boxes.

    They lie in `root`, or in the folder `labeled` or `detected` of the data set. The
    images are those of the MATLAB file; their names count people from 1 over train and test.

    Raises
    ------
    UserError
        A folder is missing or empty, or file names fit no pattern.
    """
    within = [(split, f"{boxes}/{folder}") for split, folder in BOUNDING_BOX_FOLDERS]
    inside = all((root / folder).is_dir() for _, folder in BOUNDING_BOX_FOLDERS)
    return read_bounding_boxes(root, FILE_NAME, BOUNDING_BOX_FOLDERS if inside else within)
