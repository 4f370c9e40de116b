"""CUHK03 with a detector's boxes under its classic protocol (Li et al., DeepReID, CVPR 2014)."""

from pathlib import Path

from topdb.datasets.cuhk03 import read_classic
from topdb.datasets.records import ImageRecord, Published

PROTOCOL = "CUHK03 classic protocol (1367/100), detected, first view against second"

SPLITS = 20

PUBLISHED = {"train": Published(people=1_367, images=None, cameras=2)}
"""How many images a split has depends on its test people, of whom one labeled has one view."""


def read(root: Path) -> list[ImageRecord]:
    """Read the first split; see `read_split`."""
    return read_split(root, 1)


def read_split(root: Path, number: int) -> list[ImageRecord]:
    """Read `images_detected` by one of the lists of `splits_classic_detected.json`.

    Where both are missing and `cuhk-03.mat` is there, they are extracted from it.

    Raises
    ------
    UserError
        The images, the lists or the MATLAB file are missing, broken, or do not fit each other.
    """
    return read_classic(root, "detected", number)
