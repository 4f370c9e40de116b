"""Forest plot: every method minus the reference method, with intervals."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from topdb.config import Ranking
from topdb.reporting.comparisons import Difference
from topdb.reporting.drawing.evidence import Evidence
from topdb.reporting.drawing.rows import blocks, grouped, panel_title, panels_of_rows
from topdb.reporting.drawing.style import INK, PALE, looks, remark
from topdb.reporting.pairs import to_reference


def draw(evidence: Evidence) -> Figure:
    """Draw one row a data set and method, one panel a ranking and quantity."""
    found = evidence.compared().differences
    settings, profile = evidence.statistics, evidence.profile
    title = f"Difference to {evidence.name(settings.reference_method)}"
    if not found:
        return remark(title, "No two methods have finished runs yet.", evidence)
    methods = [each for each in profile.methods if each != settings.reference_method]
    rows = grouped(
        {
            dataset: [
                evidence.name(method)
                for method in methods
                if any((each.dataset, each.method) == (dataset, method) for each in found)
            ]
            for dataset in profile.datasets
        }
    )
    explained = (
        f"Bars: {100 * settings.confidence:g} % intervals over people and seeds. Filled: the test "
        f"over seeds has p ≤ {settings.alpha:g}, adjusted by Holm within its ranking.\n"
        f"Hollow: open, which is no evidence of equality.{_reach(evidence, found)}"
    )
    shown = blocks(evidence)
    figure, panels = panels_of_rows(
        rows,
        [panel_title(*block) for block in shown],
        "percentage points",
        title,
        explained,
        evidence,
    )
    styles = looks(profile.methods)
    printed = False
    for axes, block in zip(panels, shown, strict=True):
        axes.axvline(0.0, color=PALE, linewidth=0.9)
        for each in found:
            if (each.ranking, each.quantity) != block:
                continue
            y, look = rows.places[each.dataset, evidence.name(each.method)], styles[each.method]
            if not math.isnan(each.low):
                axes.hlines(y, each.low, each.high, color=look.colour, linewidth=1.3)
            axes.plot(
                each.estimate,
                y,
                marker=look.marker,
                markersize=4.2,
                markeredgewidth=1.1,
                markeredgecolor=look.colour,
                markerfacecolor="white" if each.verdict == "open" else look.colour,
            )
            if not math.isnan(each.published):
                axes.plot(each.published, y, marker="|", markersize=7, color=INK)
                printed = True
    if printed:
        handle = Line2D([], [], linestyle="", marker="|", color=INK, label="published difference")
        figure.legend(handles=[handle], loc="outside upper right")
    return figure


def _reach(evidence: Evidence, found: Sequence[Difference]) -> str:
    """Say so where seeds are too few for any adjusted p to reach alpha."""
    settings = evidence.statistics
    families: dict[Ranking, list[float]] = {}
    for each in found:
        families.setdefault(each.ranking, []).append(each.smallest_possible_p)
    best = 1.0
    for ranking, reached in families.items():
        size = sum(1 for _ in to_reference(evidence.profile, settings, ranking))
        best = min(best, size * min(reached))
    few = best > settings.alpha
    return f" So few seeds cannot give an adjusted p below {best:.2f}." if few else ""
