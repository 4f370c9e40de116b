"""A paper: its printed tables, how ours are held against them, and its claims.

A paper is a folder below `papers/` (papers/README.md). `paper.yaml` says what its tables are and
how they are judged; `<table>.csv` holds what each prints, `claims.csv` what the paper says of it,
and `oddities.csv` what a reader should know. The last two may be left out.
"""

from collections.abc import Iterable, Mapping
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
    nearest,
)
from topdb.config.profile import Profile
from topdb.errors import UserError

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
