"""The paper's own numbers, and the places of a column."""

import csv
import math
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from topdb.errors import UserError
from topdb.grid import Cell
from topdb.params import Ranking


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


OWN = {
    "baseline": "Baseline",
    "no-drop": "no-drop Top-DB-Net",
    "no-reg": "no-reg Top-DB-Net",
    "top-db-net": "Top-DB-Net",
}
"""How the paper calls its methods; others go by their own name."""
_OWN_ROWS: dict[str, dict[str, tuple[str, Ranking]]] = {
    "table1": {title: (method, "plain") for method, title in OWN.items()},
    "table2": {
        "Top-DB-Net (Ours)": ("top-db-net", "plain"),
        "Top-DB-Net+RK (Ours)": ("top-db-net", "rk"),
    },
}

Published = dict[tuple[Cell, str], float]
"""What the paper prints for its own methods, in percent, by cell and quantity."""


def read_own(folder: Path) -> Published:
    """Read the paper's values of its own methods from both published tables.

    Raises
    ------
    UserError
        A table is missing or broken, or the two print different values for one cell.
    """
    found: Published = {}
    for table, own in _OWN_ROWS.items():
        path = folder / f"{table}.csv"
        for row in read_published(path):
            if row.method not in own:
                continue
            method, ranking = own[row.method]
            for (dataset, quantity), printed in row.cells.items():
                key = Cell(dataset, method, ranking), quantity
                if found.setdefault(key, printed.value) != printed.value:
                    raise UserError(
                        f"{path}: {row.method} has {printed.value} in {dataset}_{quantity} where "
                        f"the other table has {found[key]}: correct the wrong one."
                    )
    return found


def published_difference(paper: Published, cell: Cell, reference: Cell, quantity: str) -> float:
    """Return the difference between two printed values; NaN where one is not printed."""
    return paper.get((cell, quantity), math.nan) - paper.get((reference, quantity), math.nan)


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
                if row["table"] == table and row["dataset"] in datasets
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
