"""What the pictures and the page are made of: parameters, finished runs, comparisons, papers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from topdb.config import Params, Profile, StatisticsSettings, method_files
from topdb.config.paper import Paper
from topdb.errors import UserError
from topdb.evidence.cells import Printed, printed_values
from topdb.evidence.comparing import statistics_of
from topdb.evidence.grounds import Grounds, find_grounds
from topdb.reporting.looks import Look, looks
from topdb.reporting.titles import Titles, titles_of
from topdb.results.comparisons import Comparisons
from topdb.results.runs import Cell, Run, runs
from topdb.results.scores import CellScores, read_scores
from topdb.results.snapshots import Snapshots
from topdb.results.stored import StoredRun, stored_runs

RANKINGS = {"plain": "plain", "rk": "re-ranked"}


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
    def stored(self) -> tuple[StoredRun, ...]:
        """The finished runs."""
        return stored_runs(self.profile, self.results)

    @cached_property
    def scores(self) -> dict[Cell, CellScores]:
        """The scores of the cells that have a run."""
        found = read_scores(self.profile, self.results, self.params.metrics, self.stored)
        return {cell: scores for cell, scores in found.items() if scores is not None}

    @property
    def comparisons(self) -> Comparisons:
        """What `topdb judge` found, of the whole grid.

        Raises
        ------
        UserError
            Its file was not named.
        """
        if self.given is None:
            raise UserError("this figure needs --comparisons: the file of `topdb judge`.")
        return self.given

    @cached_property
    def printed(self) -> Printed:
        """The main paper's values, of the cells that may be held against them."""
        return {
            key: value
            for paper in self.papers[:1]
            for key, value in printed_values(paper).items()
            if self.grounds.allow(key[0])
        }

    @cached_property
    def grounds(self) -> Grounds:
        """What stands against verdicts, by the runs' own records."""
        return find_grounds(self.profile, self.results, self.params.method_folders)

    def margin(self, dataset: str) -> float:
        """Return how far the main paper's value may lie from ours and count as the same."""
        return self.papers[0].margin(dataset) if self.papers else 0.0

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """How the methods of plots look, in the profile's order."""
        own = method_files(self.params.method_folders)
        return looks({method: self.name(method) for method in self.profile.methods}, [*own])

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
        return self._names.get(method) or self.titles.brief(method)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {method: self.titles.brief(method) for method in self.profile.methods}

    def snapshots(self) -> dict[str, Snapshots]:
        """Return the snapshots of the runs that the profile looks at, by method."""
        watch = self.profile.watch
        wanted = [Run(watch.dataset, method, watch.seed) for method in watch.methods]
        chosen = [each for run in wanted for each in self.stored if each.run == run]
        return {each.run.method: found for each in chosen if (found := each.snapshots())}

    def note(self) -> str:
        """Return what every figure says: whether data are drawn, the profile, what is missing."""
        warning = "Rendered data: drawn pedestrians, not comparable with the paper. "
        planned, finished = len(list(runs(self.profile))), len(self.stored)
        return (
            f"{warning if self.grounds.rendered else ''}Profile {self.profile_name}, recipe "
            f"{self.profile.recipe}."
            + (
                f" Incomplete: {planned - finished} of {planned} runs are missing."
                if finished < planned
                else ""
            )
        )
