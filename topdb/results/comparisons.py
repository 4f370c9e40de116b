"""`comparisons/<table>.parquet`: one row a statistical comparison, of five kinds.

All numbers are in percentage points; a missing number is NaN here and null in the file, and so
is a missing count of seeds None and null. docs/files.md tells the kinds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa

from topdb.config import Ranking
from topdb.errors import UserError
from topdb.results.seals import KEY, read_sealed_table, write_sealed_table


@dataclass(frozen=True, kw_only=True)
class CellComparison:
    """Our runs of a cell against the number that the paper prints for it."""

    dataset: str
    method: str
    ranking: Ranking
    quantity: str
    seeds: int
    """Finished runs."""
    planned_seeds: int
    mean: float
    sd: float
    published: float = math.nan
    """As printed; NaN where the paper prints none, or where the verdict is withheld."""
    owner: str = ""
    """Whose method it is, an `Owner`; empty where the paper prints nothing."""
    estimate: float = math.nan
    """Mean minus published."""
    low: float = math.nan
    high: float = math.nan
    """The two-sided interval of the estimate that the two one-sided tests look at."""
    confidence: float
    """Of that interval: 1 - 2 alpha, where alpha is the level of this look."""
    delta: float
    p: float = math.nan
    """Of the two one-sided tests (TOST) of equivalence."""
    prediction_low: float = math.nan
    prediction_high: float = math.nan
    """Where one more run of ours would fall, 95 %, rounding included."""
    verdict: str = ""
    """A `CellVerdict`; empty where nothing is compared with the paper."""
    withheld: str = ""
    """Why a printed cell has no verdict, a sentence; empty where it has one."""
    reason: str
    seeds_to_settle: int | None = None
    """Seeds of a new grid that would settle an INCONCLUSIVE cell."""
    smallest_delta: float = math.nan
    """The smallest margin that would give REPRODUCED. Margins were fixed before the runs."""
    if_best_of_3: str = ""
    if_best_of_5: str = ""
    """The verdict if the printed number is the best of so many runs."""
    false_alarm: float = math.nan
    """Chance of a BELOW or EXCEEDS if the cell is truly the same."""
    unstable: str = ""
    """Which runs are unlike the others: `one of 5 runs collapsed`."""
    extended: str = ""
    """Whether seeds were added or replaced: `extended from 5 to 12 seeds`."""


@dataclass(frozen=True)
class Difference:
    """A method minus the reference method, in one data set and ranking."""

    dataset: str
    method: str
    ranking: Ranking
    reference: str
    reference_ranking: Ranking
    quantity: str
    seeds: int
    reference_seeds: int
    estimate: float
    low: float
    high: float
    confidence: float
    seed_share: float
    """Share of the estimate's variance that more seeds would lower; the three add up to 1."""
    people_share: float
    interaction_share: float
    standard_error: float
    degrees_of_freedom: float
    test: str
    p: float
    smallest_possible_p: float
    """What so few seeds can show at the best, before adjustment."""
    adjusted_p: float
    """Holm over all differences of the same ranking, those whose runs are missing among them."""
    verdict: str
    """`higher` or `lower` where the adjusted p is at most alpha, else `undecided`."""
    published: float
    """The same difference between the paper's numbers; NaN as in `CellComparison`."""


@dataclass(frozen=True)
class ClaimComparison:
    """A claim over all its data sets: `method` is claimed to be better than `reference`."""

    id: str
    title: str
    source: str
    family: str
    method: str
    ranking: Ranking
    reference: str
    reference_ranking: Ranking
    quantity: str
    datasets: str
    """Names, separated by spaces; each has a `ClaimPart`."""
    test: str
    p: float
    """The largest of the parts' (intersection-union); NaN where runs are missing."""
    adjusted_p: float
    """Hommel over the family."""
    p_against: float
    """The smallest of the parts' p against it times their number."""
    adjusted_p_against: float
    """Hommel over the family."""
    smallest_possible_p: float
    smallest_adjusted_p: float
    """The smallest adjusted p that the family's seeds can reach."""
    alpha: float
    """Level of this look: of both adjusted p."""
    estimate: float
    low: float
    high: float
    confidence: float
    """The mean difference over its data sets with its interval; NaN where there is one data set, or
    where runs are missing."""
    extended: str
    """As of `CellComparison`."""
    verdict: str
    """A `ClaimVerdict`."""
    withheld: str
    """Why it says nothing about the paper, a sentence; empty where it does."""
    reason: str


