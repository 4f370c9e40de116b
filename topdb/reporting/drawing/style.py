"""The look of the figures: sizes, fonts, colours; and files that equal data make equal.

Colours are Okabe and Ito's (2008), and Tol's red, which people with any colour vision tell apart;
so many methods have further ones. Shapes and line styles say the same once more.
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
from topdb.reporting.turns import turns

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
    marker: str | tuple[int, int, int]
    line: Literal["-", "--", "-.", ":"] | tuple[float, Sequence[float]]


_LOOKS = (
    Look("#555555", "o", ":"),
    Look(ORANGE, "^", "--"),
    Look(GREEN, "s", "-."),
    Look(BLUE, "D", "-"),
    Look("#8c1030", "v", (0, (5, 1))),
    Look("#b763a5", "P", (0, (3, 1, 1, 1))),
    Look("#6a7000", ">", (0, (8, 2))),
    Look("#5a1f8a", "<", (0, (3, 1, 1, 1, 1, 1))),
    Look("#d0504a", "p", (0, (1, 1))),
    Look("#0b3a1e", "d", (0, (8, 2, 2, 2))),
    Look("#0e7f93", "h", (0, (2, 1))),
    Look("#6b4a2b", "X", (0, (5, 4))),
    Look("#5c8a3a", "*", (0, (1, 3))),
    Look("#996e83", (4, 1, 0), (0, (6, 1, 1, 1, 1, 1, 1, 1))),
    Look("#2e2341", (3, 1, 0), (0, (10, 3))),
    Look("#7a5cc8", (6, 1, 0), (0, (4, 2, 4, 2, 1, 2))),
)
"""In the order of `topdb.reporting.turns`."""


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """Return the look of each method."""
    return {method: _LOOKS[turn] for method, turn in turns(methods, len(_LOOKS)).items()}


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
