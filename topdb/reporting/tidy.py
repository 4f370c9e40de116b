"""A document as tidy CSV: its whole content, every number with all of its digits."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from topdb.reporting.documents import Code, Document, Strong, Text

COLUMNS = (
    "part",  # value, claim, claim_part, difference, note
    "block",
    "name",
    "method",
    "ranking",
    "reference",
    "reference_ranking",
    "dataset",
    "quantity",
    "value",  # percent; of differences and parts of claims, percentage points
    "sd",
    "seeds",
    "reference_seeds",
    "low",
    "high",
    "p",
    "adjusted_p",
    "p_against",
    "adjusted_p_against",
    "smallest_possible_p",
    "place",
    "printed_place",
    "published",
    "delta",
    "verdict",
    "reason",
    "seeds_needed",  # of a new grid
    "smallest_delta",
    "if_best_of_3",
    "if_best_of_5",
    "unstable",
    "extended",
)


def render_csv(document: Document) -> str:
    """Return a table's whole content, every number with all of its digits."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*_value_rows(document), *_claim_rows(document), *_difference_rows(document)):
        writer.writerow({name: csv_value(value) for name, value in row.items()})
    for note in (document.warning, document.answer, document.legend, *document.notes):
        if note:
            writer.writerow({"part": "note", "reason": csv_value(plain(note))})
    return written.getvalue()


def plain(content: Text) -> str:
    """Return running text without any markup."""
    return "".join(part.text if isinstance(part, Code | Strong) else part for part in content)


def _value_rows(document: Document) -> Iterator[dict[str, Any]]:
    for block in document.blocks:
        for line in block.lines:
            for column, entry in zip(document.columns, line.entries, strict=True):
                if entry is None:
                    continue
                yield _columns(
                    entry,
                    part="value",
                    block=block.title,
                    name=line.name,
                    method=line.method,
                    ranking=block.ranking,
                    dataset=column.dataset,
                    quantity=column.quantity,
                    seeds_needed=entry.seeds_to_settle,
                )


def _claim_rows(document: Document) -> Iterator[dict[str, Any]]:
    for line in document.claims:
        names = {"block": line.claim.family, "name": line.claim.title}
        yield _columns(line.claim, part="claim", value=line.claim.estimate, **names)
        for part in line.parts:
            shown = {"value": part.estimate}
            yield _columns(part, part="claim_part", **names, **shown)


def _difference_rows(document: Document) -> Iterator[dict[str, Any]]:
    for line in document.differences:
        for each in line.differences:
            shown = {"value": each.estimate}
            yield _columns(each, part="difference", name=line.method, **shown)


def _columns(row: Any, **stated: Any) -> dict[str, Any]:
    """Return the columns of a row: its fields of their names, and what is stated besides."""
    return {name: getattr(row, name) for name in COLUMNS if hasattr(row, name)} | stated


def csv_value(value: Any) -> Any:
    """Return a value as CSV has it: nothing for NaN, and no text that a spreadsheet would run."""
    if isinstance(value, str):
        line = " ".join(value.split())
        return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
    return None if value != value else value
