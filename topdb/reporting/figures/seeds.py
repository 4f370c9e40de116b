"""Every seed of every cell as a dot, with the mean, and the published value where it compares."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from topdb.reporting.drawing.evidence import RANKINGS, Evidence
from topdb.reporting.drawing.style import BAND, BLUE, INK, ORANGE, PALE, page, remark
from topdb.reporting.scores import QUANTITIES, read_scores
from topdb.results.runs import Cell

TITLE = "Every seed of every cell"
ROW = 0.2
"""Inches from one method to the next."""
_DRAWN = {"plain": ("o", BLUE), "rk": ("^", ORANGE)}


def draw(evidence: Evidence) -> Figure:
    """Draw one column a data set, one row a quantity; methods below each other."""
    profile, settings = evidence.profile, evidence.statistics
    scores = read_scores(profile, evidence.results)
    if not any(scores.values()):
        return remark(TITLE, "No run is evaluated yet.", evidence)
    printed = evidence.printed()
    explained = "A dot is a run; the stroke is the mean over seeds. Scales differ between panels."
    if printed:
        explained += "\nGrey: the published value, and the margin that counts as the same."
    tall = len(QUANTITIES) * (0.45 + ROW * len(profile.methods))
    figure = page(1.0 + tall, TITLE, explained, evidence)
    panels = figure.subplots(len(QUANTITIES), len(profile.datasets), sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(panels):
        quantity, dataset = QUANTITIES[row], list(profile.datasets)[column]
        for place, method in enumerate(profile.methods):
            for number, ranking in enumerate(profile.rankings):
                cell = Cell(dataset, method, ranking)
                found = scores[cell]
                centre = place + (number - (len(profile.rankings) - 1) / 2) * 0.36
                ends = centre - 0.17, centre + 0.17
                if (cell, quantity) in printed:
                    value, delta = printed[cell, quantity].value, settings.margin(dataset)
                    band = [(value - delta, 2 * delta)]
                    axes.broken_barh(band, (ends[0], 0.34), color=BAND, linewidth=0)
                    axes.vlines(value, *ends, color=PALE, linewidth=0.8)
                if found is None:
                    continue
                values = found.by_seed(quantity)
                marker, colour = _DRAWN[ranking]
                spread = np.linspace(-0.09, 0.09, len(values)) if len(values) > 1 else [0.0]
                axes.plot(
                    values,
                    centre + np.asarray(spread),
                    linestyle="",
                    marker=marker,
                    markersize=3.2,
                    markerfacecolor=colour,
                    markeredgecolor="none",
                    alpha=0.75,
                )
                axes.vlines(values.mean(), *ends, color=INK, linewidth=1.1)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.set_yticks(
            range(len(profile.methods)), [evidence.name(each) for each in profile.methods]
        )
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(profile.methods) - 0.5, -0.5)
        axes.set_xlabel(f"{quantity}, %")
        if row == 0:
            axes.set_title(evidence.title(dataset))
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=marker,
            markersize=4,
            color=colour,
            label=RANKINGS[ranking],
        )
        for ranking, (marker, colour) in _DRAWN.items()
        if ranking in profile.rankings
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    return figure