@dataclass(frozen=True)
class ClaimPart:
    """One data set's part in a claim; the test is one-sided."""

    id: str
    dataset: str
    method: str
    ranking: Ranking
    reference: str
    reference_ranking: Ranking
    quantity: str
    seeds: int
    reference_seeds: int
    estimate: float
    low: float
    high: float
    confidence: float
    seed_share: float
    people_share: float
    interaction_share: float
    standard_error: float
    degrees_of_freedom: float
    test: str
    p: float
    """The larger of the p over seeds and of the p over seeds and people."""
    p_over_seeds: float
    p_two_way: float
    p_against: float
    """That the smallest advantage that counts is not reached, over seeds and people."""
    smallest_possible_p: float
    unstable: str
    """Which runs of either method are unlike the others."""
    verdict: str
    """`for` where the interval lies above 0, `against` where below, else `open`."""
    published: float


@dataclass(frozen=True)
class OneSeedPart:
    """A claim on one data set in a profile of one seed: it is about two checkpoints alone."""

    id: str
    """Of the claim that they would belong to."""
    dataset: str
    method: str
    ranking: Ranking
    seed: int
    reference: str
    reference_ranking: Ranking
    reference_seed: int
    quantity: str
    estimate: float
    test: str
    p: float
    people: int
    scope: str
    """`these checkpoints, not these methods`: to be printed beside p."""


@dataclass(frozen=True)
class Comparisons:
    """The content of such a file."""

    profile: str
    rendered: bool
    """Whether any data are drawn: no cell is then compared with the paper."""
    paper: str = ""
    tables: tuple[str, ...] = ()
    """Of the paper, whose methods are compared: differences to the reference method are a family
    within their table."""
    planned: tuple[int, ...] = ()
    """Seeds that the grid was first planned with; none where nobody recorded them."""
    cells: tuple[CellComparison, ...] = ()
    differences: tuple[Difference, ...] = ()
    claims: tuple[ClaimComparison, ...] = ()
    claim_parts: tuple[ClaimPart, ...] = ()
    one_seed_parts: tuple[OneSeedPart, ...] = ()

    def cell(
        self, dataset: str, method: str, ranking: Ranking, quantity: str
    ) -> CellComparison | None:
        """Return a cell's comparison, or None where the profile has no such cell."""
        wanted = (dataset, method, ranking, quantity)
        for each in self.cells:
            if (each.dataset, each.method, each.ranking, each.quantity) == wanted:
                return each
        return None

    def parts(self, claim: str) -> tuple[ClaimPart, ...]:
        """Return the parts of the claim of that id, in the order of its data sets."""
        return tuple(part for part in self.claim_parts if part.id == claim)


Row = CellComparison | Difference | ClaimComparison | ClaimPart | OneSeedPart
KINDS: dict[str, type[Row]] = {
    "cell": CellComparison,
    "difference": Difference,
    "claim": ClaimComparison,
    "claim_part": ClaimPart,
    "one_seed_part": OneSeedPart,
}
"""By the value of the column `kind`; the file has the columns of all of them."""
_KEYS = ("id", "dataset", "method", "ranking", "reference", "reference_ranking", "quantity")
"""What tells rows of one kind apart."""
_METADATA = {"profile", "rendered", "paper", "tables", "planned", KEY}
_FIELDS = {
    "cell": "cells",
    "difference": "differences",
    "claim": "claims",
    "claim_part": "claim_parts",
    "one_seed_part": "one_seed_parts",
}


