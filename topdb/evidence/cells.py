"""Every cell against the number that the paper prints for it."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from topdb.config import Profile, StatisticsSettings
from topdb.config.paper import Owner, Paper
from topdb.evidence.grounds import Grounds
from topdb.evidence.instability import Marks
from topdb.evidence.looks import Look
from topdb.results.comparisons import CellComparison
from topdb.results.runs import Cell, cells
from topdb.results.scores import Scores
from topdb.statistics import (
    CellVerdict,
    cell_verdict,
    false_cells,
    headline,
    smallest_delta,
    verdicts_if_selected,
)

NOT_PRINTED = "The paper prints no value for this cell."
REBUILT = "No verdict: a rebuilt method is not the paper's, and no number can confirm it."


@dataclass(frozen=True)
class PaperValue:
    """What a paper prints for a cell that can be measured here."""

    value: float
    """In percent."""
    owner: Owner


_FINDING = (
    "low",
    "high",
    "p",
    "prediction_low",
    "prediction_high",
    "smallest_delta",
    "false_alarm",
)
"""Of a cell's comparison, what a verdict rests on."""
_WORDS = ("verdict", "if_best_of_3", "if_best_of_5")
"""Its verdicts."""

Printed = dict[tuple[Cell, str], PaperValue]
"""By cell and metric."""


def printed_values(paper: Paper) -> Printed:
    """Return the printed values of every method that has a row."""
    return {
        (Cell(dataset, row.method, row.ranking), metric): PaperValue(
            cell.value, paper.owner(row.method)
        )
        for rows in paper.rows.values()
        for row in rows
        if row.method
        for (dataset, metric), cell in row.values.items()
    }


def printed_difference(printed: Printed, cell: Cell, reference: Cell, quantity: str) -> float:
    """Return the difference between two printed values; NaN where one is not printed."""
    first, second = printed.get((cell, quantity)), printed.get((reference, quantity))
    return first.value - second.value if first and second else math.nan


def judge_cells(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    paper: Paper,
    metrics: Sequence[str],
    grounds: Grounds,
    look: Look,
    marks: Marks,
    rebuilt: Collection[str] = (),
) -> Iterator[CellComparison]:
    """Yield a row a cell and quantity.

    Its verdict is empty where the paper says nothing of it, or where there are grounds against one.
    So is that of a method that was rebuilt: what the paper prints of the original is shown.
    """
    printed = printed_values(paper)
    for cell in cells(profile):
        margin, against = paper.margin(cell.dataset), grounds.sentence(cell)
        for quantity in metrics:
            value = printed.get((cell, quantity))
            row = _judged(
                *(profile, settings, scores, None if against else value, margin),
                *(cell, quantity, look),
            )
            if value and against:
                row = replace(row, owner=value.owner, reason=against, withheld=against)
            elif row.verdict and cell.method in rebuilt:
                unjudged: dict[str, Any] = dict.fromkeys(_FINDING, math.nan)
                unjudged |= dict.fromkeys(_WORDS, "")
                unjudged |= {"reason": REBUILT, "seeds_to_settle": None}
                row = replace(row, **unjudged, withheld="The method is rebuilt.")
            yield _barred(row, look, marks.get((cell, quantity), ""))


def _judged(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    printed: PaperValue | None,
    margin: float,
    cell: Cell,
    quantity: str,
    look: Look,
) -> CellComparison:
    own, alpha = scores[cell], look.level(settings.alpha)
    values = [] if own is None else own.by_seed(quantity).tolist()
    unsound = own.unsound if own else ""
    summary = headline(values) if values and not unsound else None
    row = CellComparison(
        dataset=cell.dataset,
        method=cell.method,
        ranking=cell.ranking,
        quantity=quantity,
        seeds=len(values),
        planned_seeds=look.seeds,
        mean=summary.mean if summary else math.nan,
        sd=summary.sd if summary else math.nan,
        confidence=1.0 - 2.0 * alpha,
        delta=margin,
        reason=unsound or NOT_PRINTED,
        extended=look.note,
    )
    if printed is None:
        return row
    judged: dict[str, Any] = {
        "published": printed.value,
        "owner": printed.owner,
        "estimate": row.mean - printed.value,
        "verdict": CellVerdict.INCOMPLETE.value,
        "reason": unsound or "One seed is declared; a verdict needs two.",
    }
    if look.seeds < 2 or unsound:
        return replace(row, **judged)
    rule: dict[str, Any] = {
        "seeds": look.seeds,
        "delta": margin,
        "rounding": settings.rounding,
        "alpha": alpha,
    }
    finding = cell_verdict(values, printed.value, **rule, power=settings.power)
    judged |= {"verdict": finding.verdict.value, "reason": finding.reason}
    judged |= {"seeds_to_settle": finding.seeds_to_settle}
    if equal := finding.equivalence:
        judged |= {"low": equal.low, "high": equal.high, "p": equal.p}
        judged |= {"smallest_delta": smallest_delta(values, printed.value, alpha=alpha)}
        chance = false_cells(
            [row.sd], seeds=len(values), deltas=margin, rounding=settings.rounding, alpha=alpha
        )
        judged |= {"false_alarm": chance.expected}
    if next_run := finding.prediction:
        judged |= {"prediction_low": next_run.low, "prediction_high": next_run.high}
    if finding.verdict != CellVerdict.INCOMPLETE:
        best = verdicts_if_selected(values, printed.value, **rule, runs=(3, 5))
        judged |= {f"if_best_of_{each.k}": each.finding.verdict.value for each in best}
    return replace(row, **judged)


def _barred(row: CellComparison, look: Look, mark: str) -> CellComparison:
    """Return a row without the verdicts that an unstable run, or a grid that grew too far, bars."""
    row = replace(row, unstable=mark)
    if row.verdict in ("", CellVerdict.INCOMPLETE) or not (mark or look.closed):
        return row
    barred: dict[str, Any] = {
        name: CellVerdict.INCONCLUSIVE.value
        for name in _WORDS
        if look.closed or getattr(row, name) == CellVerdict.REPRODUCED
    }
    said = look.closed or f"{mark[0].upper()}{mark[1:]}."
    if "verdict" not in barred:
        said = f"{row.reason} {said}"
    barred["reason"] = said
    return replace(row, seeds_to_settle=None, **barred)
