"""Every cell against the number that the paper prints for it."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from topdb.config import Profile, StatisticsSettings
from topdb.config.paper import Owner, Paper
from topdb.evidence.grounds import Grounds
from topdb.results.comparisons import CellComparison
from topdb.results.runs import Cell, cells
from topdb.results.scores import Scores
from topdb.statistics import CellVerdict, cell_verdict, headline

NOT_PRINTED = "The paper prints no value for this cell."
REBUILT = "No verdict: a rebuilt method is not the paper's, and no number can confirm it."


@dataclass(frozen=True)
class PaperValue:
    """What a paper prints for a cell that can be measured here."""

    value: float
    """In percent."""
    owner: Owner


_FINDING = ("low", "high", "p", "prediction_low", "prediction_high")
"""Of a cell's comparison, what a verdict rests on."""

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
                profile, settings, scores, None if against else value, margin, cell, quantity
            )
            if value and against:
                row = replace(row, owner=value.owner, reason=against, withheld=against)
            elif row.verdict and cell.method in rebuilt:
                unjudged: dict[str, Any] = dict.fromkeys(_FINDING, math.nan)
                unjudged |= {"verdict": "", "reason": REBUILT, "seeds_to_settle": None}
                row = replace(row, **unjudged, withheld="The method is rebuilt.")
            yield row


def _judged(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    printed: PaperValue | None,
    margin: float,
    cell: Cell,
    quantity: str,
) -> CellComparison:
    own, planned = scores[cell], len(profile.seeds)
    values = [] if own is None else own.by_seed(quantity).tolist()
    unsound = own.unsound if own else ""
    summary = headline(values) if values and not unsound else None
    row = CellComparison(
        dataset=cell.dataset,
        method=cell.method,
        ranking=cell.ranking,
        quantity=quantity,
        seeds=len(values),
        planned_seeds=planned,
        mean=summary.mean if summary else math.nan,
        sd=summary.sd if summary else math.nan,
        confidence=1.0 - 2.0 * settings.alpha,
        delta=margin,
        reason=unsound or NOT_PRINTED,
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
    if planned < 2 or unsound:
        return replace(row, **judged)
    finding = cell_verdict(
        values,
        printed.value,
        seeds=planned,
        delta=margin,
        rounding=settings.rounding,
        alpha=settings.alpha,
    )
    judged |= {"verdict": finding.verdict.value, "reason": finding.reason}
    judged |= {"seeds_to_settle": finding.seeds_to_settle}
    if equal := finding.equivalence:
        judged |= {"low": equal.low, "high": equal.high, "p": equal.p}
    if next_run := finding.prediction:
        judged |= {"prediction_low": next_run.low, "prediction_high": next_run.high}
    return replace(row, **judged)