def gathered(tables: Sequence[Comparisons]) -> Comparisons:
    """Return the comparisons of a paper over some of its tables: each row once.

    Where tables share a row, that of the table with the most cells counts, since a family of
    differences is whole there; among equals the later table's.
    """
    ordered = sorted(tables, key=lambda each: len(each.cells))[::-1]
    rows: dict[str, dict[tuple[object, ...], Row]] = {name: {} for name in _FIELDS.values()}
    for each in ordered:
        for kind, name in _FIELDS.items():
            keys = [key for key in _KEYS if key in KINDS[kind].__dataclass_fields__]
            for row in getattr(each, name):
                rows[name].setdefault(tuple(getattr(row, key) for key in keys), row)
    content: dict[str, Any] = {name: tuple(found.values()) for name, found in rows.items()}
    first = ordered[0]
    names = tuple(name for each in tables for name in each.tables)
    return replace(first, tables=names, **content)


def write_comparisons(comparisons: Comparisons, path: Path) -> None:
    """Write a table's comparisons."""
    rows = [
        {"kind": kind, **_nulls(asdict(row))}
        for kind, name in _FIELDS.items()
        for row in getattr(comparisons, name)
    ]
    metadata = {
        "profile": comparisons.profile,
        "rendered": str(comparisons.rendered).lower(),
        "paper": comparisons.paper,
        "tables": " ".join(comparisons.tables),
        "planned": " ".join(map(str, comparisons.planned)),
    }
    columns = [(name, pa.type_for_alias(alias)) for name, alias in _columns()]
    write_sealed_table(path, pa.Table.from_pylist(rows, pa.schema(columns, metadata)))


def read_comparisons(path: Path, profile: str) -> Comparisons:
    """Read the comparisons of a profile.

    Raises
    ------
    UserError
        The file is missing or broken, was changed, or is of another profile or version.
    """
    try:
        table, _ = read_sealed_table(path, "run `topdb judge` again.")
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}): run `topdb judge` first.") from None
    raw = table.schema.metadata or {}
    metadata = {key.decode(): value.decode() for key, value in raw.items()}
    columns = [(field.name, str(field.type)) for field in table.schema]
    if columns != list(_columns()) or not metadata.keys() >= _METADATA:
        raise UserError(f"{path} was written by another version of topdb: run `topdb judge` again.")
    if metadata["profile"] != profile:
        raise UserError(
            f"{path} compares the runs of profile {metadata['profile']}, not of {profile}: run "
            f"`topdb judge --profile {profile}`."
        )
    found: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for row in table.to_pylist():
        kind = row.pop("kind")
        if kind not in KINDS:
            raise UserError(f"{path} has a row of kind {kind!r}: run `topdb judge` again.")
        found[kind].append(_row(KINDS[kind], row))
    content: dict[str, Any] = {_FIELDS[kind]: tuple(rows) for kind, rows in found.items()}
    return Comparisons(
        profile=profile,
        rendered=metadata["rendered"] == "true",
        paper=metadata["paper"],
        tables=tuple(metadata["tables"].split()),
        planned=tuple(map(int, metadata["planned"].split())),
        **content,
    )


def _columns() -> Iterator[tuple[str, str]]:
    """Yield the file's columns with their Arrow types: those of all kinds, as they first appear."""
    types: dict[object, str] = {float: "double", int: "int64", int | None: "int64"}
    yield "kind", "string"
    seen = set()
    for kind in KINDS.values():
        for name, hint in get_type_hints(kind).items():
            if name not in seen:
                seen.add(name)
                yield name, types.get(hint, "string")


def _nulls(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which a number that is NaN is a missing value."""
    return {name: None if value != value else value for name, value in row.items()}


def _row(kind: type[Row], values: dict[str, Any]) -> Row:
    """Return the row of a kind, in which a missing number is NaN."""
    hints = get_type_hints(kind)
    own: dict[str, Any] = {name: values[name] for name in hints}
    gaps = [name for name, value in own.items() if value is None and hints[name] is float]
    return kind(**own | dict.fromkeys(gaps, math.nan))
