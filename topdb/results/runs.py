"""The grid of runs: which ones a profile calls for, where they lie, which table needs which."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from topdb.config import Profile, Ranking, method_files
from topdb.errors import UserError

TABLES = ("table1", "table2")
"""The paper's tables."""
WHOLE = "table2"
"""The one that has a measured row for each method of a profile."""
ROWS = "rows.csv"
"""The file, beside the published tables, that says which printed row is of which method."""
PUBLISHED = Path("reports/published")
_RANKINGS: dict[str, Ranking] = {ranking: ranking for ranking in get_args(Ranking)}


@dataclass(frozen=True, order=True)
class Cell:
    """One cell of a table: all seeds of a method on a data set under one ranking."""

    dataset: str
    method: str
    ranking: Ranking


@dataclass(frozen=True, order=True)
class GridRun:
    """One training of the grid."""

    dataset: str
    method: str
    seed: int

    def folder(self, results: Path) -> Path:
        """Return the run's folder below the profile's results."""
        return results / self.dataset / self.method / f"seed-{self.seed}"

    def queries(self, results: Path, ranking: Ranking) -> Path:
        """Return the run's per-query scores under one ranking."""
        return self.folder(results) / ranking / "queries.parquet"

    def metrics(self, results: Path, ranking: Ranking) -> Path:
        """Return the run's summary under one ranking."""
        return self.folder(results) / ranking / "metrics.json"


@dataclass(frozen=True)
class MethodRow:
    """A printed row that is of a method which can be measured here."""

    table: str
    """`table1` or `table2`."""
    row: str
    """As the table prints it."""
    method: str
    ranking: Ranking


def runs(profile: Profile) -> Iterator[GridRun]:
    """Yield the runs that a profile calls for, in the order of its lists."""
    for dataset in profile.datasets:
        for method in profile.methods:
            for seed in profile.seeds:
                yield GridRun(dataset, method, seed)


def cells(profile: Profile) -> Iterator[Cell]:
    """Yield the cells of a profile's tables, in the order of its lists."""
    for ranking in profile.rankings:
        for dataset in profile.datasets:
            for method in profile.methods:
                yield Cell(dataset, method, ranking)


def read_rows(published: Path, folders: Sequence[Path] = ()) -> tuple[MethodRow, ...]:
    """Read which printed row is of which method.

    `folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        The file is missing or no CSV, or a row lacks a value, names a table, a method or a ranking
        that there is not, or is there twice.
    """
    path = published / ROWS
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder with --published.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no readable CSV ({error}): restore the file.") from None
    known = {
        "table": [*TABLES],
        "method": [*method_files(folders)],
        "ranking": [*_RANKINGS],
    }
    rows = tuple(_row(path, line, known) for line in lines)
    _require_each_once(path, rows)
    return rows


def table_methods(profile: Profile, table: str, rows: Sequence[MethodRow]) -> tuple[str, ...]:
    """Return the methods of the profile that a table measures, in the profile's order.

    Table 2 measures all. Table 1 leaves out those that have rows in Table 2 alone; where none of
    its own is in the profile, it measures all too.
    """
    own = {row.method for row in rows if row.table == table}
    if table == WHOLE or not own & {*profile.methods}:
        return profile.methods
    others = {row.method for row in rows} - own
    return tuple(method for method in profile.methods if method not in others)


def tables(
    profile: Profile, folders: Sequence[Path] = (), published: Path = PUBLISHED
) -> dict[str, list[str]]:
    """Return the methods that each table measures; all of them where nothing is published.

    `folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        The file of the printed rows is broken.
    """
    rows = read_rows(published, folders) if (published / ROWS).is_file() else ()
    return {table: list(table_methods(profile, table, rows)) for table in TABLES}


def of_table(profile: Profile, table: str, rows: Sequence[MethodRow]) -> Profile:
    """Return the profile with just the methods that a table measures."""
    return profile.model_copy(update={"methods": table_methods(profile, table, rows)})


def _row(path: Path, line: dict[str, str | None], known: dict[str, list[str]]) -> MethodRow:
    name = line.get("row")
    for column in ("table", "row", "method", "ranking"):
        if not line.get(column):
            raise UserError(f"{path}: the row '{name or '?'}' has no {column}: fill it in.")
    for column, allowed in known.items():
        if line[column] not in allowed:
            raise UserError(
                f"{path}: the row '{name}' has the {column} '{line[column]}': name one of "
                f"{', '.join(allowed)}."
            )
    return MethodRow(
        table=str(line["table"]),
        row=str(name),
        method=str(line["method"]),
        ranking=_RANKINGS[str(line["ranking"])],
    )


def _require_each_once(path: Path, rows: Sequence[MethodRow]) -> None:
    printed = [(row.table, row.row) for row in rows]
    measured = [(row.table, row.method, row.ranking) for row in rows]
    for row in rows:
        if printed.count((row.table, row.row)) > 1:
            raise UserError(f"{path} has the row '{row.row}' of {row.table} twice: keep one.")
        if measured.count((row.table, row.method, row.ranking)) > 1:
            raise UserError(
                f"{path} has two rows of {row.table} for {row.method} ({row.ranking}): keep one."
            )
