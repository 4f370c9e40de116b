"""CUHK03 with boxes drawn by hand, new protocol, as folders (Zhong et al., CVPR 2017)."""

from pathlib import Path

from topdb.datasets.cuhk03_np import read_folders
from topdb.datasets.records import ImageRecord, Published

PROTOCOL = "CUHK03 new protocol (767/700), labeled"

PUBLISHED = {
    "train": Published(people=767, images=7_368, cameras=2),
    "query": Published(people=700, images=1_400, cameras=2),
    "gallery": Published(people=700, images=5_328, cameras=2),
}


def read(root: Path) -> list[ImageRecord]:
    """Read the three folders of `cuhk03-np/labeled`.

    Raises
    ------
    UserError
        A folder is missing or empty, or file names fit no pattern.
    """
    return read_folders(root, "labeled")
