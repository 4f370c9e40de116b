"""Report tables as CSV: one row a value, a difference, a part of a claim, a claim or a note.

A row's `part` says which it is; columns that a part has not are empty.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

from topdb.reporting.comparisons import ClaimPart, Difference
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
    "smallest_possible_p",
    "place",
    "printed_place",
    "published",
    "delta",
    "verdict",
    "reason",
    "seeds_needed",
)


def render_csv(document: Document) -> str:
    """Return a table's whole content, every number with all of its digits."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*_values(document), *_claims(document), *_differences(document)):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    for note in (document.warning, document.answer, document.legend, *document.notes):
        if note:
            writer.writerow({"part": "note", "reason": _cell(plain(note))})
    return written.getvalue()


def plain(content: Text) -> str:
    """Return running text without any markup."""
    return "".join(part.text if isinstance(part, Code | Strong) else part for part in content)


def _values(document: Document) -> Iterator[dict[str, Any]]:
    for block in document.blocks:
        for line in block.lines:
            for column, entry in zip(document.columns, line.entries, strict=True):
                if entry is None:
                    continue
                yield {
                    "part": "value",
                    "block": block.title,
                    "name": line.name,
                    "method": line.method,
                    "ranking": block.ranking,
                    "dataset": column.dataset,
                    "quantity": column.quantity,
                    "value": entry.value,
                    "sd": entry.sd,
                    "seeds": entry.seeds,
                    "place": entry.place,
                    "printed_place": entry.printed_place,
                    "published": entry.published,
                    "delta": entry.delta,
                    "verdict": entry.verdict,
                    "reason": entry.reason,
                    "seeds_needed": entry.seeds_to_settle,
                }


def _claims(document: Document) -> Iterator[dict[str, Any]]:
    for line in document.claims:
        claim = line.claim
        yield {
            "part": "claim",
            "block": claim.family,
            "name": claim.title,
            "method": claim.method,
            "ranking": claim.ranking,
            "reference": claim.reference,
            "reference_ranking": claim.reference_ranking,
            "quantity": claim.quantity,
            "p": claim.p,
            "adjusted_p": claim.adjusted_p,
            "smallest_possible_p": claim.smallest_possible_p,
            "verdict": claim.verdict,
            "reason": claim.reason,
        }
        for part in line.parts:
            yield {"part": "claim_part", "block": claim.family, "name": claim.title} | _pair(part)


def _differences(document: Document) -> Iterator[dict[str, Any]]:
    for line in document.differences:
        for each in line.differences:
            row = {"part": "difference", "name": line.method, "adjusted_p": each.adjusted_p}
            yield row | _pair(each)


def _pair(each: Difference | ClaimPart) -> dict[str, Any]:
    return {
        "method": each.method,
        "ranking": each.ranking,
        "reference": each.reference,
        "reference_ranking": each.reference_ranking,
        "dataset": each.dataset,
        "quantity": each.quantity,
        "value": each.estimate,
        "seeds": each.seeds,
        "reference_seeds": each.reference_seeds,
        "low": each.low,
        "high": each.high,
        "p": each.p,
        "smallest_possible_p": each.smallest_possible_p,
        "published": each.published,
        "verdict": each.verdict,
        "seeds_needed": each.seeds_to_see,
    }


def _cell(value: Any) -> Any:
    """Return a value as CSV has it: nothing for NaN, and no text that a spreadsheet would run."""
    if isinstance(value, str):
        line = " ".join(value.split())
        return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
    return None if value != value else value
