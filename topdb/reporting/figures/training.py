"""Training curves: loss by epoch, seeds as a band."""

import math
from collections.abc import Iterator, Sequence

import altair as alt

from topdb.reporting import plots
from topdb.reporting.evidence import Evidence

CATEGORY = "Training"
NEEDS = "histories"
FILES = ("plots/training.svg", "plots/training.png")
ORDER = 6

LOSSES = {
    "global_cross_entropy": ("Global stream: cross entropy", "cross entropy"),
    "global_triplet": ("Global stream: triplet loss", "triplet loss"),
    "loss": ("Total loss, in percent of the first epoch's", "total loss, % of first"),
}
"""By their name in a history: the heading, and what an axis calls them. Totals add up each method's
own losses, two of one and six of another: they stand as shares of their first."""
MOST_POINTS = 100
"""Of a curve; longer ones are thinned, so that the page stays small."""


def plot(evidence: Evidence) -> plots.Plot:
    """One line a method, one panel a data set and loss."""
    rows = [
        row
        for dataset in evidence.profile.datasets
        for turn, method in enumerate(evidence.profile.methods)
        for row in _curves(evidence, dataset, method, turn)
    ]
    shown = [name for name in LOSSES if any(row["loss"] == name for row in rows)]
    values = {
        name: [row[end] for row in rows if row["loss"] == name for end in ("low", "high")]
        for name in shown
    }
    return plots.Plot(
        title="Training curves",
        explained=(
            "Line: mean over seeds. Band: from the least to the greatest. "
            f"{_compared(evidence, rows)}"
        ),
        rows=rows,
        panel=lambda own: plots.curves(
            evidence.looks,
            alt.X(
                "epoch:Q",
                title="epoch",
                axis=alt.Axis(grid=False, tickMinStep=1, tickCount=5),
                scale=alt.Scale(zero=False, nice=False),
            ),
            _loss(own[0]["loss"], values[own[0]["loss"]]),
            plots.tooltip({"method": "Method", "epoch": "Epoch"}, {"value": "Loss"}),
        ),
        down={LOSSES[name][0]: {"loss": name} for name in shown},
        across=evidence.by_dataset,
        height=120,
        key=evidence.looks,
        otherwise="No training is finished yet.",
    )


def _compared(evidence: Evidence, rows: plots.Rows) -> str:
    """Say which methods the losses of one stream compare, and what totals say."""
    streams = {row["method"] for row in rows if row["loss"] != "loss"}
    names = [evidence.name(method) for method in evidence.profile.methods]
    compared = [name for name in names if name in streams]
    totals = "Totals add up different losses: they show how far a training came, and rank nothing."
    if not compared or len(compared) == len(names):
        return totals
    return f"The global stream's losses are those of {_listed(compared)}. {totals}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _curves(evidence: Evidence, dataset: str, method: str, turn: int) -> Iterator[plots.Row]:
    """Yield the losses of a method's finished runs, as far as all of them are."""
    own = [each for each in evidence.stored if each.run.dataset == dataset]
    runs = [rows for each in own if each.run.method == method and (rows := each.history())]
    length = min(map(len, runs), default=0)
    places = range(0, length, max(1, math.ceil(length / MOST_POINTS)))
    for loss in LOSSES:
        for count, place in enumerate(places):
            values = [
                _shown(run[place][loss], run[0][loss], loss) for run in runs if loss in run[place]
            ]
            if not values:
                break
            # A loss that is no number makes a gap, whichever seed's it is.
            values = values if all(map(math.isfinite, values)) else [math.nan]
            row = {
                "dataset": dataset,
                "method": evidence.name(method),
                "loss": loss,
                "epoch": place + 1,
                "value": plots.rounded(sum(values) / len(values), 4),
                "low": plots.rounded(min(values), 4),
                "high": plots.rounded(max(values), 4),
            }
            symbol = plots.has_symbol(count, turn, len(places))
            yield {**row, "symbol": True} if symbol else row


def _shown(value: float, first: float, loss: str) -> float:
    """Return a loss as it is drawn: a total as a share of its first, which is no number of 0."""
    if loss != "loss":
        return value
    return 100.0 * value / first if first else math.nan


def _loss(name: str, every: Sequence[float | None]) -> alt.Y:
    """Return a logarithmic scale, with plain numbers, where a loss's values lie far apart."""
    values = [value for value in every if value is not None]
    if plots.logarithmic(values):
        powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
        apart = max(1, len(powers) // 8)  # a diverged training spans many
        ticks = (1, 3) if apart == 1 else (1,)
        steps = [step * 10.0**power for power in powers[::apart] for step in ticks]
        shown = [step for step in steps if min(values) <= step <= max(values)]
        scale, axis = alt.Scale(type="log", nice=False), alt.Axis(values=shown, format="~g")
    else:
        scale, axis = alt.Scale(zero=False), alt.Axis(tickCount=5)
    return alt.Y("low:Q", title=LOSSES[name][1], scale=scale, axis=axis)
