"""CMC curves: the share of queries with a right image among the first k, seeds as a band."""

import altair as alt
import numpy as np
from numpy.typing import NDArray

from topdb.reporting import plots
from topdb.reporting.evidence import RANKINGS, Evidence

CATEGORY = "Scores"
NEEDS = "scores"
FILES = ("plots/cmc.svg", "plots/cmc.png")
ORDER = 5

LAST_RANK = 20


def cmc(first_match_rank: NDArray[np.int64], last_rank: int = LAST_RANK) -> NDArray[np.float64]:
    """Return the (last_rank,) percentage of queries whose first match is at rank k or before.

    first_match_rank: (Q,) from 1; queries without a match have less and are left out
    """
    matched = first_match_rank[first_match_rank >= 1]
    hits = np.bincount(np.minimum(matched, last_rank + 1), minlength=last_rank + 2)
    return np.asarray(100.0 * np.cumsum(hits)[1 : last_rank + 1] / len(matched))


def plot(evidence: Evidence) -> plots.Plot:
    """One line a method, one panel a data set and ranking."""
    rows: list[plots.Row] = []
    turns = {method: turn for turn, method in enumerate(evidence.profile.methods)}
    for cell, scores in evidence.scores.items():
        runs = np.array([cmc(ranks) for ranks in scores.first_match_rank])
        for place in range(LAST_RANK):
            row: plots.Row = {
                "dataset": cell.dataset,
                "method": evidence.name(cell.method),
                "ranking": cell.ranking,
                "rank": place + 1,
                "value": round(float(runs[:, place].mean()), 3),
                "low": round(float(runs[:, place].min()), 3),
                "high": round(float(runs[:, place].max()), 3),
            }
            shown = plots.has_symbol(place, turns[cell.method], LAST_RANK)
            rows.append({**row, "symbol": True} if shown else row)
    return plots.Plot(
        title="CMC curves",
        explained=(
            "Queries with a right image among the first k, of those with a valid match. Line: mean "
            "over seeds. Band: from the least to the greatest."
        ),
        rows=rows,
        panel=lambda _: plots.curves(
            evidence.looks,
            alt.X(
                "rank:Q",
                title="rank k",
                axis=alt.Axis(grid=False, values=[1, 5, 10, 15, 20]),
                scale=alt.Scale(domain=[1, LAST_RANK], nice=False),
            ),
            alt.Y("low:Q", title="CMC in percent", scale=alt.Scale(zero=False)),
            plots.tooltip({"method": "Method", "rank": "Rank"}, {"value": "Percent"}),
        ),
        down={RANKINGS[each]: {"ranking": each} for each in evidence.profile.rankings},
        across=evidence.by_dataset,
        shared=("x", "y"),
        key=evidence.looks,
        height=130,
        otherwise="No run is evaluated yet.",
    )
