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
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topdb.config import Params, Profile, StatisticsSettings, dropped_in, nearest
from topdb.config.paper import PAPERS, Paper, read_papers
from topdb.errors import UserError
from topdb.evidence.cells import Printed, printed_values
from topdb.evidence.comparing import of_paper, read_compared, statistics_of
from topdb.reporting.titles import Titles, titles_of
from topdb.results.comparisons import Comparisons
from topdb.results.runs import Cell, Run, runs
from topdb.results.scores import CellScores, read_scores
from topdb.results.snapshots import Snapshots, read_snapshots

if TYPE_CHECKING:
    from topdb.reporting.plots import Look

RANKINGS = {"plain": "plain", "rk": "re-ranked"}
FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Evidence:
    """What a figure is drawn from: parameters, finished runs, comparisons, published numbers."""

    params: Params
    profile_name: str
    results: Path
    papers: tuple[Paper, ...]
    """The main one first."""
    given: Comparisons | None
    """Of the whole grid."""

    @property
    def profile(self) -> Profile:
        """The profile that is drawn."""
        return self.params.selected(self.profile_name)

    @property
    def statistics(self) -> StatisticsSettings:
        """How its cells are compared."""
        if not self.papers:
            return self.params.statistics_of(self.profile_name)
        return statistics_of(self.params, self.profile_name, self.papers[0])

    @cached_property
    def titles(self) -> Titles:
        """What the methods are called."""
        return titles_of(self.params, self.profile_name, self.papers)

    @cached_property
    def scores(self) -> dict[Cell, CellScores]:
        """The scores of the cells that have a run."""
        found = read_scores(self.profile, self.results, self.params.metrics)
        return {cell: scores for cell, scores in found.items() if scores is not None}

    @property
    def comparisons(self) -> Comparisons:
        """What `topdb compare` found, of the whole grid.

        Raises
        ------
        UserError
            Its file was not named.
        """
        if self.given is None:
            raise UserError("this figure needs --comparisons: the file of `topdb compare`.")
        return self.given

    @cached_property
    def printed(self) -> Printed:
        """The main paper's values; none where data are rendered."""
        shown = self.papers[:1] if not self.profile.rendered else ()
        return {key: value for paper in shown for key, value in printed_values(paper).items()}

    def margin(self, dataset: str) -> float:
        """Return how far the main paper's value may lie from ours and count as the same."""
        return self.papers[0].margin(dataset) if self.papers else 0.0

    @cached_property
    def looks(self) -> "tuple[Look, ...]":
        """How the methods of plots look, in the profile's order."""
        from topdb.reporting.plots import looks  # a sheet of images need not wait for Altair

        return looks({method: self.name(method) for method in self.profile.methods})

    @property
    def by_dataset(self) -> dict[str, dict[str, Any]]:
        """Panels of a plot: the data sets by their titles."""
        named = {name: self.title(name) for name in self.profile.datasets}
        twice = [title for title in named.values() if list(named.values()).count(title) > 1]
        return {
            f"{title} ({name})" if title in twice else title: {"dataset": name}
            for name, title in named.items()
        }

    @property
    def by_block(self) -> dict[str, dict[str, Any]]:
        """Panels of a plot: each ranking's quantities."""
        return {
            f"{quantity}, {RANKINGS[ranking]}": {"ranking": ranking, "quantity": quantity}
            for ranking in self.profile.rankings
            for quantity in self.params.metrics
        }

    def title(self, dataset: str) -> str:
        """Return how a data set is called."""
        return self.profile.title(dataset)

    def name(self, method: str) -> str:
        """Return what the figures call a method."""
        return self.titles.brief(method)

    def snapshots(self) -> dict[str, Snapshots]:
        """Return the snapshots of the runs that the profile looks at, by method."""
        watch = self.profile.watch
        folders = {m: Run(watch.dataset, m, watch.seed).folder(self.results) for m in watch.methods}
        files = {method: folder / "snapshots.npz" for method, folder in folders.items()}
        return {method: read_snapshots(file) for method, file in files.items() if file.is_file()}

    def note(self) -> str:
        """Return what every figure says: whether data are drawn, the profile, what is missing."""
        warning = "Rendered data: drawn pedestrians, not comparable with the paper. "
        planned = list(runs(self.profile))
        missing = [run for run in planned if not (run.folder(self.results) / "run.json").is_file()]
        return (
            f"{warning if self.profile.rendered else ''}Profile {self.profile_name}, recipe "
            f"{self.profile.recipe}."
            + (
                f" Incomplete: {len(missing)} of {len(planned)} runs are missing."
                if missing
                else ""
            )
        )


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
    """Write every figure to its place below the reports.

    Raises
    ------
    UserError
        A file that one is drawn from is broken.
    """
    for name in figure_names():
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
        from topdb.reporting.plots import write_plot

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
    """Draw one figure of finished runs; `comparisons` are the main paper's, of `topdb compare`.

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
