"""Where a data set lies, and all its records with the files that they stand for."""

from dataclasses import dataclass
from pathlib import Path

from topdb.datasets.layouts import LayoutOfSplits, LayoutWithDistractors, load_layout
from topdb.datasets.records import ImageRecord
from topdb.errors import UserError

DISTRACTORS_FOLDER = "distractors"
"""First part of a distractor's path in the index, wherever its folder lies."""


@dataclass(frozen=True)
class Source:
    """A data set on disk: the folder, its layout, and which of the layout's choices are taken."""

    layout: str
    root: Path
    distractors: Path | None = None
    """Folder of further gallery images."""
    split: int | None = None
    """Which split of a layout that has several, counted from 1."""


@dataclass(frozen=True)
class Found:
    """What reading a source tells, before any image is opened."""

    protocol: str
    records: list[ImageRecord]
    """Junk included; in no particular order."""
    files: dict[str, Path]
    """The file of each path; distractors lie outside the root."""


def read_source(source: Source) -> Found:
    """Return the records of a data set, with its distractors and by its split.

    Raises
    ------
    UserError
        A folder does not fit the layout, or the layout has no such split or no distractors.
    """
    layout = load_layout(source.layout)
    protocol = layout.PROTOCOL
    if source.split is None:
        records = layout.read(source.root)
    elif not isinstance(layout, LayoutOfSplits):
        raise UserError(
            f"layout {source.layout} has no numbered splits: remove `split` from the data set in "
            "params.yaml."
        )
    elif not 1 <= source.split <= layout.SPLITS:
        raise UserError(
            f"layout {source.layout} has the splits 1 to {layout.SPLITS}, and none numbered "
            f"{source.split}: correct `split` in params.yaml."
        )
    else:
        records = layout.read_split(source.root, source.split)
    if isinstance(layout, LayoutOfSplits):
        protocol += f", split {source.split or 1} of {layout.SPLITS}"
    files = {record.path: source.root / record.path for record in records}
    if source.distractors is not None:
        if not isinstance(layout, LayoutWithDistractors):
            raise UserError(
                f"layout {source.layout} has no folder of distractors: remove `distractors` from "
                "the data set in params.yaml."
            )
        more = layout.read_distractors(source.distractors)
        for record in more:
            path = f"{DISTRACTORS_FOLDER}/{record.path}"
            files[path] = source.distractors / record.path
            records.append(ImageRecord(record.split, path, record.pid, record.camid))
        protocol += f", {len(more):,} more distractors"
    return Found(protocol, records, files)
