"""CUHK03 with a detector's boxes (Li et al., DeepReID, CVPR 2014), new protocol, extracted."""

from pathlib import Path

from topdb.datasets.cuhk03 import read_extracted
from topdb.datasets.records import ImageRecord

PROTOCOL = "CUHK03 new protocol (767/700), detected"


def read(root: Path) -> list[ImageRecord]:
    """Read `images_detected` by the lists of `splits_new_detected.json`.

    Raises
    ------
    UserError
        The folder or the file is missing, broken, or they do not fit each other.
    """
    return read_extracted(root, "detected")
