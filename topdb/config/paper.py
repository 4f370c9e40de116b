"""A paper: its printed tables, how ours are held against them, and its claims.

A paper is a folder below `papers/` (papers/README.md). `paper.yaml` says what its tables are and
how they are judged; `<table>.csv` holds what each prints, `claims.csv` what the paper says of it,
and `oddities.csv` what a reader should know. The last two may be left out.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, PositiveFloat, field_validator, model_validator

from topdb.config.base import (
    MethodName,
    MetricName,
    Name,
    Ranking,
    Settings,
    dropped_in,
    nearest,
    require_known,
)
from topdb.config.file import Params, read_yaml, validated
from topdb.config.profile import Profile
from topdb.errors import UserError
from topdb.limits import lines_of

PAPERS = Path("papers")
FILE = "paper.yaml"
CLAIMS = "claims.csv"
ODDITIES = "oddities.csv"
EVERYWHERE = "all"
"""In place of a data set: whatever the profile has."""
DEFAULT = "default"
"""In place of a data set: all that have no margin of their own."""
PLACE = "_ordinal"
"""The end of a column's name that holds the places which are printed beside values."""
TAKEN = ("verdict", "metrics", "plots", "page", "reference", "cross_domain")
"""Names of other reports and of folders among them."""

Owner = Literal["paper", "competitor"]
"""Whose a method is. Competitors' numbers come from their own papers."""


class PaperMethod(Settings):
    """What readers call a method that the paper has a row of."""

    title: str | None = None
    """In tables and texts; default: as the method's own file has it."""
    brief: str | None = None
    """In figures, where the title is too long."""
    authors: str | None = None
    """Who stands in brackets behind a competitor's title."""
    own: bool = False
    """Whether the paper presents it; the others are its competitors, and counted apart."""


class Columns(Settings):
    """The columns of a printed table: each data set with each metric."""

    datasets: tuple[Name, ...] = Field(min_length=1)
    metrics: tuple[MetricName, ...] = Field(min_length=1)


class PrintedBlock(Settings):
    """Printed rows under a heading of their own."""

    title: str
    ranking: Ranking = "plain"
    rows: dict[str, MethodName | None]
    """By their names as printed: which method's each is; null where it is of none here."""


class PrintedTable(Settings):
    """A table as the paper prints it; the values stand in the CSV file of its name."""

    title: str
    columns: Columns
    blocks: tuple[PrintedBlock, ...] = ()
    rankings: tuple[Ranking, ...] = Field(get_args(Ranking), min_length=1)
    """Of its measured rows and of its claims."""
    measures: Literal["all", "rows"] = "all"
    """Which of a profile's methods: all, or those of its rows and those that no paper prints."""
    places: bool = False
    """Whether each value has its place in its column as a sub-index."""

    @model_validator(mode="after")
    def _check(self) -> "PrintedTable":
        rows = [name for block in self.blocks for name in block.rows]
        of_methods = [
            f"{method} ({block.ranking})"
            for block in self.blocks
            for method in block.rows.values()
            if method
        ]
        for what, names in (("has the row", rows), ("has two rows of", of_methods)):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} more than once; keep one")
        return self

    def methods(self) -> set[str]:
        """Return the methods that have a row."""
        return {method for block in self.blocks for method in block.rows.values() if method}


