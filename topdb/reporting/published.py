"""The paper's own numbers, and the places of a column."""

import csv
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from topdb.errors import UserError


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
        The file is missing, or a value is no percentage.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [_row(path, row) for row in csv.DictReader(stream)]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder with --published.") from None


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
