"""The figures: one file each, found by its name.

To add one, drop a file into this folder. `my_figure.py` becomes `topdb figure my-figure`; it
defines one function::

    def draw(evidence: Evidence) -> Figure

which draws what is there and says what is missing. No list is edited; the workflow has a rule for
each figure in `workflows/figures.smk`.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from topdb.config import Params, dropped_in
from topdb.config.base import nearest
from topdb.errors import UserError


def figure_names() -> list[str]:
    """Return the names of all figures."""
    return dropped_in("reporting/figures")


PICTURES = ("figure2", "figure3")
"""Those made of images, which stand beside the tables; the others are plots."""


def files_of(name: str, reports: Path) -> tuple[Path, Path]:
    """Return where a figure's two files lie below the reports: for the screen, and for print."""
    if name in PICTURES:
        return reports / f"{name}.png", reports / f"{name}.pdf"
    return reports / "plots" / f"{name}.svg", reports / "plots" / f"{name}.png"


def write_figures(
    params: Params,
    profile: str,
    results: Path,
    comparisons: Path,
    published: Path,
    reports: Path,
) -> None:
    """Write every figure to its place below the reports.

    Raises
    ------
    UserError
        A file that one is drawn from is broken.
    """
    for name in figure_names():
        outs = files_of(name, reports)
        write_figure(name, params, profile, results, comparisons, published, outs)


def write_figure(
    name: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Path | None,
    published: Path,
    outs: Sequence[Path],
) -> None:
    """Draw one figure and write it to each of `outs`, in the format of the file's name.

    Equal data give equal bytes.

    Raises
    ------
    UserError
        There is no such figure or no such folder, or a file that it is drawn from is broken.
    """
    known = figure_names()
    if name not in known:
        guess = nearest(name, known)
        raise UserError(f"there is no figure '{name}'{guess}: name one of {', '.join(known)}.")
    if not results.is_dir():
        raise UserError(f"{results} does not exist: name the folder of the runs with --results.")
    # matplotlib takes a third of a second, which a look at the names need not wait for.
    from matplotlib import rc_context

    from topdb.reporting.drawing.evidence import Evidence
    from topdb.reporting.drawing.style import save, styled

    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    with rc_context(styled()):
        figure = module.draw(Evidence(params, profile, results, comparisons, published))
        save(figure, outs)
