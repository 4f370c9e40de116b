"""Curves of several runs: their mean, and a band from the least to the greatest."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from topdb.reporting.drawing.evidence import method_name
from topdb.reporting.drawing.style import Look

BAND = "Line: mean over seeds. Band: from the least to the greatest."


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


def line_legend(figure: Figure, methods: Mapping[str, Look]) -> None:
    """Name the methods' lines in one row above all panels."""
    handles = [
        Line2D([], [], color=look.colour, linestyle=look.line, label=method_name(method))
        for method, look in methods.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
