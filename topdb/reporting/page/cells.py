"""What the page says of cells and runs: what opens behind a value, recipe, environment."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.metrics import metrics
from topdb.reporting.departures import followed
from topdb.reporting.titles import Titles
from topdb.results.comparisons import (
    CellComparison,
    Comparisons,
    Difference,
)
from topdb.results.evaluation import Summary
from topdb.results.provenance import together
from topdb.results.records import RunRecord, inner
from topdb.results.runs import Cell, cells, runs
from topdb.results.stored import StoredRun, evaluations, stored_runs
from topdb.statistics import CellVerdict


@dataclass(frozen=True)
class SeedRow:
    """One run of a cell."""

    seed: int
    scores: tuple[float, ...]
    """In percent, of the metrics that any run of the cell has."""
    seconds: float
    """Of training; NaN where the run does not tell."""
    weights: str
    """First digits of the digest of its weights."""


@dataclass(frozen=True)
class CellDetails:
    """All of a cell, both quantities."""

    id: str
    title: str
    comparisons: tuple[CellComparison, ...]
    differences: tuple[Difference, ...]
    """To the reference method; none of that method itself."""
    seeds: tuple[SeedRow, ...]
    scored: tuple[str, ...]
    """Titles of the metrics that any run has."""
    folder: str
    """Of the runs' scores, with a star for the seed."""

    @property
    def timed(self) -> bool:
        """Whether any run tells how long its training took."""
        return any(not math.isnan(each.seconds) for each in self.seeds)


def cell_id(dataset: str, method: str, ranking: str) -> str:
    """Return the name by which the tables' buttons find a cell's details."""
    return f"cell-{dataset}-{method}-{ranking}"


def details(
    profile: Profile, results: Path, comparisons: Comparisons, titles: Titles
) -> Iterator[CellDetails]:
    """Yield the details of each cell that has a run or a verdict.

    Raises
    ------
    UserError
        A run's file is broken.
    """
    quantities = list(dict.fromkeys(each.quantity for each in comparisons.cells))
    scored: dict[Cell, list[tuple[StoredRun, Summary]]] = {}
    for stored, ranking, summary in evaluations(stored_runs(profile, results), profile.rankings):
        own = Cell(stored.run.dataset, stored.run.method, ranking)
        scored.setdefault(own, []).append((stored, summary))
    for cell in cells(profile):
        names = (cell.dataset, cell.method, cell.ranking)
        found = [comparisons.cell(*names, quantity) for quantity in quantities]
        known = tuple(each for each in found if each)
        runs = scored.get(cell, [])
        shown = [
            each for each in metrics().values() if any(each.name in s.metrics for _, s in runs)
        ]
        yield CellDetails(
            id=cell_id(*names),
            title=_title(profile, titles, cell),
            comparisons=known,
            differences=tuple(
                each
                for each in comparisons.differences
                if (each.dataset, each.method, each.ranking) == names
            ),
            seeds=tuple(
                _seed(stored, told, [each.name for each in shown]) for stored, told in runs
            ),
            scored=tuple(each.title for each in shown),
            folder=f"{cell.dataset}/{cell.method}/seed-*/{cell.ranking}",
        )


def undecided(
    profile: Profile, comparisons: Comparisons, titles: Titles
) -> tuple[tuple[str, CellComparison], ...]:
    """Return the cells that more runs would settle, with their titles; the nearest first."""
    found = [
        each
        for each in comparisons.cells
        if each.verdict in (CellVerdict.INCONCLUSIVE, CellVerdict.INCOMPLETE)
    ]
    found.sort(key=lambda each: each.seeds_to_settle or math.inf)
    return tuple(
        (_title(profile, titles, Cell(each.dataset, each.method, each.ranking)), each)
        for each in found
    )


def _title(profile: Profile, titles: Titles, cell: Cell) -> str:
    return f"{titles.of(cell.method, cell.ranking)} on {profile.title(cell.dataset)}"


def _seed(stored: StoredRun, summary: Summary, names: Sequence[str]) -> SeedRow:
    return SeedRow(
        seed=stored.run.seed,
        scores=tuple(100.0 * summary.metrics.get(name, math.nan) for name in names),
        seconds=stored.record.seconds.get("train", math.nan),
        weights=(stored.record.weights_digest or "")[:12],
    )


