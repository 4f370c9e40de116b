"""The look of the figures: sizes, fonts, colours; and files that equal data make equal.

Colours are Okabe and Ito's (2008), and Tol's red, which people with any colour vision tell apart;
shapes and line styles say the same once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from topdb.errors import UserError
from topdb.files import replacing
from topdb.reporting.drawing.evidence import Evidence

PAGE = 7.16
"""Width in inches of the text of a two-column page (IEEE), which every figure fills."""
DPI = 200
INK, PALE, GRID = "#222222", "#6b6b6b", "#dddddd"
BAND = "#dfe5ee"
"""Of the margin around a published value."""
GREEN, RED, BLUE, ORANGE, SKY = "#009E73", "#CC3311", "#0072B2", "#E69F00", "#56B4E9"

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.columnspacing": 1.3,
    "legend.handlelength": 1.9,
    "legend.handletextpad": 0.5,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "savefig.dpi": DPI,
    "svg.hashsalt": "topdb",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "image.interpolation": "none",
}
_UNDATED: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True)
class Look:
    """How one method is drawn, everywhere."""

    colour: str
    marker: str
    line: Literal["-", "--", "-.", ":"]


_LOOKS = {
    "baseline": Look("#555555", "o", ":"),
    "no-drop": Look(ORANGE, "^", "--"),
    "no-reg": Look(GREEN, "s", "-."),
    "top-db-net": Look(BLUE, "D", "-"),
}
_OTHERS = (Look("#CC79A7", "v", "--"), Look(SKY, "P", "-."), Look("#8c6d1f", "X", ":"))


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """Return the look of each method; those that are not the paper's take turns."""
    others = [method for method in methods if method not in _LOOKS]
    turns = {method: _OTHERS[turn % len(_OTHERS)] for turn, method in enumerate(others)}
    return {method: _LOOKS.get(method) or turns[method] for method in methods}


def page(height: float, title: str, explained: str, evidence: Evidence) -> Figure:
    """Return an empty figure as wide as a page: title above; explanation and note below."""
    figure = Figure(figsize=(PAGE, height), layout="constrained")
    figure.suptitle(title, x=0.005, ha="left", color=INK)
    lines = (explained, f"{evidence.note()} {evidence.missing()}".rstrip())
    figure.supxlabel("\n".join(filter(None, lines)), x=0.005, ha="left", fontsize=6.5, color=PALE)
    return figure


def remark(title: str, sentence: str, evidence: Evidence) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = page(1.1, title, "", evidence)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.0, 0.5, sentence, va="center", fontsize=8, color=INK, wrap=True)
    return figure


def save(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure in the format of each file's name, atomically, without a date.

    Raises
    ------
    UserError
        A name ends in none of .png, .svg and .pdf.
    """
    for path in paths:
        if path.suffix not in _UNDATED:
            raise UserError(f"--out is {path}: name a file that ends in .png, .svg or .pdf.")
    FigureCanvasAgg(figure)
    # The layout moves a little each time it is made: once for all files, whatever their order.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for path in paths:
        with replacing(path) as partial:
            figure.savefig(partial, format=path.suffix[1:], metadata=_UNDATED[path.suffix])


def styled() -> dict[Any, Any]:
    """Return matplotlib's own settings with ours, so that nobody else's change a figure.

    The backend is left alone: asking for it imports pyplot.
    """
    defaults = mpl.rcParamsDefault
    own = {name: defaults[name] for name in defaults if name != "backend"}
    return {**own, **STYLE}
