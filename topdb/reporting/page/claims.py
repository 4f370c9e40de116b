"""The table of claims: a row a claim, a column a data set that any claim is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from topdb.reporting.comparisons import ClaimComparison, ClaimPart
from topdb.reporting.documents import ClaimLine


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its parts in the order of the table's data sets."""

    claim: ClaimComparison
    parts: tuple[ClaimPart | None, ...]
    """None where the claim says nothing of the data set."""


@dataclass(frozen=True)
class ClaimTable:
    """All claims."""

    datasets: tuple[str, ...]
    """Titles of the data sets."""
    rows: tuple[ClaimRow, ...]


def claim_table(lines: Sequence[ClaimLine]) -> ClaimTable:
    """Return the table of claims that may be about different data sets."""
    known = [dict(zip(line.datasets, line.parts, strict=True)) for line in lines]
    titles = tuple(dict.fromkeys(title for parts in known for title in parts))
    rows = [
        ClaimRow(line.claim, tuple(parts.get(title) for title in titles))
        for line, parts in zip(lines, known, strict=True)
    ]
    return ClaimTable(titles, tuple(rows))
