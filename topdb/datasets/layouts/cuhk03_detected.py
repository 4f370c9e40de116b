"""CUHK03 with a detector's boxes (Li et al., DeepReID, CVPR 2014), new protocol, extracted."""

from pathlib import Path

from topdb.datasets.cuhk03 import read_new
from topdb.datasets.records import ImageRecord, Published

PROTOCOL = "CUHK03 new protocol (767/700), detected"

PUBLISHED = {
    "train": Published(people=767, images=7_365, cameras=2),
    "query": Published(people=700, images=1_400, cameras=2),
    "gallery": Published(people=700, images=5_332, cameras=2),
}


def read(root: Path) -> list[ImageRecord]:
    """Read `images_detected` by the lists of `splits_new_detected.json`.

    Where both are missing and `cuhk-03.mat` is there, they are extracted from it.

    Raises
    ------
    UserError
        The images, the lists or the MATLAB files are missing, broken, or do not fit each other.
    """
    return read_new(root, "detected")
