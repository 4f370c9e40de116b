"""Whether a data set on disk holds what its authors say that it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topdb.datasets.layouts import published
from topdb.datasets.reading import Found, Source, read_source
from topdb.datasets.records import DISTRACTOR, JUNK, SPLITS, Counts, Split
from topdb.errors import UserError

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

    def table(self) -> str:
        """Return the numbers as lines of text."""
        rows = [("split", "", "published", "found", "difference")]
        for each in self.compared:
            published = "–" if each.published is None else f"{each.published:,}"
            difference = f"{each.difference:+,}" if each.difference else ""
            rows.append((each.split, each.quantity, published, f"{each.found:,}", difference))
        return "\n".join(
            f"{split:8}{quantity:8}{published:>10}{found:>10}{difference:>12}".rstrip()
            for split, quantity, published, found, difference in rows
        )

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
        The folder does not fit the layout, or an image file is empty or missing.
    """
    found = read_source(source)
    _refuse_empty_files(found)
    counted = published(source.layout) if name == source.layout else {}
    compared = []
    for split in SPLITS:
        counts = _counts(found, split)
        stated = counted.get(split)
        for quantity in QUANTITIES:
            expected = getattr(stated, quantity) if stated else None
            compared.append(Compared(split, quantity, getattr(counts, quantity), expected))
    return Verification(name, source.root, compared)


def _counts(found: Found, split: Split) -> Counts:
    records = [each for each in found.records if each.split == split and each.pid != JUNK]
    people = {record.pid for record in records} - {DISTRACTOR}
    return Counts(len(records), len(people), len({record.camid for record in records}))


def _refuse_empty_files(found: Found) -> None:
    for file in found.files.values():
        try:
            size = file.stat().st_size
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror}): restore it.") from None
        if size == 0:
            raise UserError(f"{file} is empty: replace it from the original archive.")


def _sentence(each: Compared) -> str:
    word = "more" if each.difference > 0 else "fewer"
    return (
        f"{each.split} has {each.found:,} {each.quantity} instead of {each.published:,} "
        f"({abs(each.difference):,} {word})"
    )
