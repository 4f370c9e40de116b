"""The data behind the charts, by data set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.reporting.titles import Titles
from topdb.results.comparisons import Comparisons
from topdb.results.records import read_history
from topdb.results.runs import GridRun
from topdb.results.scores import Scores

QUANTITIES = ("mAP", "R1")

Rows = dict[str, list[dict[str, Any]]]
"""Plain rows by data set; methods by their titles; a missing number is None."""

LAST_RANK = 20
MOST_POINTS = 100
"""Of a training curve; longer ones are thinned, so that the page stays small."""


@dataclass(frozen=True)
class Evidence:
    """What the charts show; values in percent or percentage points."""

    runs: Rows
    differences: Rows
    published: Rows
    cmc: Rows
    training: Rows


def gather(
    profile: Profile, results: Path, scores: Scores, comparisons: Comparisons, titles: Titles
) -> Evidence:
    """Return the data of all charts.

    Raises
    ------
    UserError
        A training's history is broken.
    """
    return Evidence(
        runs={name: list(_runs(scores, name, titles)) for name in profile.datasets},
        differences={
            name: list(_differences(comparisons, name, titles)) for name in profile.datasets
        },
        published={name: list(_published(comparisons, name, titles)) for name in profile.datasets},
        cmc={name: list(_cmc(scores, name, titles)) for name in profile.datasets},
        training={
            name: list(_training(profile, results, name, titles)) for name in profile.datasets
        },
    )


def _runs(scores: Scores, dataset: str, titles: Titles) -> Iterator[dict[str, Any]]:
    for cell, own in scores.items():
        if own is None or cell.dataset != dataset:
            continue
        for quantity in QUANTITIES:
            values = own.by_seed(quantity).tolist()
            for seed, value in zip(own.seeds, values, strict=True):
                yield {
                    "method": titles.of(cell.method),
                    "ranking": cell.ranking,
                    "quantity": quantity,
                    "seed": seed,
                    "value": round(value, 3),
                }


def _differences(
    comparisons: Comparisons, dataset: str, titles: Titles
) -> Iterator[dict[str, Any]]:
    for each in comparisons.differences:
        if each.dataset == dataset:
            yield {
                "method": titles.of(each.method),
                "ranking": each.ranking,
                "quantity": each.quantity,
                "estimate": _rounded(each.estimate),
                "low": _rounded(each.low),
                "high": _rounded(each.high),
                "published": _rounded(each.published),
                "verdict": each.verdict,
            }


def _published(comparisons: Comparisons, dataset: str, titles: Titles) -> Iterator[dict[str, Any]]:
    for each in comparisons.cells:
        if each.dataset == dataset and not math.isnan(each.estimate):
            yield {
                "method": titles.of(each.method),
                "ranking": each.ranking,
                "quantity": each.quantity,
                "estimate": _rounded(each.estimate),
                "low": _rounded(each.low),
                "high": _rounded(each.high),
                "delta": each.delta,
                "verdict": each.verdict,
            }


def _cmc(scores: Scores, dataset: str, titles: Titles) -> Iterator[dict[str, Any]]:
    for cell, own in scores.items():
        if own is None or cell.dataset != dataset:
            continue
        evaluated = own.evaluated
        ranks = own.first_match_rank[:, evaluated]
        for rank in range(1, LAST_RANK + 1):
            yield {
                "method": titles.of(cell.method),
                "ranking": cell.ranking,
                "rank": rank,
                "value": round(float(100.0 * (ranks <= rank).mean()), 3),
            }


def _training(
    profile: Profile, results: Path, dataset: str, titles: Titles
) -> Iterator[dict[str, Any]]:
    for method in profile.methods:
        losses: dict[int, list[float]] = {}
        for seed in profile.seeds:
            path = GridRun(dataset, method, seed).folder(results) / "history.csv"
            if path.is_file():
                for row in read_history(path, ("epoch", "loss")):
                    losses.setdefault(int(row["epoch"]), []).append(row["loss"])
        step = math.ceil(len(losses) / MOST_POINTS)
        for epoch in sorted(losses)[:: max(step, 1)]:
            # A loss that is no number makes a gap, whichever seed's it is.
            found = losses[epoch] if all(map(math.isfinite, losses[epoch])) else [math.nan]
            yield {
                "method": titles.of(method),
                "epoch": epoch,
                "loss": _rounded(sum(found) / len(found), 4),
                "low": _rounded(min(found), 4),
                "high": _rounded(max(found), 4),
            }


def _rounded(value: float, digits: int = 3) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
