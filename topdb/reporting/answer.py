"""The answer in one line, and `verdict.json`: how many cells reproduce, how many claims hold."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topdb.files import write_json
from topdb.reporting.comparisons import CellComparison, Comparisons
from topdb.statistics import CellVerdict, ClaimVerdict

RENDERED = "Rendered data: nothing is compared with the paper."


def answer(comparisons: Comparisons) -> str:
    """Return what the comparisons say of the paper, in one line."""
    claims = _claims(comparisons)
    if comparisons.rendered:
        return f"{RENDERED} Among the measured methods {claims}."
    judged = judged_cells(comparisons)
    found = Counter(each.verdict for each in judged)
    rest = [
        f"{found[verdict]} {verdict}"
        for verdict in CellVerdict
        if verdict != CellVerdict.REPRODUCED and found[verdict]
    ]
    detail = f" ({', '.join(rest)})" if rest else ""
    same = found[CellVerdict.REPRODUCED]
    verb = "reproduces" if same == 1 else "reproduce"
    return f"{same} of {_counted(len(judged), 'cell')} {verb}{detail}, {claims}."


def judged_cells(comparisons: Comparisons) -> list[CellComparison]:
    """Return the cells that have a verdict."""
    return [each for each in comparisons.cells if each.verdict]


def write_answer(comparisons: Comparisons, path: Path) -> None:
    """Write `verdict.json`: the answer, counts of each verdict, and every verdict with its reason.

    Values are in percentage points; a missing one is null.
    """
    judged = judged_cells(comparisons)
    cells = Counter(each.verdict for each in judged)
    claims = Counter(each.verdict for each in comparisons.claims)
    content: dict[str, Any] = {
        "answer": answer(comparisons),
        "profile": comparisons.profile,
        "rendered_data": comparisons.rendered,
        "cells": {"all": len(judged), **{each.value: cells[each] for each in CellVerdict}},
        "claims": {
            "all": len(comparisons.claims),
            **{each.value: claims[each] for each in ClaimVerdict},
        },
        "cell_verdicts": [_json(asdict(each)) for each in judged],
        "claim_verdicts": [
            {
                **_json(asdict(each)),
                "parts": [_json(asdict(part)) for part in comparisons.parts(each.id)],
            }
            for each in comparisons.claims
        ],
    }
    write_json(path, content)


def _claims(comparisons: Comparisons) -> str:
    found = Counter(each.verdict for each in comparisons.claims)
    holds = found[ClaimVerdict.HOLDS]
    rest = [
        f"{found[verdict]} {verdict}"
        for verdict in (ClaimVerdict.FAILS, ClaimVerdict.OPEN)
        if found[verdict]
    ]
    total = _counted(len(comparisons.claims), "claim")
    detail = f" ({', '.join(rest)})" if rest else ""
    return f"{holds} of {total} {'holds' if holds == 1 else 'hold'}{detail}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which NaN is null, since JSON has none."""
    return {name: None if value != value else value for name, value in row.items()}
