"""Training curves: loss by epoch, seeds as a band."""

import numpy as np
from matplotlib.figure import Figure

from topdb.reporting.drawing.bands import BAND, band, line_legend, shared_length
from topdb.reporting.drawing.evidence import Evidence, histories
from topdb.reporting.drawing.style import looks, page, remark

TITLE = "Training curves"
EXPLAINED = (
    f"{BAND} Totals add up each method's own streams and do not compare; the global stream's do."
)
SHOWN = {
    "loss": "Total loss",
    "global_cross_entropy": "Global stream:\ncross entropy",
    "global_triplet": "Global stream:\ntriplet loss",
}


def draw(evidence: Evidence) -> Figure:
    """Draw one column a data set, one row a loss, one line a method."""
    profile = evidence.profile
    runs = {
        (dataset, method): histories(evidence, dataset, method)
        for dataset in profile.datasets
        for method in profile.methods
    }
    written = {name for found in runs.values() for run in found for name in run}
    shown = [name for name in SHOWN if name in written]
    if not shown:
        return remark(TITLE, "No training is finished yet.", evidence)
    styles = looks(profile.methods)
    figure = page(0.9 + 1.35 * len(shown), TITLE, EXPLAINED, evidence)
    panels = figure.subplots(
        len(shown), len(profile.datasets), sharex=True, sharey="row", squeeze=False
    )
    for (row, column), axes in np.ndenumerate(panels):
        dataset = list(profile.datasets)[column]
        for method in profile.methods:
            columns = [run[shown[row]] for run in runs[dataset, method] if shown[row] in run]
            if columns:
                curves = shared_length(columns)
                band(axes, np.arange(1, curves.shape[1] + 1), curves, styles[method])
        axes.grid(axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        if row == 0:
            axes.set_title(evidence.title(dataset))
        if row == len(shown) - 1:
            axes.set_xlabel("epoch")
        if column == 0:
            axes.set_ylabel(SHOWN[shown[row]])
    figure.align_ylabels()
    line_legend(figure, styles)
    return figure
