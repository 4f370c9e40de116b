"""What a figure is drawn from: parameters, finished runs, comparisons, published numbers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from topdb.config import Params, Profile, Ranking, StatisticsSettings
from topdb.errors import UserError
from topdb.reporting.compared import Compared
from topdb.reporting.comparisons import Comparisons
from topdb.reporting.published import Published, read_paper
from topdb.reporting.records import read_history
from topdb.reporting.titles import Titles, read_titles
from topdb.reporting.wording import dataset_title
from topdb.results.runs import WHOLE, GridRun, runs
from topdb.results.snapshots import Snapshots, read_snapshots

RANKINGS = {"plain": "plain", "rk": "re-ranked"}


@dataclass(frozen=True)
class Evidence:
    """Where the numbers of a figure lie."""

    params: Params
    profile_name: str
    results: Path
    comparisons: Path | None
    published: Path

    @property
    def profile(self) -> Profile:
        """The profile that is drawn."""
        return self.params.selected(self.profile_name)

    @property
    def statistics(self) -> StatisticsSettings:
        """How its cells are compared."""
        return self.params.statistics_of(self.profile_name)

    def title(self, dataset: str) -> str:
        """Return how a data set is called; a dollar in it begins no formula."""
        return _plain(dataset_title(self.profile, dataset))

    @cached_property
    def titles(self) -> Titles:
        """What the methods are called.

        Raises
        ------
        UserError
            The file of the printed rows is missing or broken.
        """
        return read_titles(self.params, self.profile_name, self.published)

    def name(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what the figures call a method; a dollar in it begins no formula."""
        return _plain(self.titles.brief(method, ranking))

    def compared(self) -> Comparisons:
        """Return what `topdb compare` found, of the whole grid.

        Raises
        ------
        UserError
            Its file was not named, is of a part of the grid, or is broken.
        """
        if self.comparisons is None:
            raise UserError("this figure needs --comparisons: the file of `topdb compare`.")
        files = [self.comparisons]
        return Compared(self.params, self.profile_name, self.published, files).of(WHOLE)

    def printed(self) -> Published:
        """Return the paper's values; none where data are rendered."""
        folders = self.params.method_folders
        return {} if self.profile.rendered else read_paper(self.published, folders)

    def snapshots(self, method: str) -> Snapshots | None:
        """Return the snapshots of the run of a method that the profile looks at, if it is there."""
        watch = self.profile.watch
        run = GridRun(watch.dataset, method, watch.seed)
        path = run.folder(self.results) / "snapshots.npz"
        return read_snapshots(path) if path.is_file() else None

    def note(self) -> str:
        """Return what stands below every figure: whether data are drawn, profile, recipe."""
        profile = self.profile
        warning = "Rendered data: drawn pedestrians, not comparable with the paper. "
        name = f"Profile {self.profile_name}, recipe {profile.recipe}."
        return f"{warning if profile.rendered else ''}{name}"

    def missing(self) -> str:
        """Return how many runs of the grid are missing, in a sentence; nothing where none is."""
        planned = list(runs(self.profile))
        missing = [run for run in planned if not (run.folder(self.results) / "run.json").is_file()]
        if not missing:
            return ""
        return f"Incomplete: {len(missing)} of {len(planned)} runs are missing."


def _plain(text: str) -> str:
    return text.replace("$", r"\$")


def histories(evidence: Evidence, dataset: str, method: str) -> list[dict[str, list[float]]]:
    """Return the columns of `history.csv` of each finished run of a method.

    Raises
    ------
    UserError
        A file holds something other than numbers.
    """
    found = []
    for seed in evidence.profile.seeds:
        file = GridRun(dataset, method, seed).folder(evidence.results) / "history.csv"
        if not file.is_file():
            continue
        rows = read_history(file)
        columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
        found.append(columns)
    return found