class PaperFile(Settings):
    """All of `paper.yaml`."""

    title: str
    citation: str
    """Whom a reader finds it by: names, where it appeared, year."""
    methods: dict[MethodName, PaperMethod] = Field(default_factory=dict)
    """Every method that has a row, in the order of their looks in figures."""
    reference_method: MethodName | None = None
    """Every other method is compared with this one; default: `statistics.reference_method`."""
    tables: dict[Name, PrintedTable] = Field(min_length=1)
    margins: dict[Name, PositiveFloat] = Field(default={DEFAULT: 1.0})
    """Largest difference to a printed number that still counts as the same, in percentage
    points of every metric alike: by data set, and `default` for all others."""
    families: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Claims, by their id, that are adjusted together. One that is in none of the families
    was not declared beforehand: it is shown as exploratory, and never holds."""

    @field_validator("margins")
    @classmethod
    def _check_margins(cls, margins: dict[str, float]) -> dict[str, float]:
        if DEFAULT not in margins:
            raise ValueError(f"name the margin of all other data sets under '{DEFAULT}'")
        return margins

    @field_validator("families")
    @classmethod
    def _check_families(cls, families: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        listed = [claim for family in families.values() for claim in family]
        twice = [claim for claim in listed if listed.count(claim) > 1]
        if twice:
            raise ValueError(f"the claim {twice[0]} is listed twice; name each claim once")
        for name, claims in families.items():
            if not claims:
                raise ValueError(f"the family '{name}' has no claim; name its claims, or remove it")
        return families

    @field_validator("tables")
    @classmethod
    def _check_names(cls, tables: dict[str, PrintedTable]) -> dict[str, PrintedTable]:
        for name in tables:
            if name in TAKEN:
                raise ValueError(f"a table may not be called '{name}'; it is another report's name")
        return tables

    @model_validator(mode="after")
    def _check(self) -> "PaperFile":
        for name, table in self.tables.items():
            for method in sorted(table.methods() - self.methods.keys()):
                raise ValueError(
                    f"tables.{name} has a row of {method}{nearest(method, [*self.methods])}, which "
                    "is not among its methods; add it there"
                )
        known = [*self.datasets(), DEFAULT]
        for dataset in self.margins:
            if dataset not in known:
                raise ValueError(
                    f"margins names the data set '{dataset}', which is in none of its tables' "
                    f"columns{nearest(dataset, known)}; name one of {', '.join(known)}"
                )
        return self

    def datasets(self) -> list[str]:
        """Return the data sets that any table has columns of."""
        tables = self.tables.values()
        return list(dict.fromkeys(name for table in tables for name in table.columns.datasets))


class Claim(Settings):
    """The better method has a better metric than the worse one, on each of its data sets."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    """The claim in words, without its data sets."""
    better_method: MethodName
    better_ranking: Ranking
    worse_method: MethodName
    worse_ranking: Ranking
    quantity: MetricName
    datasets: tuple[Name, ...]
    """Empty for all that a profile has."""
    source: str = Field(min_length=1)
    """Where the paper says so."""

    @model_validator(mode="after")
    def _check(self) -> "Claim":
        if (self.better_method, self.better_ranking) == (self.worse_method, self.worse_ranking):
            raise ValueError("it compares a method with itself; mend it")
        return self

    @property
    def methods(self) -> tuple[str, str]:
        """Return both methods, the better one first."""
        return self.better_method, self.worse_method

    def on(self, profile: Profile) -> tuple[str, ...]:
        """Return the claim's data sets, as the profile has them."""
        return self.datasets or tuple(profile.datasets)


@dataclass(frozen=True)
class PrintedValue:
    """One printed value, in percent, with the place that the paper prints beside it."""

    value: float
    place: int | None


@dataclass(frozen=True)
class PrintedRow:
    """One row of a printed table; a dash of the paper is a missing key."""

    name: str
    method: str | None
    ranking: Ranking
    values: Mapping[tuple[str, str], PrintedValue]
    """By data set and metric."""


@dataclass(frozen=True)
class Remark:
    """What a reader should know about a value, or about a whole table."""

    table: str
    dataset: str
    """Or `all`."""
    text: str


@dataclass(frozen=True)
class Paper:
    """A paper with all of its files."""

    name: str
    """Of its folder."""
    folder: Path
    file: PaperFile
    rows: Mapping[str, tuple[PrintedRow, ...]]
    """By table."""
    claims: tuple[Claim, ...]
    remarks: tuple[Remark, ...]

    @property
    def tables(self) -> dict[str, PrintedTable]:
        """Its tables by name."""
        return self.file.tables

    @property
    def files(self) -> list[Path]:
        """Every file that it was read from."""
        names = [FILE, *(f"{table}.csv" for table in self.tables), CLAIMS, ODDITIES]
        return [path for name in names if (path := self.folder / name).is_file()]

    def table(self, name: str) -> PrintedTable:
        """Return one table.

        Raises
        ------
        UserError
            The paper has no table of that name.
        """
        if name not in self.tables:
            known = [*self.tables]
            raise UserError(
                f"there is no table '{name}' of {self.name}{nearest(name, known)}: name "
                f"{' or '.join(known)}."
            )
        return self.tables[name]

    def margin(self, dataset: str) -> float:
        """Return the largest difference to a printed number that counts as the same."""
        return self.file.margins.get(dataset, self.file.margins[DEFAULT])

    def families(self) -> dict[str, str]:
        """Return the name of each declared claim's family by its id."""
        return {claim: name for name, family in self.file.families.items() for claim in family}

    def has_row(self, method: str) -> bool:
        """Return whether any table prints a row of a method."""
        return any(method in table.methods() for table in self.tables.values())

    def owner(self, method: str) -> Owner:
        """Return whose a method with a row is."""
        return "paper" if self.file.methods[method].own else "competitor"

    def remarks_on(self, table: str, datasets: Iterable[str]) -> list[str]:
        """Return the remarks on a table that shows some data sets."""
        shown = {EVERYWHERE, *datasets}
        return [each.text for each in self.remarks if each.table == table and each.dataset in shown]


