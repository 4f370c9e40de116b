"""What opens behind a cell of a table: its runs, and every comparison it is part of."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.errors import UserError
from topdb.files import read_json
from topdb.reporting.titles import Titles
from topdb.results.comparisons import CellComparison, Comparisons, Difference
from topdb.results.records import inner, number
from topdb.results.runs import Cell, GridRun, cells
from topdb.statistics import CellVerdict

QUANTITIES = ("mAP", "R1")

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
    for cell in cells(profile):
        names = (cell.dataset, cell.method, cell.ranking)
        found = [comparisons.cell(*names, quantity) for quantity in QUANTITIES]
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
