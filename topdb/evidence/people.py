"""One evaluation's numbers with their intervals over people."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from topdb.files import write_json
from topdb.metrics import metrics
from topdb.results.evaluation import Queries, Summary
from topdb.statistics import MeanInterval, people_interval

Intervals = Mapping[str, MeanInterval]
"""By metric, fractions; empty where all queries are of one person."""


def intervals(queries: Queries, summary: Summary) -> Intervals:
    """Return a 95 % interval over people of each metric that is a mean over the queries.

    The CMC of single-gallery shots is a mean over draws, too, and has none.
    """
    if len(np.unique(queries.pids[queries.evaluated])) < 2:
        return {}
    drawn = bool(summary.evaluator.get("single_gallery_shot"))
    return {
        name: people_interval(each.per_query(queries.columns[each.column]), queries.pids)
        for name, each in metrics().items()
        if each.column in queries.columns
        and name in summary.metrics
        and each.better == "higher"
        and not (drawn and each.column == "first_match_rank")
    }


def write_intervals(path: Path, found: Intervals) -> None:
    """Write `intervals.json`: confidence, number of people, and both ends by metric."""
    some = next(iter(found.values()), None)
    write_json(
        path,
        {
            "confidence": some.confidence if some else None,
            "people": some.people if some else None,
            "intervals": {name: [each.low, each.high] for name, each in found.items()},
        },
    )
