"""A small grid with results and snapshots as the real steps write them, and its figures."""

from importlib import import_module
from pathlib import Path

import numpy as np
import tiny
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from topdb.config.paper import read_papers
from topdb.reporting.drawing.evidence import Evidence
from topdb.reporting.drawing.style import styled
from topdb.results.snapshots import Snapshots, write_snapshots

METHODS = ("baseline", "top-db-net")
PEOPLE = [1, 1, 2, 3, 4]


def write_results(
    results: Path, dataset: str = "market1501", seeds=(1, 2), methods=METHODS
) -> None:
    """Five queries of four people, the last without a match; the second method is better."""
    for place, method in enumerate(methods):
        for seed in seeds:
            folder = tiny.write_run(results, dataset, method, seed, epochs=3)
            base = 0.5 + 0.2 * (place % 2) + 0.02 * seed
            ap = [base, base + 0.1, base - 0.2, base + 0.05 * seed, None]
            for ranking in ("plain", "rk"):
                tiny.write_queries(folder, ap, ranking, first=[1, 3, 2, 1 + seed, 0], pids=PEOPLE)


def snapshots(epochs=(1, 2), queries: int = 2, right=(True, False, True)) -> Snapshots:
    """Maps whose greatest cell is in the row of the epoch; images of one grey each."""
    count = len(epochs)
    activation = np.full((count, queries, 6, 2), 0.1, np.float32)
    keep = np.ones((count, queries, 6), bool)
    for number, epoch in enumerate(epochs):
        activation[number, :, epoch, 0] = 1.0
        keep[number, :, epoch] = False
    shown = queries + 3
    greys = np.arange(40, 40 + 10 * shown, 10, np.uint8)
    return Snapshots(
        identity="a run",
        epochs=np.array(epochs),
        activation=activation,
        keep=keep,
        ranked=np.tile(np.arange(queries, shown), (count, queries, 1)),
        right=np.tile(np.array(right), (count, queries, 1)),
        paths=np.array([f"{number}.jpg" for number in range(shown)]),
        images=np.broadcast_to(greys[:, None, None, None], (shown, 128, 64, 3)).copy(),
    )


def write_snapshots_of(results: Path, methods=METHODS, seed: int = 1, **changes) -> None:
    for method in methods:
        folder = results / "market1501" / method / f"seed-{seed}"
        write_snapshots(folder / "snapshots.npz", snapshots(**changes))


def evidence(folder: Path, changes=None) -> Evidence:
    """The evidence of what lies under `results`, compared anew."""
    params = tiny.params(folder, changes)
    papers = read_papers(params, tiny.PAPERS)
    compared = tiny.compared(params, folder / "results")
    return Evidence(params, "tiny", folder / "results", papers, compared)


def draw(name: str, given: Evidence) -> Figure:
    """Draw a figure and lay it out."""
    with rc_context(styled()):
        figure: Figure = import_module(f"topdb.reporting.figures.{name}").draw(given)
        FigureCanvasAgg(figure).draw()
    return figure


def texts(figure: Figure) -> list[Text]:
    """Every text that can be seen; ticks beyond the ends of their axis cannot."""
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            beyond |= {
                id(label)
                for tick in axis.get_major_ticks()
                for label in (tick.label1, tick.label2)
                if not low <= tick.get_loc() <= high
            }
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in beyond
    ]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Every two level texts of which one covers part of the other."""
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in texts(figure)
        if text.get_rotation() in (0, 90)
    ]
    return [
        (one, other)
        for number, (one, box) in enumerate(boxes)
        for other, area in boxes[number + 1 :]
        if box.x0 < area.x1 - 1 and area.x0 < box.x1 - 1
        if box.y0 < area.y1 - 1 and area.y0 < box.y1 - 1
    ]


def written(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in texts(figure))
