"""A list of images, `list.csv`, with which any data set comes in without code."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from topdb.datasets.records import JUNK, SPLITS, ImageRecord, below, located, told
from topdb.errors import UserError

PROTOCOL = "a list of images, single query"

LIST = "list.csv"
COLUMNS = ("path", "person", "camera", "split")


def read(root: Path) -> list[ImageRecord]:
    """Read `list.csv`: a header, and a line an image with its path, person, camera and split.

    Paths are relative to the list's folder, which is `root` or up to two levels below it. People
    and cameras are whole numbers, kept as they are (person 0 is a distractor, -1 junk); or names,
    numbered in their order, people from 1 and cameras from 0.

    Raises
    ------
    UserError
        The list is missing or broken, or lines of it are wrong; the message names the first ten.
    """
    base = located(root, LIST)
    file = base / LIST
    rows = _rows(file)
    wrong = [f"line {line} ({what})" for line, row in rows.items() if (what := _fault(base, row))]
    first: dict[tuple[str, str], int] = {}
    for line, row in rows.items():
        earlier = first.setdefault((row["split"], row["path"]), line)
        if earlier != line:
            wrong.append(f"line {line} (the image of line {earlier} again)")
    if wrong:
        raise UserError(f"{file}: {told(wrong)}: correct the list.")
    people = _numbers(file, [row["person"] for row in rows.values()], 1, JUNK)
    cameras = _numbers(file, [row["camera"] for row in rows.values()], 0, 0)
    prefix = below(root, base)
    return [
        ImageRecord(split, prefix + row["path"], people[row["person"]], cameras[row["camera"]])
        for row in rows.values()
        for split in SPLITS
        if split == row["split"]
    ]


def _rows(file: Path) -> dict[int, Mapping[str, str]]:
    """Return the lines by their number in the file, the header being line 1."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restkey="", restval="")
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise UserError(
                    f"{file} has no column {lacking[0]}: begin it with {','.join(COLUMNS)}."
                )
            rows: dict[int, Mapping[str, str]] = {}
            for row in reader:
                rows[reader.line_num] = {name: row[name].strip() for name in COLUMNS}
    except FileNotFoundError:
        raise UserError(f"the list {file} is missing: write one line an image.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read ({error}): save it as CSV in UTF-8.") from None
    if not rows:
        raise UserError(f"{file} lists no image: write one line an image.")
    return rows


def _fault(base: Path, row: Mapping[str, str]) -> str:
    """Return what is wrong with a line; nothing where it is right."""
    path = PurePosixPath(row["path"])
    for name in COLUMNS:
        if not row[name]:
            return f"no {name}"
    if row["split"] not in SPLITS:
        return f"split {row['split']!r} is not one of {', '.join(SPLITS)}"
    if path.is_absolute() or ".." in path.parts or "\\" in row["path"]:
        return f"{row['path']!r} leads out of the folder or has backslashes"
    if not (base / path).is_file():
        return f"{row['path']} is not there"
    return ""


def _numbers(file: Path, labels: Sequence[str], first: int, lowest: int) -> dict[str, int]:
    """Return the number of each label: the label itself where all are whole numbers."""
    known = sorted({*labels})
    try:
        found = {label: int(label) for label in known}
    except ValueError:
        return {label: number for number, label in enumerate(known, start=first)}
    if min(found.values()) < lowest or max(found.values()) >= 2**31:
        raise UserError(
            f"{file} holds the number {min(found.values())} or {max(found.values())}: use numbers "
            f"from {lowest} below 2^31, or names."
        )
    return found
