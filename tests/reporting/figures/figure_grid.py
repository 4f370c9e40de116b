"""A small grid with results and snapshots as the real steps write them, and its figures."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import tiny
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import ImageFont

from topdb.config.papers import read_papers
from topdb.reporting.evidence import Evidence
from topdb.reporting.figures import draw_figure, figure
from topdb.reporting.plots import Plot
from topdb.reporting.sheets import styled
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
        if not (folder / "run.json").exists():
            tiny.write_run(results, "market1501", method, seed)
        write_snapshots(folder / "snapshots.npz", snapshots(**changes))


def evidence(folder: Path, changes=None) -> Evidence:
    """The evidence of what lies under `results`, compared anew."""
    params = tiny.params(folder, changes)
    papers = read_papers(params, tiny.PAPERS)
    compared = tiny.compared(params, folder / "results")
    return Evidence(params, "tiny", folder / "results", papers, compared)


def plot(name: str, given: Evidence) -> Plot:
    """What a plot shows."""
    found: Plot = figure(name).plot(given)
    return found


def rows_of(name: str, given: Evidence, **values) -> list[dict]:
    """The rows of a plot that have these values."""
    return [row for row in plot(name, given).rows if values.items() <= row.items()]


def draw(name: str, given: Evidence) -> Figure:
    """Draw a sheet of images and lay it out."""
    with rc_context(styled()):
        drawn: Figure = figure(name).draw(given)
        FigureCanvasAgg(drawn).draw()
    return drawn


@dataclass(frozen=True)
class Word:
    """A text with its box, in pixels of 1/96 inch from the upper left."""

    text: str
    size: float
    level: bool
    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: "Word") -> bool:
        across = self.left < other.right - 1 and other.left < self.right - 1
        return across and self.top < other.bottom - 1 and other.top < self.bottom - 1


@dataclass(frozen=True)
class Picture:
    """A figure as it is seen."""

    words: list[Word]
    width: float
    height: float
    marks: int
    """Symbols of a plot."""

    @property
    def written(self) -> str:
        return "\n".join(word.text for word in self.words)


def picture(name: str, given: Evidence) -> Picture:
    """Draw any figure, and find its words."""
    if hasattr(figure(name), "draw"):
        return _sheet(draw(name, given))
    with tempfile.TemporaryDirectory() as folder:
        draw_figure(name, given, [Path(folder) / "figure.svg"])
        return _svg(ElementTree.parse(Path(folder) / "figure.svg").getroot())


def _sheet(drawn: Figure) -> Picture:
    scale, tall = 96 / drawn.dpi, drawn.bbox.height
    words = []
    for text in drawn.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text.axes and text.axes.texts:
            if text not in text.axes.texts:
                continue  # a tick of an axis that is off
            box = text.get_window_extent()
            edges = (box.x0, tall - box.y1, box.x1, tall - box.y0)
            size = text.get_fontsize() * 96 / 72
            words.append(Word(text.get_text(), size, True, *(scale * edge for edge in edges)))
    return Picture(words, scale * drawn.bbox.width, scale * tall, 0)


FACE = str(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
NARROWER = 0.88
"""Letters of Arial and Liberation Sans, as parts of these."""


def _svg(root: ElementTree.Element) -> Picture:
    words: list[Word] = []
    marks = 0

    def walk(node: ElementTree.Element, x: float, y: float) -> None:
        nonlocal marks
        moved = node.get("transform", "")
        shift = re.search(r"translate\(([-\d.e]+),([-\d.e]+)\)", moved)
        x, y = (x + float(shift[1]), y + float(shift[2])) if shift else (x, y)
        tag = node.tag.rpartition("}")[2]
        marks += tag == "g" and "mark-symbol role-mark" in node.get("class", "") and len(node)
        if tag == "text" and node.get("opacity") != "0":  # such a tick has no room
            size = float(node.get("font-size", "10").removesuffix("px"))
            down = 0.0
            for line in [node, *node]:
                down += float(line.get("dy", 0))
                if line.text and line.text.strip():
                    words.append(_word(line.text, node, size, "rotate" in moved, x, y + down))
        for child in node:
            walk(child, x, y)

    walk(root, 0.0, 0.0)
    return Picture(words, float(root.get("width", 0)), float(root.get("height", 0)), marks)


def _word(text: str, node: ElementTree.Element, size: float, turned: bool, x: float, y: float):
    long = NARROWER * ImageFont.truetype(FACE, 100).getlength(text) * size / 100
    before = {"end": long, "middle": long / 2}.get(node.get("text-anchor", ""), 0.0)
    if turned:  # upwards
        return Word(
            text, size, False, x - 0.8 * size, y + before - long, x + 0.2 * size, y + before
        )
    return Word(text, size, True, x - before, y - 0.8 * size, x - before + long, y + 0.2 * size)
