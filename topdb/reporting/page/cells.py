"""What the page says of cells and runs: what opens behind a value, claims, recipe, environment."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.errors import UserError
from topdb.files import read_json
from topdb.reporting.documents import ClaimLine
from topdb.reporting.titles import Titles
from topdb.results.comparisons import (
    CellComparison,
    ClaimComparison,
    ClaimPart,
    Comparisons,
    Difference,
)
from topdb.results.records import inner, number
from topdb.results.runs import Cell, GridRun, cells, runs
from topdb.statistics import CellVerdict

RANKS = ("1", "5", "10", "20")
"""Ranks of the CMC that `metrics.json` states."""


@dataclass(frozen=True)
class SeedRow:
    """One run of a cell; shares in percent."""

    seed: int
    mean_ap: float
    mean_inp: float
    cmc: tuple[float, ...]
    """At `RANKS`."""
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
    folder: str
    """Of the runs' scores, with a star for the seed."""


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
    for cell in cells(profile):
        names = (cell.dataset, cell.method, cell.ranking)
        found = [comparisons.cell(*names, quantity) for quantity in quantities]
        known = tuple(each for each in found if each)
        yield CellDetails(
            id=cell_id(*names),
            title=_title(profile, titles, cell),
            comparisons=known,
            differences=tuple(
                each
                for each in comparisons.differences
                if (each.dataset, each.method, each.ranking) == names
            ),
            seeds=tuple(_seeds(profile, results, cell)),
            folder=f"{cell.dataset}/{cell.method}/seed-*/{cell.ranking}",
        )


def open_cells(
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


def _seeds(profile: Profile, results: Path, cell: Cell) -> Iterator[SeedRow]:
    for seed in profile.seeds:
        run = GridRun(cell.dataset, cell.method, seed)
        path = run.metrics(results, cell.ranking)
        if not path.is_file():
            continue
        mean_ap, mean_inp, cmc = _shares(path)
        record: dict[str, Any] = {}
        if (run.folder(results) / "run.json").is_file():
            record = read_json(run.folder(results) / "run.json")
        yield SeedRow(
            seed=seed,
            mean_ap=mean_ap,
            mean_inp=mean_inp,
            cmc=cmc,
            seconds=number(inner(record, "seconds").get("train")),
            weights=str(record.get("weights_digest", ""))[:12],
        )


def _shares(path: Path) -> tuple[float, float, tuple[float, ...]]:
    """Return mAP, mINP and CMC of `metrics.json`, in percent."""
    metrics = read_json(path)
    try:
        cmc = tuple(100.0 * float(metrics["cmc"][rank]) for rank in RANKS)
        return 100.0 * float(metrics["mAP"]), 100.0 * float(metrics["mINP"]), cmc
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{path} is broken ({error!r}): run `topdb evaluate` again.") from None


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its parts in the order of the table's data sets."""

    claim: ClaimComparison
    parts: tuple[ClaimPart | None, ...]
    """None where the claim says nothing of the data set."""


@dataclass(frozen=True)
class ClaimTable:
    """All claims."""

    datasets: tuple[str, ...]
    """Titles of the data sets."""
    rows: tuple[ClaimRow, ...]


def claim_table(lines: Sequence[ClaimLine]) -> ClaimTable:
    """Return the table of claims that may be about different data sets."""
    known = [{part.dataset: part for part in line.parts} for line in lines]
    titles = {
        part.dataset: title
        for line in lines
        for part, title in zip(line.parts, line.datasets, strict=True)
    }
    rows = [
        ClaimRow(line.claim, tuple(parts.get(dataset) for dataset in titles))
        for line, parts in zip(lines, known, strict=True)
    ]
    return ClaimTable(tuple(titles.values()), tuple(rows))


_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ELSEWHERE: dict[str, Any] = {
    **dict.fromkeys(("recipe", "methods", "seeds", "rankings"), True),
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
        A record is no JSON.
    """
    paths = [run.folder(results) / "run.json" for run in runs(profile)]
    records = [read_json(path) for path in paths if path.is_file()]
    commits = {str(_git(record).get("commit")) for record in records}
    commit = commits.pop() if len(commits) == 1 else ""
    return RunFacts(
        recipe=tuple(_recipe(profile)),
        environment=tuple(_environment(records, len(paths))),
        commit=commit if _COMMIT.fullmatch(commit) else None,
    )


def _recipe(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "recipe", profile.recipe
    yield "methods", ", ".join(profile.methods)
    yield "seeds", ", ".join(map(str, profile.seeds))
    yield "rankings", ", ".join(profile.rankings)
    content = profile.model_dump(mode="json", exclude=_ELSEWHERE, exclude_none=True)
    for name, value in content.items():
        yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)


def _environment(records: list[dict[str, Any]], planned: int) -> Iterator[tuple[str, str]]:
    yield "runs", f"{len(records)} of {planned}"
    for title, values in (
        ("device", [inner(record, "environment").get("device") for record in records]),
        ("threads of a run", [inner(record, "environment").get("threads") for record in records]),
        ("commit", [_commit(record) for record in records]),
    ):
        known = sorted({str(value) for value in values if value is not None})
        if known:
            yield title, ", ".join(known)
    seconds = [
        math.fsum(each for each in map(number, inner(record, "seconds").values()) if each == each)
        for record in records
        if inner(record, "seconds")
    ]
    if seconds:
        yield "seconds of a run, mean", f"{math.fsum(seconds) / len(seconds):.1f}"
    for title, key in (
        ("peak memory of a run", "peak_memory_mib"),
        ("peak memory of a run's GPU", "peak_gpu_memory_mib"),
    ):
        memory = [each for record in records if (each := number(record.get(key))) > 0]
        if memory:
            yield title, f"{max(memory):.0f} MiB"
    versions: dict[str, set[str]] = {}
    for record in records:
        for library, version in inner(inner(record, "environment"), "versions").items():
            versions.setdefault(library, set()).add(str(version))
    for library, found in versions.items():
        yield library, ", ".join(sorted(found))


def _commit(record: dict[str, Any]) -> str | None:
    git = _git(record)
    if not git:
        return None
    return f"{git.get('commit')}{' with uncommitted changes' if git.get('dirty') else ''}"


def _git(record: dict[str, Any]) -> dict[str, Any]:
    return inner(inner(record, "environment"), "git")
