"""Measured against published, with the margin within which they count as the same."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from topdb.reporting.comparisons import CellComparison
from topdb.reporting.drawing.evidence import Evidence
from topdb.reporting.drawing.rows import grouped, panels_of_rows
from topdb.reporting.drawing.style import BAND, BLUE, GREEN, ORANGE, PALE, RED, remark
from topdb.reporting.scores import QUANTITIES
from topdb.statistics import CellVerdict

TITLE = "Measured minus published"
DRAWN = {
    CellVerdict.REPRODUCED: ("o", GREEN, True),
    CellVerdict.EXCEEDS: ("^", BLUE, True),
    CellVerdict.BELOW: ("v", RED, True),
    CellVerdict.INCONCLUSIVE: ("o", ORANGE, False),
    CellVerdict.INCOMPLETE: ("s", PALE, False),
}
"""Marker, colour, and whether it is filled."""


def draw(evidence: Evidence) -> Figure:
    """Draw one row a published cell, one panel a quantity."""
    profile = evidence.profile
    if profile.rendered:
        sentence = "Nothing is compared with the paper: the images of this profile are drawn."
        return remark(TITLE, sentence, evidence)
    found = [
        each
        for each in evidence.compared().cells
        if each.verdict and not math.isnan(each.published)
    ]
    if not found:
        return remark(TITLE, "The paper prints no number for any cell of this profile.", evidence)
    rows = grouped(
        {
            dataset: list(
                dict.fromkeys(_name(evidence, each) for each in found if each.dataset == dataset)
            )
            for dataset in profile.datasets
        }
    )
    level = f"{100 * found[0].confidence:g} %"
    explained = (
        f"Thick: {level} interval of the difference of the mean; reproduced "
        "where it lies inside the band.\nThin: where one more run would fall, 95 %; where it "
        "leaves out 0, the published run is unlike ours."
    )
    figure, panels = panels_of_rows(
        rows, QUANTITIES, "percentage points", TITLE, explained, evidence
    )
    for axes, quantity in zip(panels, QUANTITIES, strict=True):
        axes.axvline(0.0, color=PALE, linewidth=0.9)
        for each in found:
            if each.quantity == quantity:
                y = rows.places[each.dataset, _name(evidence, each)]
                _draw_cell(axes, y, each)
    _legend(figure, found)
    return figure


def _name(evidence: Evidence, each: CellComparison) -> str:
    return evidence.name(each.method, each.ranking)


def _draw_cell(axes: Axes, y: float, each: CellComparison) -> None:
    band = Rectangle((-each.delta, y - 0.5), 2 * each.delta, 1.0, color=BAND, linewidth=0)
    axes.add_patch(band).set_zorder(0.5)
    if math.isnan(each.estimate):
        return
    marker, colour, filled = DRAWN[CellVerdict(each.verdict)]
    if not math.isnan(each.low):
        ends = each.prediction_low - each.published, each.prediction_high - each.published
        axes.hlines(y, *ends, color=colour, linewidth=0.8)
        axes.hlines(y, each.low, each.high, color=colour, linewidth=2.4)
    axes.plot(
        each.estimate,
        y,
        marker=marker,
        markersize=4.6,
        markeredgecolor=colour,
        markeredgewidth=1.1,
        markerfacecolor=colour if filled else "white",
    )


def _legend(figure: Figure, found: Sequence[CellComparison]) -> None:
    handles: list[Line2D | Patch] = [Patch(color=BAND, label="±delta")]
    given = {each.verdict for each in found}
    for verdict, (marker, colour, filled) in DRAWN.items():
        if verdict in given:
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=marker,
                    markersize=4.6,
                    markeredgecolor=colour,
                    markerfacecolor=colour if filled else "white",
                    label=verdict.lower(),
                )
            )
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