def read_papers(params: Params, root: Path = PAPERS) -> tuple[Paper, ...]:
    """Read the papers that the parameters list, from folders below `root`; the main one first.

    Raises
    ------
    UserError
        A folder or file is missing or broken, or names a method, ranking, metric, data set, row or
        claim that there is not; the message names the file and the key.
    """
    for name in params.papers[1:]:
        if name in TAKEN:
            raise UserError(
                f"papers: a paper may not be called '{name}'; reports have that name, so rename "
                "its folder."
            )
    there = sorted(path.parent.name for path in root.glob(f"*/{FILE}"))
    for name in params.papers:
        if there and name not in there:
            raise UserError(
                f"papers: there is no paper '{name}' in {root}{nearest(name, there)}: name one of "
                f"{', '.join(there)}, or the folder above it with --papers."
            )
    papers = tuple(read_paper(root / name, params.method_folders) for name in params.papers)
    for paper in papers:
        _require_names(params, paper)
    return papers


def _require_names(params: Params, paper: Paper) -> None:
    """Look up what a paper names of the parameters, in all profiles and layouts."""
    datasets = [*dict.fromkeys([*params.datasets(), *dropped_in("datasets/layouts")])]
    try:
        for name, table in paper.tables.items():
            for dataset in table.columns.datasets:
                require_known(f"tables.{name}.columns.datasets", "data set", dataset, datasets)
        if reference := paper.file.reference_method:
            require_known("reference_method", "method", reference, params.methods())
    except ValueError as error:
        raise UserError(f"{paper.folder / FILE}: {error}.") from None


def read_paper(folder: Path, method_folders: Sequence[Path] = ()) -> Paper:
    """Read a paper's folder; `method_folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        As `read_papers` does.
    """
    path = folder / FILE
    remedy = "name it under papers in params.yaml, or the folder above it with --papers"
    file = validated(PaperFile, path, read_yaml(path, remedy), method_folders)
    rows = {name: _rows(folder / f"{name}.csv", name, file) for name in file.tables}
    claims = _claims(folder / CLAIMS, file, method_folders)
    ids = [claim.id for claim in claims]
    for family, listed in file.families.items():
        for claim in listed:
            _require_known(f"{path}: the family '{family}'", "claim", claim, ids)
    _require_one_value(folder, rows)
    return Paper(folder.name, folder, file, rows, claims, _remarks(folder / ODDITIES, file))


def chosen_paper(papers: Sequence[Paper], name: str | None = None) -> Paper:
    """Return the paper of a name, or the main one.

    Raises
    ------
    UserError
        There is no such paper, or none at all.
    """
    known = [paper.name for paper in papers]
    if not papers:
        raise UserError("params.yaml lists no papers: name a folder below papers/ under its key.")
    if name not in (None, *known):
        raise UserError(
            f"there is no paper '{name}' in params.yaml{nearest(str(name), known)}: name one of "
            f"{', '.join(known)}."
        )
    return papers[known.index(name)] if name else papers[0]


