"""Market-1501 (Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015)."""

import re
from pathlib import Path

from topdb.datasets.folders import read_bounding_boxes
from topdb.datasets.records import ImageRecord

PROTOCOL = "Market-1501, single query"

FILE_NAME = re.compile(r"(?P<pid>-1|\d{4})_c(?P<cam>[1-9]\d?)s\d+_\d{6}_\d{2}(?:\.jpg)+", re.ASCII)
"""Person, camera, sequence, frame, box; -1 is junk and 0000 a distractor: 0002_c1s1_000451_03."""


def read(root: Path) -> list[ImageRecord]:
    """Read `bounding_box_train`, `query` and `bounding_box_test`.

    They lie in `root`, or in `Market-1501-v15.09.15` inside it, as the archive unpacks.

    Raises
    ------
    UserError
        A folder is missing or empty, or a file name fits no pattern.
    """
    return read_bounding_boxes(root, "Market-1501-v15.09.15", FILE_NAME)
