"""Parquet files read by the thread that asks for them, and held to a size."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from topdb.errors import UserError
from topdb.limits import MIB, TABLE_ROWS, UNPACKED_BYTES


def read_table(
    source: Path | BinaryIO, columns: Sequence[str] | None = None, path: Path | None = None
) -> pa.Table:
    """Read a table, all of it or some columns, and start no thread.

    pyarrow's own reading ahead is done by threads that live until the process ends. One of them
    that lets go of a Python object while the interpreter ends is stopped inside of a C++
    destructor, and the process aborts ("terminate called without an active exception", status
    134) although all its work is done: https://github.com/apache/arrow/issues/34314. Our tables
    are small, and gain nothing by threads.

    The file's own account of its size is looked at first. Texts and images are read as
    dictionaries: a single long one may be repeated in each row. `path` is what messages name.

    Raises
    ------
    UserError
        It holds more rows or bytes than `topdb.limits` allows.
    pyarrow.ArrowException, OSError
        It is missing or no Parquet, or has a column of a kind that no file here has.
    """
    named = None if columns is None else list(columns)
    name: object = path or source
    if not isinstance(name, Path):
        name = getattr(source, "name", "a file")
    plain = pq.ParquetFile(source, pre_buffer=False)
    schema, told = plain.schema_arrow, plain.metadata
    groups = [told.row_group(number) for number in range(told.num_row_groups)]
    values = (group.column(n).num_values for group in groups for n in range(group.num_columns))
    rows = max(told.num_rows, sum(group.num_rows for group in groups), *values, 0)
    if rows > TABLE_ROWS:
        raise UserError(f"{name} holds {rows:,} rows, and no file of its kind does: it is refused.")
    _require_size(name, sum(group.total_byte_size for group in groups))
    leaves = [told.schema.column(number) for number in range(told.num_columns)]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    if not isinstance(source, Path):
        source.seek(0)
    opened = pq.ParquetFile(source, pre_buffer=False, read_dictionary=texts)
    return _plain(name, opened.read(named, use_threads=False), schema)


def _plain(name: object, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with its dictionaries written out, once that is known to be small enough."""
    size = 0
    for number, column in enumerate(table.columns):
        field = schema.field(table.column_names[number])
        if column.type == field.type and not pa.types.is_dictionary(field.type):
            continue
        for chunk in column.chunks:
            while pa.types.is_list(chunk.type):
                chunk = chunk.flatten()
            if not pa.types.is_dictionary(chunk.type):
                raise pa.ArrowInvalid(f"its column {field.name} is of a kind that no file has")
            lengths = pc.cast(pc.binary_length(chunk.dictionary), pa.int64())
            size += pc.sum(lengths.take(chunk.indices)).as_py() or 0
        _require_size(name, size)
        table = table.set_column(number, field, column.cast(field.type))
    return table


def _require_size(name: object, size: int) -> None:
    if size > UNPACKED_BYTES:
        raise UserError(
            f"{name} holds {size / MIB:,.0f} MiB, and no file of its kind does: it is refused."
        )
