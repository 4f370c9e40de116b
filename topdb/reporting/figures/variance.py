"""Where the uncertainty of each difference comes from: seeds, people, or both together."""

import math

import altair as alt

from topdb.reporting import plots
from topdb.reporting.evidence import Evidence
from topdb.reporting.looks import Look

CATEGORY = "Evidence"
NEEDS = "comparisons"
FILES = ("plots/variance.svg", "plots/variance.png")
ORDER = 3

PARTS = {
    "seed_share": Look("seeds", "var(--part-seeds)"),
    "people_share": Look("people", "var(--part-people)"),
    "interaction_share": Look("both together", "var(--part-both)"),
}


def plot(evidence: Evidence) -> plots.Plot:
    """One bar a method, one panel a data set, ranking and quantity."""
    rows = [
        {
            "dataset": each.dataset,
            "method": evidence.name(each.method),
            "ranking": each.ranking,
            "quantity": each.quantity,
            "part": look.title,
            "place": place,
            "share": plots.rounded(100.0 * getattr(each, name)),
        }
        for each in evidence.comparisons.differences
        if not math.isnan(each.seed_share)
        for place, (name, look) in enumerate(PARTS.items())
    ]
    return plots.Plot(
        title="Variance of the differences: seeds against people",
        explained=(
            "Shares of the variance of each difference to the reference method. More seeds lower "
            "the first, more people the second, either the third."
        ),
        rows=rows,
        panel=lambda own: _panel(own, evidence),
        down=evidence.by_dataset,
        across=evidence.by_block,
        legend=tuple(PARTS.values()),
        otherwise="No two methods have two finished runs each yet.",
    )


def _panel(rows: plots.Rows, evidence: Evidence) -> alt.LayerChart:
    bars = alt.Chart().mark_bar(
        stroke=plots.GROUND, strokeWidth=1.0, height=alt.RelativeBandSize(band=0.75)
    )
    stacked = bars.encode(
        x=plots.along("share", "share of variance, %", domain=[0, 100], nice=False),
        y=plots.lines_of_methods(rows, evidence.looks),
        order="place:Q",
        tooltip=plots.tooltip({"method": "Method", "part": "Part"}, {"share": "Percent"}),
        **plots.marks(tuple(PARTS.values()), "color", field="part", named=True),
    )
    return alt.LayerChart(layer=[stacked])
