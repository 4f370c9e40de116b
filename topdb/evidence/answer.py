"""The answer in one line, and `verdict.json`: how many cells reproduce, how many claims hold."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topdb.config.paper import Owner
from topdb.files import write_json
from topdb.results.comparisons import CellComparison, ClaimComparison, Comparisons
from topdb.statistics import CellVerdict, ClaimVerdict

RENDERED = "Rendered data: nothing is compared with the paper."
_TOLD = 3
"""Reasons that the answer names."""
OF_THE_PAPER = " of the paper's own methods"
OF_COMPETITORS = " of the paper's competitors"


def answer(comparisons: Comparisons) -> str:
    """Return what the comparisons say of the paper, in one line."""
    of_paper = [each for each in comparisons.claims if not each.withheld]
    of_ours = [each for each in comparisons.claims if each.withheld]
    said = notice(comparisons)
    own, others = judged_cells(comparisons, "paper"), judged_cells(comparisons, "competitor")
    if said and not own and not others:
        return f"{said} Among the measured methods {_claims(comparisons.claims)}."
    if not others:
        cells = _cells(own)
    elif not own:
        cells = _cells(others, OF_COMPETITORS)
    else:
        same, detail = _counts(others)
        cells = f"{_cells(own, OF_THE_PAPER)}, {same} of {len(others)} of its competitors'{detail}"
    found = f"{cells}, {_claims(of_paper)}.{_chance([*own, *others])}"
    if of_ours:
        found += f" Among methods that are not the paper's {_claims(of_ours)}."
    return f"{found} {said}".strip()


def notice(comparisons: Comparisons) -> str:
    """Return how many printed cells have no verdict, and why; empty where each has one."""
    if comparisons.rendered:
        return RENDERED
    found = [each for each in comparisons.cells if each.withheld]
    if not found:
        return ""
    counted = Counter(ground for each in found for ground in each.withheld[:-1].split("; "))
    told = [f"{_small(ground)} ({count})" for ground, count in counted.most_common(_TOLD)]
    if len(counted) > _TOLD:
        told.append(_counted(len(counted) - _TOLD, "other reason"))
    verb = "has" if len(found) == 1 else "have"
    return f"{_counted(len(found), 'printed cell')} {verb} no verdict: {', '.join(told)}."


def by_chance(judged: Sequence[CellComparison]) -> float:
    """Return how many BELOW and EXCEEDS chance gives among cells that are truly the same."""
    return math.fsum(each.false_alarm for each in judged if each.false_alarm == each.false_alarm)


def _chance(judged: Sequence[CellComparison]) -> str:
    if not any(each.false_alarm == each.false_alarm for each in judged):
        return ""
    return f" {by_chance(judged):.1f} BELOW or EXCEEDS are expected by chance."


def if_best_of(judged: Sequence[CellComparison], runs: int) -> str:
    """Say how many cells would reproduce if each printed number were the best of so many runs.

    Empty where no cell has such a verdict.
    """
    found = [str(getattr(each, f"if_best_of_{runs}")) for each in judged]
    known = [verdict for verdict in found if verdict]
    if not known:
        return ""
    return f"{known.count(CellVerdict.REPRODUCED)} of {len(known)}{_others(Counter(known))}"


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
            "not_about_the_paper": sum(bool(each.withheld) for each in comparisons.claims),
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
        "without_verdict": {
            "cells": sum(bool(each.withheld) for each in comparisons.cells),
            "reason": notice(comparisons),
            "cell_reasons": [
                {
                    "dataset": each.dataset,
                    "method": each.method,
                    "ranking": each.ranking,
                    "quantity": each.quantity,
                    "reason": each.withheld,
                }
                for each in comparisons.cells
                if each.withheld
            ],
        },
    }
    write_json(path, content)


def _by_verdict(judged: Sequence[CellComparison]) -> dict[str, float]:
    found: Counter[str] = Counter(each.verdict for each in judged)
    return {
        "all": len(judged),
        **{each.value: found[each] for each in CellVerdict},
        "expected_by_chance": round(by_chance(judged), 3),
    }


def _cells(judged: Sequence[CellComparison], whose: str = "") -> str:
    """Say how many of the cells reproduce, and what is of the others."""
    same, detail = _counts(judged)
    verb = "reproduces" if same == 1 else "reproduce"
    return f"{same} of {_counted(len(judged), 'cell')}{whose} {verb}{detail}"


def _counts(judged: Sequence[CellComparison]) -> tuple[int, str]:
    """Return how many reproduce, and the other verdicts with their counts, in brackets."""
    found: Counter[str] = Counter(each.verdict for each in judged)
    return found[CellVerdict.REPRODUCED], _others(found)


def _others(found: Counter[str]) -> str:
    """Return the counts of all verdicts but REPRODUCED, in brackets."""
    rest = [
        f"{found[verdict]} {verdict}"
        for verdict in CellVerdict
        if verdict != CellVerdict.REPRODUCED and found[verdict]
    ]
    return f" ({', '.join(rest)})" if rest else ""


def _claims(claims: Sequence[ClaimComparison]) -> str:
    """Say how many of the declared claims hold, and how many others there are."""
    found = Counter(each.verdict for each in claims)
    declared = len(claims) - found[ClaimVerdict.EXPLORATORY]
    holds = found[ClaimVerdict.HOLDS]
    rest = [
        f"{found[verdict]} {verdict}"
        for verdict in (ClaimVerdict.FAILS, ClaimVerdict.OPEN)
        if found[verdict]
    ]
    total = _counted(declared, "claim")
    detail = f" ({', '.join(rest)})" if rest else ""
    more = found[ClaimVerdict.EXPLORATORY]
    exploratory = f", {more} {'is' if more == 1 else 'are'} exploratory" if more else ""
    return f"{holds} of {total} {'holds' if holds == 1 else 'hold'}{detail}{exploratory}"


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which NaN is null, since JSON has none."""
    return {name: None if value != value else value for name, value in row.items()}
