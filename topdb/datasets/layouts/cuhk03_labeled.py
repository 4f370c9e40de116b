"""CUHK03 with boxes drawn by hand (Li et al., DeepReID, CVPR 2014), new protocol, extracted."""

from pathlib import Path

from topdb.datasets.cuhk03 import read_extracted
from topdb.datasets.records import ImageRecord

PROTOCOL = "CUHK03 new protocol (767/700), labeled"


def read(root: Path) -> list[ImageRecord]:
    """Read `images_labeled` by the lists of `splits_new_labeled.json`.

    Raises
    ------
    UserError
        The folder or the file is missing, broken, or they do not fit each other.
    """
    return read_extracted(root, "labeled")
