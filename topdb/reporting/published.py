"""The paper's numbers, and the places of a column."""

import csv
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topdb.errors import UserError
from topdb.results.runs import ROWS, TABLES, Cell, MethodRow, read_rows

Owner = Literal["paper", "competitor"]
"""Whose a method is. Competitors' numbers come from their own papers."""
OWN_TABLE = "table1"
EVERYWHERE = "all"
"""In place of a data set: whatever the profile has."""


@dataclass(frozen=True)
class PublishedCell:
    """One printed value, in percent, with the place that the paper prints beside it."""

    value: float
    printed_place: int | None


@dataclass(frozen=True)
class PublishedRow:
    """One row of a published table; a dash of the paper is a missing key."""

    method: str
    cells: dict[tuple[str, str], PublishedCell]
    """By data set and quantity (`mAP` or `R1`)."""

    @property
    def reranked(self) -> bool:
        """Whether the row is of k-reciprocal re-ranking."""
        return "+RK" in self.method


def read_published(path: Path) -> list[PublishedRow]:
    """Read a published table.

    Raises
    ------
    UserError
        The file is missing or no CSV, lacks the column `method`, or a value is no percentage.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            if "method" not in (reader.fieldnames or ()):
                raise UserError(f"{path} lacks the column 'method': restore the file.")
            return [_row(path, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder with --published.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no readable CSV ({error}): restore the file.") from None


@dataclass(frozen=True)
class PaperValue:
    """What the paper prints for a cell that can be measured here."""

    value: float
    """In percent."""
    owner: Owner


Published = dict[tuple[Cell, str], PaperValue]
"""By cell and quantity."""


def read_paper(folder: Path, method_folders: Sequence[Path] = ()) -> Published:
    """Read the printed values of every method that has a row.

    `method_folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        A file is missing or broken, a row that is named is not printed, or the two tables print
        different values for one cell.
    """
    rows = read_rows(folder, method_folders)
    found: Published = {}
    for table in TABLES:
        path = folder / f"{table}.csv"
        printed = {row.method: row for row in read_published(path)}
        for row in rows:
            if row.table != table:
                continue
            if row.row not in printed:
                raise UserError(
                    f"{folder / ROWS}: {path.name} has no row '{row.row}': name one that it has."
                )
            owner = owner_of(row.method, rows)
            for (dataset, quantity), cell in printed[row.row].cells.items():
                key = Cell(dataset, row.method, row.ranking), quantity
                known = found.setdefault(key, PaperValue(cell.value, owner))
                if known.value != cell.value:
                    raise UserError(
                        f"{path}: {row.row} has {cell.value} in {dataset}_{quantity} where the "
                        f"other table has {known.value}: correct the wrong one."
                    )
    return found


def owner_of(method: str, rows: Sequence[MethodRow]) -> Owner:
    """Return whose a method with a row is: the paper's own methods are those of Table 1."""
    own = any(row.table == OWN_TABLE and row.method == method for row in rows)
    return "paper" if own else "competitor"


def published_difference(paper: Published, cell: Cell, reference: Cell, quantity: str) -> float:
    """Return the difference between two printed values; NaN where one is not printed."""
    first, second = paper.get((cell, quantity)), paper.get((reference, quantity))
    return first.value - second.value if first and second else math.nan


def read_oddities(path: Path, table: str, datasets: Container[str]) -> list[str]:
    """Read what a reader of a published table should know about its values.

    Raises
    ------
    UserError
        The file is missing, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [
                row["remark"]
                for row in csv.DictReader(stream)
                if row["table"] == table
                if row["dataset"] == EVERYWHERE or row["dataset"] in datasets
            ]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder with --published.") from None
    except KeyError as error:
        raise UserError(f"{path} lacks the column {error}: restore the file.") from None


def _row(path: Path, row: dict[str, str]) -> PublishedRow:
    cells = {}
    for column, text in row.items():
        if not isinstance(column, str) or not isinstance(text, str):
            raise UserError(
                f"{path}: the row of {row['method']} has other columns than the header: correct it."
            )
        dataset, _, quantity = column.rpartition("_")
        if quantity not in ("mAP", "R1") or not text:
            continue
        place = row.get(f"{column}_ordinal") or None
        try:
            value, printed = float(text), int(place) if place else None
        except ValueError:
            value, printed = -1.0, None
        if not 0.0 <= value <= 100.0:
            raise UserError(f"{path}: '{text}' in column {column} is no percentage: correct it.")
        cells[dataset, quantity] = PublishedCell(value, printed)
    return PublishedRow(row["method"], cells)


def places(values: list[float]) -> list[int]:
    """Return each value's place, the highest first; equal values share one, none is skipped."""
    order = sorted(set(values), reverse=True)
    return [order.index(value) + 1 for value in values]


def place_of(value: float, others: list[float]) -> int:
    """Return the place that a value takes among others, as `places` counts."""
    return 1 + len({other for other in others if other > value})
