"""Training curves: loss by epoch, seeds as a band."""

import math
from collections.abc import Iterator

import altair as alt

from topdb.reporting import plots
from topdb.reporting.evidence import Evidence

CATEGORY = "Training"
NEEDS = "histories"
FILES = ("plots/training.svg", "plots/training.png")
ORDER = 6

LOSSES = {
    "loss": "Total loss",
    "global_cross_entropy": "Global stream: cross entropy",
    "global_triplet": "Global stream: triplet loss",
}
MOST_POINTS = 100
"""Of a curve; longer ones are thinned, so that the page stays small."""


def plot(evidence: Evidence) -> plots.Plot:
    """One line a method, one panel a data set and loss."""
    rows = [
        row
        for dataset in evidence.profile.datasets
        for method in evidence.profile.methods
        for row in _curves(evidence, dataset, method)
    ]
    shown = [name for name in LOSSES if any(row["loss"] == name for row in rows)]
    compared = "; the global stream's do"
    return plots.Plot(
        title="Training curves",
        explained=(
            "Line: mean over seeds. Band: from the least to the greatest. Totals add up each "
            f"method's own losses and do not compare{compared if len(shown) > 1 else ''}."
        ),
        rows=rows,
        panel=lambda own: plots.curves(
            evidence.looks,
            alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, tickMinStep=1, tickCount=5)),
            _loss(own),
            plots.tooltip({"method": "Method", "epoch": "Epoch"}, {"value": "Loss"}),
        ),
        down={LOSSES[name]: {"loss": name} for name in shown},
        across=evidence.by_dataset,
        height=120,
        otherwise="No training is finished yet.",
    )


def _curves(evidence: Evidence, dataset: str, method: str) -> Iterator[plots.Row]:
    """Yield the losses of a method's finished runs, as far as all of them are."""
    own = [each for each in evidence.stored if each.run.dataset == dataset]
    runs = [rows for each in own if each.run.method == method and (rows := each.history())]
    length = min(map(len, runs), default=0)
    for loss in LOSSES:
        for place in range(0, length, max(1, math.ceil(length / MOST_POINTS))):
            values = [run[place][loss] for run in runs if loss in run[place]]
            if not values:
                break
            # A loss that is no number makes a gap, whichever seed's it is.
            values = values if all(map(math.isfinite, values)) else [math.nan]
            yield {
                "dataset": dataset,
                "method": evidence.name(method),
                "loss": loss,
                "epoch": place + 1,
                "value": plots.rounded(sum(values) / len(values), 4),
                "low": plots.rounded(min(values), 4),
                "high": plots.rounded(max(values), 4),
            }


def _loss(rows: plots.Rows) -> alt.Y:
    """Return a logarithmic scale, with plain numbers, where values lie far apart."""
    values = [row[end] for row in rows for end in ("low", "high") if row[end] is not None]
    if plots.logarithmic(values):
        powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
        apart = max(1, len(powers) // 8)  # a diverged training spans many
        ticks = (1, 3) if apart == 1 else (1,)
        steps = [step * 10.0**power for power in powers[::apart] for step in ticks]
        shown = [step for step in steps if min(values) <= step <= max(values)]
        scale, axis = alt.Scale(type="log", nice=False), alt.Axis(values=shown, format="~g")
    else:
        scale, axis = alt.Scale(zero=False), alt.Axis(tickCount=5)
    return alt.Y("low:Q", title="loss", scale=scale, axis=axis)
