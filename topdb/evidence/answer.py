"""The answer in one line, and `verdict.json`: how many cells reproduce, how many claims hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topdb.config.paper import Owner
from topdb.files import write_json
from topdb.results.comparisons import CellComparison, Comparisons
from topdb.statistics import CellVerdict, ClaimVerdict

RENDERED = "Rendered data: nothing is compared with the paper."
OF_THE_PAPER = " of the paper's own methods"
OF_COMPETITORS = " of the paper's competitors"


def answer(comparisons: Comparisons) -> str:
    """Return what the comparisons say of the paper, in one line."""
    claims = _claims(comparisons)
    if comparisons.rendered:
        return f"{RENDERED} Among the measured methods {claims}."
    own, others = judged_cells(comparisons, "paper"), judged_cells(comparisons, "competitor")
    if not others:
        return f"{_cells(own)}, {claims}."
    if not own:
        return f"{_cells(others, OF_COMPETITORS)}, {claims}."
    same, detail = _counts(others)
    competitors = f"{same} of {len(others)} of its competitors'{detail}"
    return f"{_cells(own, OF_THE_PAPER)}, {competitors}, {claims}."


def judged_cells(comparisons: Comparisons, owner: Owner) -> list[CellComparison]:
    """Return the cells that have a verdict: of the paper's own methods, or of its competitors."""
    return [each for each in comparisons.cells if each.verdict and each.owner == owner]


def write_answer(
    comparisons: Comparisons, path: Path, rebuilt: Mapping[str, str] | None = None
) -> None:
    """Write `verdict.json`: the answer, counts of each verdict, and every verdict with its reason.

    Values are in percentage points; a missing one is null. `competitors` has the cells of those,
    and all else is of the paper's own. `rebuilt` says of methods without a verdict why, by name.
    """
    claims = Counter(each.verdict for each in comparisons.claims)
    own, others = judged_cells(comparisons, "paper"), judged_cells(comparisons, "competitor")
    content: dict[str, Any] = {
        "answer": answer(comparisons),
        "profile": comparisons.profile,
        "rendered_data": comparisons.rendered,
        "cells": _by_verdict(own),
        "claims": {
            "all": len(comparisons.claims),
            **{each.value: claims[each] for each in ClaimVerdict},
        },
        "cell_verdicts": [_json(asdict(each)) for each in own],
        "claim_verdicts": [
            {
                **_json(asdict(each)),
                "parts": [_json(asdict(part)) for part in comparisons.parts(each.id)],
            }
            for each in comparisons.claims
        ],
        "competitors": {
            "cells": _by_verdict(others),
            "cell_verdicts": [_json(asdict(each)) for each in others],
        },
        "rebuilt": dict(rebuilt or {}),
    }
    write_json(path, content)


def _by_verdict(judged: Sequence[CellComparison]) -> dict[str, int]:
    found = Counter(each.verdict for each in judged)
    return {"all": len(judged), **{each.value: found[each] for each in CellVerdict}}


def _cells(judged: Sequence[CellComparison], whose: str = "") -> str:
    """Say how many of the cells reproduce, and what is of the others."""
    same, detail = _counts(judged)
    verb = "reproduces" if same == 1 else "reproduce"
    return f"{same} of {_counted(len(judged), 'cell')}{whose} {verb}{detail}"


def _counts(judged: Sequence[CellComparison]) -> tuple[int, str]:
    """Return how many reproduce, and the other verdicts with their counts, in brackets."""
    found = Counter(each.verdict for each in judged)
    rest = [
        f"{found[verdict]} {verdict}"
        for verdict in CellVerdict
        if verdict != CellVerdict.REPRODUCED and found[verdict]
    ]
    return found[CellVerdict.REPRODUCED], f" ({', '.join(rest)})" if rest else ""


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