_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ELSEWHERE: dict[str, Any] = {
    **dict.fromkeys(("heading", "recipe", "methods", "seeds", "rankings"), True),
    **dict.fromkeys(("datasets", "weights", "snapshots", "resources"), True),
    "start": {"dataset"},
}
"""What a profile holds that is not among the parameters of the recipe, or is told on its own."""
Facts = tuple[tuple[str, str], ...]
"""Names with their values, as a reader sees both."""


@dataclass(frozen=True)
class RunFacts:
    """What the runs were made with."""

    recipe: Facts
    environment: Facts
    commit: str | None
    """None outside a git checkout, where runs differ, or where it is no digest: it is a word of a
    command that readers copy."""


def run_facts(profile: Profile, results: Path) -> RunFacts:
    """Read every finished run's record.

    Raises
    ------
    UserError
        A record is broken.
    """
    planned = list(runs(profile))
    records = [stored.record for stored in stored_runs(profile, results)]
    commits = {record.code.commit or "" for record in records}
    commit = commits.pop() if len(commits) == 1 else ""
    return RunFacts(
        recipe=tuple(_recipe(profile, records)),
        environment=tuple(_environment(records, len(planned))),
        commit=commit if _COMMIT.fullmatch(commit) else None,
    )


def _recipe(profile: Profile, records: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    """Yield the grid as the profile has it, and the parameters as the runs were made with."""
    yield "recipe", followed(profile, records)
    yield "methods", ", ".join(profile.methods)
    yield "seeds", ", ".join(map(str, profile.seeds))
    yield "rankings", ", ".join(profile.rankings)
    content = profile.model_dump(mode="json", exclude=_ELSEWHERE, exclude_none=True)
    changes = content.pop("changes", {})
    told: dict[str, dict[str, None]] = {}
    for record in records:
        own = {"scale": record.scale, "start": record.start or {}}
        own["hardware"] = inner(record.content, "hardware")
        own["start"] = {key: own["start"][key] for key in own["start"] if key != "dataset"}
        for name, value in _flat_parts(own):
            told.setdefault(name, {})[value] = None
    for name, value in _flat_parts(content):
        yield name, "; ".join(told.get(name, (value,)))
    made = [record for record in records if "changed" in record.content]
    for sentence in dict.fromkeys(each for record in made for each in record.recipe.changes):
        yield "changed", sentence
    if not made:
        yield from _flat_parts({"changes": changes})


def _flat_parts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if value is not None:
            yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, "–" if value is None else str(value)


def _environment(records: list[RunRecord], planned: int) -> Iterator[tuple[str, str]]:
    digest, told = together((record.method, record.code) for record in records)
    yield "runs", f"{len(records)} of {planned}"
    for title, values in (
        ("device", {record.device for record in records}),
        ("threads of a run", {str(record.threads) for record in records}),
        ("vector instructions", _surroundings(records, "vectors")),
        ("variables", _surroundings(records, "variables")),
        ("code", {f"digest {digest[:16]}; {told}"} if records else set()),
    ):
        if values:
            yield title, ", ".join(sorted(values))
    seconds = [
        math.fsum(each for each in record.seconds.values() if each == each)
        for record in records
        if record.seconds
    ]
    if seconds:
        yield "seconds of a run, mean", f"{math.fsum(seconds) / len(seconds):.1f}"
    for title, memory in (
        ("peak memory of a run", [record.peak_memory_mib for record in records]),
        ("peak memory of a run's GPU", [record.peak_gpu_memory_mib for record in records]),
    ):
        known = [each for each in memory if each > 0]
        if known:
            yield title, f"{max(known):.0f} MiB"
    versions: dict[str, set[str]] = {}
    for record in records:
        for library, version in record.versions.items():
            versions.setdefault(library, set()).add(version)
    for library, found in versions.items():
        yield library, ", ".join(sorted(found))


def _surroundings(records: list[RunRecord], key: str) -> set[str]:
    """Return what runs say of a part of their environment, as text; nothing where they do not."""
    found = [inner(record.content, "environment").get(key) for record in records]
    texts = [
        ", ".join(f"{name}={each}" for name, each in value.items())
        if isinstance(value, dict)
        else str(value)
        for value in found
        if value
    ]
    return set(texts)
