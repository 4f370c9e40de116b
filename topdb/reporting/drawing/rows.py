"""Panels side by side whose rows are methods, grouped by data set."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from topdb.config import Ranking
from topdb.reporting.drawing.evidence import RANKINGS, Evidence
from topdb.reporting.drawing.style import GRID, INK, page
from topdb.reporting.scores import QUANTITIES

ROW, CLOSEST = 0.165, 0.13
"""Inches from one row to the next, and the least, where there are many."""
TALLEST = 8.2
"""Inches that the rows may take; beyond it they stand closer."""


@dataclass(frozen=True)
class Rows:
    """Where each row stands: data sets as heads, their rows below them, downwards from 0."""

    heads: dict[str, float]
    places: dict[tuple[str, str], float]
    """By data set and the row's name."""

    @property
    def length(self) -> float:
        """Rows in all."""
        return max(self.places.values(), default=0.0) + 1.0


def grouped(groups: dict[str, Sequence[str]]) -> Rows:
    """Return rows for the names in each data set; a set without any is left out."""
    heads, places, at = {}, {}, 0.0
    for dataset, names in groups.items():
        if not names:
            continue
        heads[dataset] = at
        for number, name in enumerate(names):
            places[dataset, name] = at + 1.0 + number
        at += len(names) + 1.35
    return Rows(heads, places)


def blocks(evidence: Evidence) -> list[tuple[Ranking, str]]:
    """Return the panels from left to right: each ranking's quantities."""
    return [(ranking, name) for ranking in evidence.profile.rankings for name in QUANTITIES]


def panel_title(ranking: Ranking, quantity: str) -> str:
    """Return what stands above a panel."""
    return f"{quantity}, {RANKINGS[ranking]}"


def panels_of_rows(
    rows: Rows, titles: Sequence[str], unit: str, title: str, explained: str, evidence: Evidence
) -> tuple[Figure, list[Axes]]:
    """Return a page with one panel a title, all to one scale; the first names the rows."""
    step = min(ROW, max(CLOSEST, TALLEST / rows.length))
    figure = page(1.3 + step * rows.length, title, explained, evidence)
    columns = len(titles)
    panels: list[Axes] = list(
        figure.subplots(1, columns, sharex=True, sharey=True, squeeze=False)[0]
    )
    for axes, above in zip(panels, titles, strict=True):
        axes.set_title(above)
        axes.set_xlabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_ylim(rows.length - 0.3, -0.6)
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        for top in list(rows.heads.values())[1:]:
            axes.axhline(top - 0.6, color=GRID, linewidth=0.6)
    ticks = {at: name for (_, name), at in rows.places.items()}
    ticks |= {at: evidence.title(dataset) for dataset, at in rows.heads.items()}
    panels[0].set_yticks(list(ticks), list(ticks.values()))
    heads = set(rows.heads.values())
    for at, label in zip(ticks, panels[0].get_yticklabels(), strict=True):
        label.set(weight="bold" if at in heads else "normal", color=INK)
    return figure, panels
