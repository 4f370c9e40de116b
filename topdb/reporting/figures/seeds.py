"""Every seed of every cell as a mark, with the mean, and the published value where it compares."""

import altair as alt

from topdb.reporting import plots
from topdb.reporting.evidence import Evidence
from topdb.results.runs import cells

CATEGORY = "Scores"
NEEDS = "scores"
FILES = ("plots/seeds.svg", "plots/seeds.png")
ORDER = 1


def plot(evidence: Evidence) -> plots.Plot:
    """One line a method, one panel a data set and quantity; the rankings below each other."""
    rows = []
    for cell in cells(evidence.profile):
        for quantity in evidence.params.metrics:
            scores, printed = evidence.scores.get(cell), evidence.printed.get((cell, quantity))
            margin = evidence.margin(cell.dataset)
            seeds = zip(scores.seeds, scores.by_seed(quantity), strict=True) if scores else ()
            shown: list[tuple[int | None, float | None]] = [
                (seed, plots.rounded(value)) for seed, value in seeds
            ]
            for seed, value in shown or [(None, None)] * bool(printed):
                row = {
                    "dataset": cell.dataset,
                    "method": evidence.name(cell.method),
                    "ranking": cell.ranking,
                    "quantity": quantity,
                    "seed": seed,
                    "value": value,
                }
                if printed:
                    row["published"] = printed.value
                    row["low"], row["high"] = printed.value - margin, printed.value + margin
                rows.append(row)
    printed_any = any("published" in row for row in rows)
    return plots.Plot(
        title="Every seed of every cell",
        explained=(
            "A mark is a run, hollow where it is re-ranked; the stroke is the mean over seeds. "
            "What lies within the spread of a method's own marks is no difference between methods."
            + (" Grey: the published value, and the margin that counts as the same." * printed_any)
        ),
        rows=rows if evidence.scores else [],
        panel=lambda own: _panel(own, evidence, printed_any),
        down={f"{quantity}, %": {"quantity": quantity} for quantity in evidence.params.metrics},
        across=evidence.by_dataset,
        shared=(),
        line=24.0,
        otherwise="No run is evaluated yet.",
    )


def _panel(rows: plots.Rows, evidence: Evidence, printed: bool) -> alt.LayerChart:
    base = alt.Chart().encode(
        y=plots.lines_of_methods(rows, evidence.looks),
        yOffset=alt.YOffset("ranking:N", scale=alt.Scale(domain=list(evidence.profile.rankings))),
    )
    value = plots.along("value", f"{plots.QUANTITY}in percent", zero=False, padding=8)
    filled = plots.marks(evidence.looks, "fill")["fill"]
    run = base.mark_point(size=26, strokeWidth=1.1, opacity=0.8).encode(
        x=value,
        fill=alt.condition("datum.ranking == 'rk'", alt.value(plots.GROUND), filled),
        tooltip=plots.tooltip({"method": "Method", "seed": "Seed"}, {"value": "Percent"}),
        **plots.marks(evidence.looks, "stroke", "shape"),
    )
    mean = base.mark_tick(color=plots.INK, thickness=1.4).encode(x="mean(value):Q")
    margin = base.mark_rect(color="var(--band)").encode(x="min(low):Q", x2="max(high):Q")
    stroke = base.mark_tick(color=plots.MUTED, thickness=1.0).encode(x="mean(published):Q")
    return alt.LayerChart(layer=[*([margin, stroke] if printed else []), run, mean])
