"""Sheets of small images in inches, by matplotlib: maps, dropped rows, frames of right, wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from topdb.files import replacing
from topdb.reporting.evidence import Evidence

PAGE = 7.16
"""Width in inches of the text of a two-column page (IEEE), which every sheet fills."""
HEAD, FOOT = 0.5, 0.46
"""Inches that title and column heads, and the note, take."""
INK, PALE, GRID = "#222222", "#6b6b6b", "#dddddd"
GREEN, RED = "#009E73", "#CC3311"
"""Okabe and Ito's (2008), and Tol's: told apart with any colour vision."""
MAP_COLOURS = "inferno"
RIGHT, WRONG = "✓", "✗"
LINE = 1.4
"""Points of a frame's line."""
OUTSIDE = 0.022
"""Inches from an image's edge to the middle of its frame's line: more than half of the line."""
MARK = 0.14
"""Inches that a mark takes above a frame."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "savefig.dpi": 200,
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
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A place on a sheet, in inches from its left and upper edge."""

    left: float
    top: float
    width: float
    height: float


def write_sheet(
    draw: Callable[[Evidence], Figure], evidence: Evidence, paths: Sequence[Path]
) -> None:
    """Draw a sheet, and write it in the format of each file's name, atomically, without a date."""
    with mpl.rc_context(styled()):
        figure = draw(evidence)
        FigureCanvasAgg(figure)
        for path in paths:
            with replacing(path) as partial:
                figure.savefig(partial, format=path.suffix[1:], metadata=_UNDATED[path.suffix])


def styled() -> dict[Any, Any]:
    """Return matplotlib's own settings with ours, so that nobody else's change a sheet.

    The backend is left alone: asking for it imports pyplot.
    """
    defaults = mpl.rcParamsDefault
    own = {name: defaults[name] for name in defaults if name != "backend"}
    return {**own, **STYLE}


def sheet(height: float, title: str, explained: str, evidence: Evidence) -> tuple[Figure, Axes]:
    """Return a figure as wide as a page whose one panel is measured in inches, y downwards."""
    figure = Figure(figsize=(PAGE, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, PAGE), ylim=(height, 0))
    axes.text(0.04, 0.16, title, fontsize=9, weight="bold", color=INK, va="center")
    note = f"{explained}\n{evidence.note()}".strip()
    axes.text(0.04, height - 0.04, note, fontsize=6.5, color=PALE, va="bottom", linespacing=1.35)
    return figure, axes


def empty_sheet(title: str, evidence: Evidence) -> Figure:
    """Return a sheet that says that there is nothing to draw."""
    sentence = "No run that the profile looks at has kept snapshots yet."
    figure, axes = sheet(1.1, title, "", evidence)
    axes.text(0.04, 0.55, sentence, va="center", fontsize=8, color=INK)
    return figure


def plain(text: str) -> str:
    """Return a text in which a dollar begins no formula."""
    return text.replace("$", r"\$")


def place(axes: Axes, image: NDArray[np.generic], box: Box) -> None:
    """Put an image (H, W, 3) into a box."""
    edges = (box.left, box.left + box.width, box.top + box.height, box.top)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(image, extent=edges, aspect="auto", interpolation="antialiased")
    axes.set(xlim=limits[0], ylim=limits[1])


def write(axes: Axes, x: float, y: float, text: str, **changes: Any) -> None:
    """Write a small centred word at a point of the sheet."""
    chosen = {"fontsize": 6.5, "color": PALE, "ha": "center", "va": "center", **changes}
    axes.text(x, y, text, **chosen)


def with_map(image: Image, activation: NDArray[np.floating]) -> Image:
    """Return a grey image (H, W, 3) under its map (h, w), from the map's least to its greatest.

    The map is enlarged bilinearly, its cells' centres where the network saw them.
    """
    height, width = image.shape[:2]
    grey = image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255.0
    low, high = float(activation.min()), float(activation.max())
    scaled = (activation - low) / (high - low) if high > low else np.zeros_like(activation)
    colours = mpl.colormaps[MAP_COLOURS](_enlarged(scaled, height, width))[:, :, :3]
    mixed = 0.35 * grey[:, :, None] + 0.65 * colours
    return np.asarray((255.0 * mixed).round(), np.uint8)


def with_dropped(image: Image, keep: NDArray[np.bool_]) -> Image:
    """Return an image (H, W, 3) with the rows of the map that are not kept (h,) painted black."""
    height = len(image)
    rows = np.arange(height) * len(keep) // height
    return np.where(keep[rows][:, None, None], image, np.uint8(0))


def frame(axes: Axes, box: Box, right: bool) -> None:
    """Frame a ranked image and mark it: right green, solid, ticked; wrong red, dashed, crossed.

    Frame and mark cover nothing of the image: the mark takes `MARK` inches above the frame.
    """
    colour = GREEN if right else RED
    axes.add_patch(
        Rectangle(
            (box.left - OUTSIDE, box.top - OUTSIDE),
            box.width + 2 * OUTSIDE,
            box.height + 2 * OUTSIDE,
            fill=False,
            edgecolor=colour,
            linewidth=LINE,
            linestyle="-" if right else (0, (2.2, 1.2)),
        )
    )
    above = box.top - OUTSIDE - MARK / 2
    mark = RIGHT if right else WRONG
    write(axes, box.left + box.width / 2, above, mark, fontsize=8, weight="bold", color=colour)


def _enlarged(values: NDArray[np.floating], height: int, width: int) -> NDArray[np.float64]:
    """Enlarge a map bilinearly, its border cells held beyond their centres."""
    enlarged = np.asarray(values, np.float64)
    for axis, size in ((0, height), (1, width)):
        cells = enlarged.shape[axis]
        centre = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
        low = np.minimum(centre.astype(int), max(cells - 2, 0))
        high = np.minimum(low + 1, cells - 1)
        shape = [1, 1]
        shape[axis] = size
        share = (centre - low).reshape(shape)
        enlarged = enlarged.take(low, axis) * (1 - share) + enlarged.take(high, axis) * share
    return enlarged