def concerning(profile: Profile, papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Return the main paper, and those others that have a row of a method of the profile."""
    return tuple(
        paper for paper in papers if paper is papers[0] or any(map(paper.has_row, profile.methods))
    )


def measured(profile: Profile, papers: Sequence[Paper], paper: Paper, table: str) -> Profile:
    """Return the profile with just the methods that a table of a paper measures.

    A table that measures its rows leaves out the methods that have rows in other tables alone, of
    any paper. Where none of its own is in the profile, it measures all of them too.

    Raises
    ------
    UserError
        The paper has no such table.
    """
    printed = paper.table(table)
    own = printed.methods()
    if printed.measures == "all" or not own & {*profile.methods}:
        return profile
    methods = [
        method
        for method in profile.methods
        if method in own or not any(each.has_row(method) for each in papers)
    ]
    return profile.model_copy(update={"methods": tuple(methods)})


def _lines(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file that has some columns; no row may have others than its header."""
    try:
        reader = csv.DictReader(lines_of(path))
        header = reader.fieldnames or ()
        lines = list(reader)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {FILE} beside it has a table of it.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no readable CSV ({error}): restore the file.") from None
    for column in columns:
        if column not in header:
            raise UserError(f"{path} lacks the column '{column}': restore the file.")
    for line in lines:
        if None in line or None in line.values():
            raise UserError(
                f"{path}: the row '{line[columns[0]]}' has other columns than the header: "
                "correct it."
            )
    return lines


def _rows(path: Path, name: str, file: PaperFile) -> tuple[PrintedRow, ...]:
    table = file.tables[name]
    lines = _lines(path, ["method"])
    wanted = [f"{d}_{m}" for d in table.columns.datasets for m in table.columns.metrics]
    known = ["method", *wanted, *(column + PLACE for column in wanted)]
    for column in lines[0] if lines else ():
        if column not in known:
            raise UserError(
                f"{path}: unknown column '{column}'{nearest(column, known)}: {FILE} has the "
                "table's columns."
            )
    printed = {line["method"]: line for line in lines}
    named = [row for block in table.blocks for row in block.rows]
    for row in [*named, *printed]:
        if row not in printed:
            raise UserError(
                f"{path} has no row '{row}'{nearest(row, [*printed])}, which {FILE} names in "
                f"tables.{name}: name one that it has."
            )
        if row not in named:
            raise UserError(
                f"{path} has the row '{row}', which is in no block of tables.{name} in {FILE}: "
                "add it there, as null where it is of no method here."
            )
    if len(printed) < len(lines):
        raise UserError(f"{path} has the same row twice: keep one.")
    return tuple(
        PrintedRow(row, method, block.ranking, _values(path, printed[row], table))
        for block in table.blocks
        for row, method in block.rows.items()
    )


def _values(
    path: Path, line: Mapping[str, str], table: PrintedTable
) -> dict[tuple[str, str], PrintedValue]:
    found = {}
    for dataset in table.columns.datasets:
        for metric in table.columns.metrics:
            column = f"{dataset}_{metric}"
            text, place = line.get(column), line.get(column + PLACE)
            if not text:
                continue
            try:
                value, printed = float(text), int(place) if place else None
            except ValueError:
                value, printed = -1.0, None
            if not 0.0 <= value <= 100.0:
                raise UserError(
                    f"{path}: '{text}' in column {column} is no percentage: correct it."
                )
            found[dataset, metric] = PrintedValue(value, printed)
    return found


def _require_one_value(folder: Path, tables: Mapping[str, Sequence[PrintedRow]]) -> None:
    """Refuse tables that print different values for one cell."""
    known: dict[tuple[str | None, ...], tuple[float, str]] = {}
    for table, rows in tables.items():
        for row in rows:
            for (dataset, metric), cell in row.values.items():
                if row.method is None:
                    continue
                key = (dataset, row.method, row.ranking, metric)
                value, other = known.setdefault(key, (cell.value, table))
                if value != cell.value:
                    raise UserError(
                        f"{folder / table}.csv: {row.name} has {cell.value} in {dataset}_{metric} "
                        f"where {other} has {value}: correct the wrong one."
                    )


def _claims(path: Path, file: PaperFile, method_folders: Sequence[Path]) -> tuple[Claim, ...]:
    if not path.is_file():
        return ()
    found: dict[str, Claim] = {}
    for line in _lines(path, list(Claim.model_fields)):
        named = () if line["datasets"] == EVERYWHERE else tuple(line["datasets"].split())
        origin = f"{path}: the claim '{line['id'] or '?'}'"
        claim = validated(Claim, origin, {**line, "datasets": named}, method_folders)
        if not named and line["datasets"] != EVERYWHERE:
            raise UserError(f"{origin} has no data sets: name some, or '{EVERYWHERE}'.")
        if twice := [each for each in named if named.count(each) > 1]:
            raise UserError(f"{origin} has the data set {twice[0]} twice: name each once.")
        if EVERYWHERE in named:
            raise UserError(f"{origin} has '{EVERYWHERE}' among its data sets: name it alone.")
        for dataset in claim.datasets:
            _require_known(origin, "dataset", dataset, [EVERYWHERE, *file.datasets()])
        if claim.id in found:
            raise UserError(f"{path} has two claims '{claim.id}': give each an id of its own.")
        found[claim.id] = claim
    return tuple(found.values())


def _require_known(origin: str, column: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise UserError(
            f"{origin} has the {column} '{value}'{nearest(value, known)}: name one of "
            f"{', '.join(known)}."
        )


def _remarks(path: Path, file: PaperFile) -> tuple[Remark, ...]:
    if not path.is_file():
        return ()
    lines = _lines(path, ["table", "dataset", "remark"])
    for line in lines:
        _require_known(f"{path}: a remark", "table", line["table"], [*file.tables])
        known = [EVERYWHERE, *file.datasets()]
        _require_known(f"{path}: a remark", "dataset", line["dataset"], known)
    return tuple(Remark(line["table"], line["dataset"], line["remark"]) for line in lines)
