"""The figures: one file each, found by its name.

To add one, drop a file into this folder: `my_figure.py` becomes `topdb figure my-figure`. It says
in plain literals, which the workflow's plan reads as text::

    CATEGORY = "Evidence"  # where Snakemake's report shows it
    NEEDS = "comparisons"  # or scores, histories, snapshots
    FILES = ("plots/my-figure.svg", "plots/my-figure.png")  # below reports/; the first is shown
    ORDER = 7  # its place among the plots of the page

and defines one function. A plot, which the page shows too, has `plot(evidence) -> Plot`; a sheet of
images has `draw(evidence) -> matplotlib's Figure`. Both draw what is there and say what is missing.
No list is edited. Its caption is `workflows/report/my-figure.rst`.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from topdb.config import Params, dropped_in, nearest
from topdb.config.paper import PAPERS
from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.evidence.comparing import of_paper, read_compared
from topdb.reporting.evidence import Evidence

FORMATS = (".png", ".svg", ".pdf")


def figure_names() -> list[str]:
    """Return the names of all figures."""
    return dropped_in("reporting/figures")


def plot_names() -> list[str]:
    """Return the names of the figures that are plots.

    Files are read as text: the page, which shows plots, need not wait for matplotlib.
    """
    folder = Path(__file__).parent
    files = {name: folder / f"{name.replace('-', '_')}.py" for name in figure_names()}
    return [name for name, file in files.items() if "\ndef plot(" in file.read_text("utf-8")]


def undrawable_names() -> list[str]:
    """Return the names of the figures that need matplotlib, where it is not installed."""
    if find_spec("matplotlib"):
        return []
    return [name for name in figure_names() if name not in plot_names()]


def figure(name: str) -> Any:
    """Return the module of a figure.

    Raises
    ------
    UserError
        There is none of that name.
    """
    known = figure_names()
    if name not in known:
        guess = nearest(name, known)
        raise UserError(f"there is no figure '{name}'{guess}: name one of {', '.join(known)}.")
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def files_of(name: str, reports: Path) -> list[Path]:
    """Return where a figure's files lie below the reports; the first is for the screen."""
    return [reports / file for file in figure(name).FILES]


def write_figures(evidence: Evidence, reports: Path) -> None:
    """Write every figure that can be drawn here to its place below the reports.

    Raises
    ------
    UserError
        A file that one is drawn from is broken.
    """
    left_out = undrawable_names()
    for name in figure_names():
        if name in left_out:
            continue
        draw_figure(name, evidence, files_of(name, reports))


def draw_figure(name: str, evidence: Evidence, outs: Sequence[Path]) -> None:
    """Draw a figure and write it in the format of each file's name. Equal data give equal bytes.

    Raises
    ------
    UserError
        There is no such figure or format, or a file that it is drawn from is broken.
    """
    module = figure(name)
    for path in outs:
        if path.suffix not in FORMATS:
            raise UserError(f"--out is {path}: name a file that ends in .png, .svg or .pdf.")
    if name in plot_names():
        from topdb.reporting.drawing import write_plot  # a sheet need not wait for Altair

        write_plot(module.plot(evidence), evidence.note(), outs)
    else:
        from topdb.reporting.sheets import write_sheet  # a plot need not wait for matplotlib

        write_sheet(module.draw, evidence, outs)


def write_figure(
    name: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Sequence[Path],
    outs: Sequence[Path],
    root: Path = PAPERS,
) -> None:
    """Draw one figure of finished runs; `comparisons` are the main paper's, of `topdb judge`.

    Raises
    ------
    UserError
        There is no such figure, format or folder, or a file that it is drawn from is broken.
    """
    figure(name)
    if not results.is_dir():
        raise UserError(f"{results} does not exist: name the folder of the runs with --results.")
    papers = read_papers(params, root)
    found = read_compared(comparisons, profile)
    given = of_paper(found, papers[0]) if comparisons and papers else None
    draw_figure(name, Evidence(params, profile, results, papers, given), outs)
