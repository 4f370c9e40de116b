"""Forest plot: every method minus the reference method, with intervals."""

from collections.abc import Sequence

import altair as alt

from topdb.evidence.pairs import to_reference
from topdb.reporting import plots
from topdb.reporting.evidence import Evidence
from topdb.reporting.looks import Look
from topdb.results.comparisons import Difference

CATEGORY = "Evidence"
NEEDS = "comparisons"
FILES = ("plots/differences.svg", "plots/differences.png")
ORDER = 2


def plot(evidence: Evidence) -> plots.Plot:
    """One line a method, one panel a data set, ranking and quantity."""
    found = evidence.comparisons.differences
    settings = evidence.statistics
    rows = [
        {
            "dataset": each.dataset,
            "method": evidence.name(each.method),
            "ranking": each.ranking,
            "quantity": each.quantity,
            "estimate": plots.rounded(each.estimate),
            "low": plots.rounded(each.low),
            "high": plots.rounded(each.high),
            "published": plots.rounded(each.published),
            "verdict": each.verdict,
        }
        for each in found
    ]
    printed = any(row["published"] is not None for row in rows)
    return plots.Plot(
        title=f"Difference to {evidence.name(settings.reference_method)}",
        explained=(
            f"Bars: {100 * settings.confidence:g} % intervals over people and seeds. Filled: the "
            f"test over seeds has p ≤ {settings.alpha:g}, adjusted by Holm within its ranking. "
            f"Hollow: undecided, which is no evidence of equality.{_reach(evidence, found)}"
            f"{' An upright stroke is the published difference.' if printed else ''}"
        ),
        rows=rows,
        panel=lambda own: _panel(own, evidence.looks, printed),
        down=evidence.by_dataset,
        across=evidence.by_block,
        otherwise="No two methods have finished runs yet.",
    )


def _panel(rows: plots.Rows, looks: Sequence[Look], printed: bool) -> alt.LayerChart:
    base = alt.Chart().encode(
        y=plots.lines_of_methods(rows, looks),
        tooltip=plots.tooltip(
            {"method": "Method", "verdict": "Verdict"},
            {"estimate": "Difference", "low": "Interval from", "high": "to"}
            | ({"published": "Published"} if printed else {}),
        ),
    )
    interval = base.mark_rule(strokeWidth=1.8).encode(
        x=plots.along("low", f"{plots.QUANTITY}difference, percentage points", zero=True),
        x2="high:Q",
        **plots.marks(looks, "color"),
    )
    filled = plots.marks(looks, "fill")["fill"]
    point = base.mark_point(size=45, strokeWidth=1.4, opacity=1).encode(
        x="estimate:Q",
        fill=alt.condition("datum.verdict == 'undecided'", alt.value(plots.GROUND), filled),
        **plots.marks(looks, "stroke", "shape"),
    )
    stroke = base.mark_tick(color=plots.INK, thickness=1.5, height=12).encode(x="published:Q")
    return alt.LayerChart(layer=[interval, point, *([stroke] if printed else [])])


def _reach(evidence: Evidence, found: Sequence[Difference]) -> str:
    """Say so where seeds are too few for any adjusted p to reach alpha."""
    settings = evidence.statistics
    best = 1.0
    for ranking in {each.ranking for each in found}:
        reached = min(each.smallest_possible_p for each in found if each.ranking == ranking)
        family = to_reference(evidence.profile, settings, ranking, evidence.params.metrics)
        best = min(best, sum(1 for _ in family) * reached)
    few = best > settings.alpha
    return f" So few seeds cannot give an adjusted p below {best:.2f}." if few else ""
