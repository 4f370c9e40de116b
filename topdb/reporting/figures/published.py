"""Measured against published, with the margin within which they count as the same."""

import math
from collections.abc import Sequence

import altair as alt

from topdb.evidence.answer import notice
from topdb.reporting import plots
from topdb.reporting.evidence import Evidence
from topdb.reporting.looks import CIRCLE, DOWN, SQUARE, UP, Look
from topdb.statistics import CellVerdict

CATEGORY = "Evidence"
NEEDS = "comparisons"
FILES = ("plots/published.svg", "plots/published.png")
ORDER = 4

VERDICTS = {
    CellVerdict.REPRODUCED: Look("reproduced", "var(--good)", CIRCLE),
    CellVerdict.EXCEEDS: Look("exceeds", "var(--accent)", UP),
    CellVerdict.BELOW: Look("below", "var(--bad)", DOWN),
    CellVerdict.INCONCLUSIVE: Look("inconclusive", "var(--open)", CIRCLE, hollow=True),
    CellVerdict.INCOMPLETE: Look("incomplete", "var(--muted)", SQUARE, hollow=True),
}


def plot(evidence: Evidence) -> plots.Plot:
    """One line a published method, one panel a data set, ranking and quantity."""
    found = [
        each
        for each in evidence.comparisons.cells
        if each.verdict and not math.isnan(each.published)
    ]
    rows = [
        {
            "dataset": each.dataset,
            "method": evidence.name(each.method),
            "ranking": each.ranking,
            "quantity": each.quantity,
            "estimate": plots.rounded(each.estimate),
            "low": plots.rounded(each.low),
            "high": plots.rounded(each.high),
            "one_low": plots.rounded(each.prediction_low - each.published),
            "one_high": plots.rounded(each.prediction_high - each.published),
            "from": -each.delta,
            "to": each.delta,
            "verdict": VERDICTS[CellVerdict(each.verdict)].title,
        }
        for each in found
    ]
    level = f"{100 * found[0].confidence:g} %" if found else ""
    given = {each.verdict for each in found}
    legend = tuple(look for verdict, look in VERDICTS.items() if verdict in given)
    blocks = {row["ranking"] for row in rows}
    return plots.Plot(
        title="Measured minus published",
        explained=(
            f"Thick: {level} interval of the difference of the mean; reproduced where it lies "
            "inside the band, the margin that counts as the same. Thin: where one more run would "
            "fall, 95 %; where it leaves out 0, the published run is unlike ours."
        ),
        rows=rows,
        panel=lambda own: _panel(own, evidence, legend),
        down=evidence.by_dataset,
        across={
            head: block for head, block in evidence.by_block.items() if block["ranking"] in blocks
        },
        legend=legend,
        otherwise=(
            "Nothing is compared with the paper: the images of this profile are drawn."
            if evidence.comparisons.rendered
            else notice(evidence.comparisons)
            or "The paper prints no number for any cell of this profile."
        ),
    )


def _panel(rows: plots.Rows, evidence: Evidence, legend: Sequence[Look]) -> alt.LayerChart:
    base = alt.Chart().encode(
        y=plots.lines_of_methods(rows, evidence.looks),
        tooltip=plots.tooltip(
            {"method": "Method", "verdict": "Verdict"},
            {
                "estimate": "Difference",
                "low": "Interval from",
                "high": "to",
                "one_low": "One more run from",
                "one_high": "up to",
                "to": "Margin",
            },
        ),
    )
    drawn = plots.marks(legend, "stroke", "fill", "shape", field="verdict", named=True)
    title = f"{plots.QUANTITY}difference, percentage points"
    band = base.mark_rect(color="var(--band)", opacity=0.7).encode(
        x=plots.along("from", title, zero=True), x2="to:Q"
    )
    rule = base.encode(stroke=drawn["stroke"])
    one_more = rule.mark_rule(strokeWidth=1.0).encode(x="one_low:Q", x2="one_high:Q")
    interval = rule.mark_rule(strokeWidth=3.0).encode(x="low:Q", x2="high:Q")
    point = base.mark_point(size=45, strokeWidth=1.4, opacity=1).encode(x="estimate:Q", **drawn)
    return alt.LayerChart(layer=[band, one_more, interval, point])
