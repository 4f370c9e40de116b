"""Where the uncertainty of each difference comes from: seeds, people, or both together."""

import math

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from topdb.reporting.drawing.evidence import Evidence
from topdb.reporting.drawing.rows import blocks, grouped, panel_title, panels_of_rows
from topdb.reporting.drawing.style import BLUE, ORANGE, remark

TITLE = "Variance of the differences: seeds against people"
EXPLAINED = (
    "Shares of the variance of each difference to the reference method. More seeds lower the "
    "first, more people the second, either the third."
)
PARTS = {
    "seed_share": ("seeds", BLUE, ""),
    "people_share": ("people", ORANGE, "////"),
    "interaction_share": ("both together", "#bbbbbb", ""),
}


def draw(evidence: Evidence) -> Figure:
    """Draw one bar a data set and method, one panel a ranking and quantity."""
    found = [each for each in evidence.compared().differences if not math.isnan(each.seed_share)]
    if not found:
        return remark(TITLE, "No two methods have two finished runs each yet.", evidence)
    profile = evidence.profile
    rows = grouped(
        {
            dataset: [
                evidence.name(method)
                for method in profile.methods
                if any((each.dataset, each.method) == (dataset, method) for each in found)
            ]
            for dataset in profile.datasets
        }
    )
    shown = blocks(evidence)
    figure, panels = panels_of_rows(
        rows,
        [panel_title(*block) for block in shown],
        "share of variance, %",
        TITLE,
        EXPLAINED,
        evidence,
    )
    for axes, block in zip(panels, shown, strict=True):
        for each in found:
            if (each.ranking, each.quantity) != block:
                continue
            left = 0.0
            for name, (_, colour, hatch) in PARTS.items():
                share = 100.0 * getattr(each, name)
                axes.barh(
                    rows.places[each.dataset, evidence.name(each.method)],
                    share,
                    left=left,
                    height=0.68,
                    color=colour,
                    hatch=hatch,
                    edgecolor="white",
                    linewidth=0,
                )
                left += share
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 50, 100])
    handles = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=name)
        for name, colour, hatch in PARTS.values()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    return figure
