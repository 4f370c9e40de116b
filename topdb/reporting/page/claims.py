"""The table of claims: a row a claim, a column a data set that any claim is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from topdb.reporting.documents import ClaimLine
from topdb.results.comparisons import ClaimComparison, ClaimPart


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
    known = [{part.dataset: part for part in line.parts} for line in lines]
    titles = {
        part.dataset: title
        for line in lines
        for part, title in zip(line.parts, line.datasets, strict=True)
    }
    rows = [
        ClaimRow(line.claim, tuple(parts.get(dataset) for dataset in titles))
        for line, parts in zip(lines, known, strict=True)
    ]
    return ClaimTable(tuple(titles.values()), tuple(rows))
