"""Text: CSV tables with a row an image, lists of paths or labels, and matrices of numbers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from topdb.formats._names import role_of
from topdb.formats._start import is_text

NAME = "text"
TITLE = "a table or list in text"

_NUMBERED = re.compile(
    r"(f|feat|feature|features|emb|embedding|dim|d|x|v)?[_. ]?\d+", re.IGNORECASE
)


def recognises(path: Path, start: bytes) -> bool:
    """Printable UTF-8 that is nothing else."""
    return is_text(path, start)


def read(path: Path, wanted: Callable[[str], bool]) -> Any:
    """Read a table with a line of names, or a list of one to three columns, or numbers."""
    with path.open(encoding="utf-8-sig") as stream:
        lines = [line.strip("\r\n") for _, line in zip(range(50), stream, strict=False)]
    lines = [line for line in lines if line.strip()]
    between = _separator(lines)
    if between is None:
        texts = path.read_text(encoding="utf-8-sig").splitlines()
        values = [each.strip() for each in texts if each.strip()]
        if role_of(values[0]) or values[0].casefold() == "split":
            return {values[0]: np.array(values[1:])}
        return np.array(values)
    first = [each.strip().strip('"') for each in lines[0].split(between)]
    names = [each for each in first if role_of(each) or _is_number_column(each) or each == "split"]
    headed = any(role_of(each) for each in first) and not any(_is_number(each) for each in first)
    headed = headed or (len(names) == len(first) and not all(_is_number(each) for each in first))
    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False, autogenerate_column_names=not headed),
        parse_options=csv.ParseOptions(delimiter=between),
        convert_options=csv.ConvertOptions(strings_can_be_null=False),
    )
    return from_table(table) if headed else _without_names(table)


def _separator(lines: list[str]) -> str | None:
    """Return what stands between columns; None where there is one column."""
    for between in ("\t", ",", ";"):
        if between in lines[0]:
            return between
    counts = {len(line.split(" ")) for line in lines}
    # A path may hold blanks; a column after it holds a number.
    if len(counts) == 1 and counts != {1} and all(_is_number(x.split(" ")[-1]) for x in lines[1:]):
        return " "
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_number_column(name: str) -> bool:
    return _NUMBERED.fullmatch(name.strip()) is not None


def _column(column: Any) -> Any:
    """Return a column of a table as an array; NaN where a number is missing."""
    column = column.combine_chunks()
    if pa.types.is_null(column.type):
        raise ValueError("a column is empty")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.to_pylist()
    return column.to_numpy(zero_copy_only=False)


def _matrix(table: Any, names: list[str]) -> Any:
    matrix = np.empty((table.num_rows, len(names)))
    for place, name in enumerate(names):
        values = np.asarray(_column(table[name]))
        if values.dtype.kind not in "fiub":
            raise ValueError(f"column {name} holds something that is no number")
        matrix[:, place] = values
    return matrix


def from_table(table: Any) -> dict[str, Any]:
    """Return the columns of an Arrow table by name; numbered ones together as `features`."""
    numbered = [name for name in table.column_names if _is_number_column(name)]
    found: dict[str, Any] = {}
    for name in table.column_names:
        if name not in numbered:
            known = role_of(name) or name.casefold() == "split"
            found[name] = _column(table[name]) if known else None
    if numbered:
        found["features"] = _matrix(table, numbered)
    return found


def _without_names(table: Any) -> Any:
    columns = [_column(each) for each in table.columns]
    texts = [isinstance(each, list) for each in columns]
    if not any(texts):
        whole = all(np.asarray(each).dtype.kind in "iu" for each in columns)
        if len(columns) == 2 and whole:
            return {"pids": columns[0], "camids": columns[1]}
        return _matrix(table, table.column_names)
    if texts[0] and len(columns) <= 3:
        return dict(zip(("paths", "pids", "camids"), columns, strict=False))
    raise ValueError("columns without names: write path, person, camera, or a first line of names")
