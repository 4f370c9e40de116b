"""A data set read in its published layout, and held against its published counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topdb.datasets.decoding import require_image
from topdb.datasets.layouts import (
    Layout,
    LayoutOfReleases,
    LayoutOfSplits,
    LayoutWithDistractors,
    load_layout,
    published,
)
from topdb.datasets.problems import Problems
from topdb.datasets.records import DISTRACTOR, JUNK, SPLITS, Counts, ImageRecord, Split
from topdb.errors import UserError
from topdb.kinds import first_bytes

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
    release: str | None = None
    """Which release its user says that it is."""


@dataclass(frozen=True)
class Found:
    """What reading a source tells, before any image is opened."""

    protocol: str
    records: list[ImageRecord]
    """Junk included; in no particular order."""
    files: dict[str, Path]
    """The file of each path; distractors, and what a read-only root is unpacked to, lie outside."""
    release: str | None = None
    """Which release it is, of a layout that has several; None where nothing tells."""


def read_source(source: Source) -> Found:
    """Return the records of a data set, with its distractors and by its split.

    Raises
    ------
    UserError
        A folder does not fit the layout, or the layout has no such split or no distractors.
    """
    layout = load_layout(source.layout)
    release = _release(layout, source)
    protocol = f"{layout.PROTOCOL}, release {release}" if release else layout.PROTOCOL
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
    files = {record.path: record.file or source.root / record.path for record in records}
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
    return Found(protocol, records, files, release)


def _release(layout: Layout, source: Source) -> str | None:
    """Return which release a data set is, by its user and by its folder's names."""
    if not isinstance(layout, LayoutOfReleases):
        if source.release is not None:
            raise UserError(
                f"layout {source.layout} knows one release alone: remove `release` from the data "
                "set in params.yaml."
            )
        return None
    known = ", ".join(layout.RELEASES)
    if source.release not in (None, *layout.RELEASES):
        raise UserError(
            f"layout {source.layout} knows the releases {known}, and none called "
            f"'{source.release}': correct `release` in params.yaml."
        )
    named = layout.named_release(source.root)
    if None not in (named, source.release) and named != source.release:
        raise UserError(
            f"{source.root} is {named} by the names of its folders, and {source.release} by "
            "params.yaml: correct `release`, or name the folder of that release."
        )
    return named or source.release


def require_release(source: Source, found: Found) -> None:
    """Raise a UserError where nothing tells which of several releases a data set is."""
    layout = load_layout(source.layout)
    if found.release is None and isinstance(layout, LayoutOfReleases):
        raise UserError(
            f"nothing tells which release {source.root} is, and results of {source.layout} differ "
            f"by it: set `release` of the data set in params.yaml to {_either(layout)}."
        )


def _either(layout: LayoutOfReleases) -> str:
    return " or ".join(layout.RELEASES)


Quantity = Literal["people", "images", "cameras"]

QUANTITIES: tuple[Quantity, ...] = ("people", "images", "cameras")


@dataclass(frozen=True)
class Compared:
    """One number of one split beside the published one."""

    split: Split
    quantity: Quantity
    found: int
    published: int | None
    """None where nobody states it."""

    @property
    def difference(self) -> int:
        """How many more there are than published; 0 where nothing is."""
        return 0 if self.published is None else self.found - self.published


@dataclass(frozen=True)
class Verification:
    """All numbers of a data set beside the published ones."""

    name: str
    root: Path
    compared: Sequence[Compared]
    release: str = ""
    """What tells which of several releases it is; empty where there is one alone."""

    def table(self) -> str:
        """Return the numbers as lines of text."""
        rows = [("split", "", "published", "found", "difference")]
        for each in self.compared:
            published = "–" if each.published is None else f"{each.published:,}"
            difference = f"{each.difference:+,}" if each.difference else ""
            rows.append((each.split, each.quantity, published, f"{each.found:,}", difference))
        lines = [
            f"{split:8}{quantity:8}{published:>10}{found:>10}{difference:>12}".rstrip()
            for split, quantity, published, found, difference in rows
        ]
        return "\n".join([*lines, self.release] if self.release else lines)

    def require(self, allow_partial: bool) -> None:
        """Raise a UserError that names each difference; of a subset, each number too large."""
        wrong = [
            each
            for each in self.compared
            if (each.difference > 0 if allow_partial else each.difference != 0)
        ]
        if not wrong:
            return
        remedy = (
            "remove what does not belong."
            if allow_partial
            else "complete the data set, or name --allow-partial if a subset is meant."
        )
        raise UserError(
            f"{self.root} differs from the published {self.name}: "
            f"{'; '.join(map(_sentence, wrong))}: {remedy}"
        )


def verify(name: str, source: Source) -> Verification:
    """Count a data set and put the published counts of its layout beside it.

    They are those of the data set that has the layout's name; another one in the same layout is
    counted and has nothing to compare with.

    Raises
    ------
    UserError
        The folder does not fit the layout, or image files are empty, missing or something else.
    """
    found = read_source(source)
    _require_images(found)
    counted = published(source.layout) if name == source.layout else {}
    compared = []
    for split in SPLITS:
        counts = _counts(found, split)
        stated = counted.get(split)
        for quantity in QUANTITIES:
            expected = getattr(stated, quantity) if stated else None
            compared.append(Compared(split, quantity, getattr(counts, quantity), expected))
    release = ""
    layout = load_layout(source.layout)
    if isinstance(layout, LayoutOfReleases):
        unknown = f"release unknown: set `release` in params.yaml to {_either(layout)}"
        told = f"release {found.release}, by the names of its folders"
        release = told if found.release else unknown
    return Verification(name, source.root, compared, release)


def _counts(found: Found, split: Split) -> Counts:
    records = [each for each in found.records if each.split == split and each.pid != JUNK]
    people = {record.pid for record in records} - {DISTRACTOR}
    return Counts(len(records), len(people), len({record.camid for record in records}))


def _require_images(found: Found) -> None:
    """Raise a UserError that names the files that are no images by their first bytes."""
    problems = Problems()
    for file in found.files.values():
        with problems.collecting():
            try:
                start = first_bytes(file)
            except OSError as error:
                raise UserError(f"{file} cannot be read ({error.strerror}): restore it.") from None
            if not start:
                raise UserError(f"{file} is empty: replace it from the original archive.")
            require_image(start, file)
    problems.require_none()


def _sentence(each: Compared) -> str:
    word = "more" if each.difference > 0 else "fewer"
    return (
        f"{each.split} has {each.found:,} {each.quantity} instead of {each.published:,} "
        f"({abs(each.difference):,} {word})"
    )
