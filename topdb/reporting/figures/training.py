"""Training curves: loss by epoch, seeds as a band."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from topdb.reporting.drawing.bands import BAND, band, line_legend, shared_length
from topdb.reporting.drawing.evidence import Evidence, histories
from topdb.reporting.drawing.style import looks, page, remark
from topdb.reporting.scales import logarithmic

TITLE = "Training curves"
EXPLAINED = f"{BAND} Totals add up each method's own losses and do not compare"
COMPARED = "; the global stream's do"
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
    explained = f"{EXPLAINED}{COMPARED if len(shown) > 1 else ''}."
    figure = page(0.9 + 1.35 * len(shown), TITLE, explained, evidence)
    panels = figure.subplots(
        len(shown), len(profile.datasets), sharex=True, sharey="row", squeeze=False
    )
    drawn: dict[str, list[float]] = {name: [] for name in shown}
    for (row, column), axes in np.ndenumerate(panels):
        dataset = list(profile.datasets)[column]
        for method in profile.methods:
            columns = [run[shown[row]] for run in runs[dataset, method] if shown[row] in run]
            if columns:
                curves = shared_length(columns)
                drawn[shown[row]] += curves.ravel().tolist()
                band(axes, np.arange(1, curves.shape[1] + 1), curves, styles[method])
        axes.grid(axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        if row == 0:
            axes.set_title(evidence.title(dataset))
        if row == len(shown) - 1:
            axes.set_xlabel("epoch")
        if column == 0:
            axes.set_ylabel(SHOWN[shown[row]])
    for name, axes in zip(shown, panels[:, 0], strict=True):
        if logarithmic(drawn[name]):
            _set_logarithmic(axes)
    figure.align_ylabels()
    line_legend(figure, styles, evidence)
    return figure


def _set_logarithmic(axes: Axes) -> None:
    """Give a panel, and those beside it, a logarithmic scale with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
