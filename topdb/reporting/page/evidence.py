"""The data behind the charts, by data set."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topdb.errors import UserError
from topdb.grid import GridRun
from topdb.params import Profile
from topdb.reporting.comparisons import Comparisons
from topdb.reporting.scores import QUANTITIES, Scores
from topdb.reporting.wording import method_title

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


def gather(profile: Profile, results: Path, scores: Scores, comparisons: Comparisons) -> Evidence:
    """Return the data of all charts.

    Raises
    ------
    UserError
        A training's history is broken.
    """
    return Evidence(
        runs={name: list(_runs(scores, name)) for name in profile.datasets},
        differences={name: list(_differences(comparisons, name)) for name in profile.datasets},
        published={name: list(_published(comparisons, name)) for name in profile.datasets},
        cmc={name: list(_cmc(scores, name)) for name in profile.datasets},
        training={name: list(_training(profile, results, name)) for name in profile.datasets},
    )


def _runs(scores: Scores, dataset: str) -> Iterator[dict[str, Any]]:
    for cell, own in scores.items():
        if own is None or cell.dataset != dataset:
            continue
        for quantity in QUANTITIES:
            values = own.by_seed(quantity).tolist()
            for seed, value in zip(own.seeds, values, strict=True):
                yield {
                    "method": method_title(cell.method),
                    "ranking": cell.ranking,
                    "quantity": quantity,
                    "seed": seed,
                    "value": round(value, 3),
                }


def _differences(comparisons: Comparisons, dataset: str) -> Iterator[dict[str, Any]]:
    for each in comparisons.differences:
        if each.dataset == dataset:
            yield {
                "method": method_title(each.method),
                "ranking": each.ranking,
                "quantity": each.quantity,
                "estimate": _rounded(each.estimate),
                "low": _rounded(each.low),
                "high": _rounded(each.high),
                "published": _rounded(each.published),
                "verdict": each.verdict,
            }


def _published(comparisons: Comparisons, dataset: str) -> Iterator[dict[str, Any]]:
    for each in comparisons.cells:
        if each.dataset == dataset and not math.isnan(each.estimate):
            yield {
                "method": method_title(each.method),
                "ranking": each.ranking,
                "quantity": each.quantity,
                "estimate": _rounded(each.estimate),
                "low": _rounded(each.low),
                "high": _rounded(each.high),
                "delta": each.delta,
                "verdict": each.verdict,
            }


def _cmc(scores: Scores, dataset: str) -> Iterator[dict[str, Any]]:
    for cell, own in scores.items():
        if own is None or cell.dataset != dataset:
            continue
        evaluated = ~np.isnan(own.by_query["mAP"][0])
        ranks = own.first_match_rank[:, evaluated]
        for rank in range(1, LAST_RANK + 1):
            yield {
                "method": method_title(cell.method),
                "ranking": cell.ranking,
                "rank": rank,
                "value": round(float(100.0 * (ranks <= rank).mean()), 3),
            }


def _training(profile: Profile, results: Path, dataset: str) -> Iterator[dict[str, Any]]:
    for method in profile.methods:
        losses: dict[int, list[float]] = {}
        for seed in profile.seeds:
            path = GridRun(dataset, method, seed).folder(results) / "history.csv"
            if path.is_file():
                for epoch, loss in _history(path):
                    losses.setdefault(epoch, []).append(loss)
        step = math.ceil(len(losses) / MOST_POINTS)
        for epoch in sorted(losses)[:: max(step, 1)]:
            found = losses[epoch]
            yield {
                "method": method_title(method),
                "epoch": epoch,
                "loss": round(math.fsum(found) / len(found), 4),
                "low": round(min(found), 4),
                "high": round(max(found), 4),
            }


def _history(path: Path) -> Iterator[tuple[int, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                yield int(row["epoch"]), float(row["loss"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no history of a training ({error}): train again.") from None


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
