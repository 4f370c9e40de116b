"""Parquet files read by the thread that asks for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def read_table(source: Path | BinaryIO, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table, all of it or some columns, and start no thread.

    pyarrow's own reading ahead is done by threads that live until the process ends. One of them
    that lets go of a Python object while the interpreter ends is stopped inside of a C++
    destructor, and the process aborts ("terminate called without an active exception", status
    134) although all its work is done: https://github.com/apache/arrow/issues/34314. Our tables
    are small, and gain nothing by threads.
    """
    named = None if columns is None else list(columns)
    return pq.ParquetFile(source, pre_buffer=False).read(named, use_threads=False)
