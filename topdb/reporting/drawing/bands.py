"""Curves of several runs: their mean, and a band from the least to the greatest."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from topdb.reporting.drawing.evidence import Evidence
from topdb.reporting.drawing.style import Look

BAND = "Line: mean over seeds. Band: from the least to the greatest."
WIDTH = 5.6
"""Inches that a legend may take beside the title."""
SAMPLE, LETTER = 0.39, 0.052
"""Inches of a line with the space around it, and of a letter of its name."""


def band(axes: Axes, x: NDArray[np.integer], runs: NDArray[np.floating], look: Look) -> None:
    """Draw curves (runs, points) over x (points,); a single run has no band."""
    if len(runs) > 1:
        axes.fill_between(
            x, runs.min(axis=0), runs.max(axis=0), color=look.colour, alpha=0.2, linewidth=0
        )
    axes.plot(x, runs.mean(axis=0), color=look.colour, linestyle=look.line)


def shared_length(runs: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return curves (runs, points) cut to the shortest, as a training that goes on has."""
    points = min(map(len, runs))
    return np.array([run[:points] for run in runs], np.float64)


def line_legend(figure: Figure, methods: Mapping[str, Look], evidence: Evidence) -> None:
    """Name the methods' lines above all panels."""
    handles = [
        Line2D([], [], color=look.colour, linestyle=look.line, label=evidence.name(method))
        for method, look in methods.items()
    ]
    letters = max(len(evidence.name(method)) for method in methods)
    columns = max(1, int(WIDTH / (SAMPLE + LETTER * letters)))
    figure.legend(handles=handles, loc="outside upper right", ncols=min(columns, len(handles)))
