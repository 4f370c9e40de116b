"""Values of a run's own files, which somebody else may have written: whatever stands there."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from topdb.errors import UserError


def inner(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an inner object; an empty one where there is none."""
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def number(value: object) -> float:
    """Return a value if it is a finite number, and NaN otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def read_history(path: Path, columns: Sequence[str] = ()) -> list[dict[str, float]]:
    """Read `history.csv`, one row an epoch; a loss that is no longer finite stays so.

    `columns` must be there; without any, those of the header are returned. Imported weights have a
    history without a row.

    Raises
    ------
    UserError
        The file is no table of numbers with these columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            wanted = columns or reader.fieldnames or ()
            rows = [{name: float(row[name]) for name in wanted} for row in reader]
        if not all(row.get("epoch", 0.0).is_integer() for row in rows):
            raise ValueError
    except (csv.Error, KeyError, TypeError, ValueError):
        raise UserError(
            f"{path} is no history of a training: delete it and train the run again."
        ) from None
    return rows
