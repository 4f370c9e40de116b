"""CMC curves: the share of queries with a right image among the first k, seeds as a band."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from topdb.reporting.drawing.bands import BAND, band, line_legend
from topdb.reporting.drawing.evidence import RANKINGS, Evidence
from topdb.reporting.drawing.style import looks, page, remark
from topdb.reporting.scores import read_scores
from topdb.results.runs import Cell

TITLE = "CMC curves"
EXPLAINED = f"Queries with a right image among the first k, of those with a valid match. {BAND}"
LAST_RANK = 20


def cmc(first_match_rank: NDArray[np.int64], last_rank: int = LAST_RANK) -> NDArray[np.float64]:
    """Return the (last_rank,) percentage of queries whose first match is at rank k or before.

    first_match_rank: (Q,) from 1; queries without a match have less and are left out
    """
    matched = first_match_rank[first_match_rank >= 1]
    hits = np.bincount(np.minimum(matched, last_rank + 1), minlength=last_rank + 2)
    return np.asarray(100.0 * np.cumsum(hits)[1 : last_rank + 1] / len(matched))


def draw(evidence: Evidence) -> Figure:
    """Draw one column a data set, one row a ranking, one line a method."""
    profile = evidence.profile
    curves = {
        cell: np.array([cmc(ranks) for ranks in scores.first_match_rank])
        for cell, scores in read_scores(profile, evidence.results).items()
        if scores is not None
    }
    if not curves:
        return remark(TITLE, "No run is evaluated yet.", evidence)
    styles = looks(profile.methods)
    figure = page(0.9 + 1.7 * len(profile.rankings), TITLE, EXPLAINED, evidence)
    panels = figure.subplots(
        len(profile.rankings), len(profile.datasets), sharex=True, sharey=True, squeeze=False
    )
    for (row, column), axes in np.ndenumerate(panels):
        dataset, ranking = list(profile.datasets)[column], profile.rankings[row]
        for method in profile.methods:
            runs = curves.get(Cell(dataset, method, ranking))
            if runs is not None:
                band(axes, np.arange(1, LAST_RANK + 1), runs, styles[method])
        axes.grid()
        axes.set_xticks([1, 5, 10, 15, 20])
        if row == 0:
            axes.set_title(evidence.title(dataset))
        if row == len(profile.rankings) - 1:
            axes.set_xlabel("rank k")
        if column == 0:
            axes.set_ylabel(f"{RANKINGS[ranking]}: CMC, %")
    line_legend(figure, styles, evidence)
    return figure
