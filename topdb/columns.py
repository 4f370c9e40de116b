"""Arrow columns from numpy arrays, buffer by buffer.

`pyarrow.array` imports pandas to look whether it was given a Series. That costs 0.2 s, as much as
the ranking of a small data set, in each of hundreds of evaluations.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def integers(values: NDArray[np.int64]) -> pa.Array:
    """Return (N,) whole numbers as an int64 column."""
    content = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(content), [None, pa.py_buffer(content)])


def floats(values: NDArray[np.float64]) -> pa.Array:
    """Return (N,) numbers as a float64 column; NaN is a missing value."""
    content = np.ascontiguousarray(values, np.float64)
    valid = np.packbits(~np.isnan(content), bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.float64(), len(content), buffers)


def booleans(values: NDArray[np.bool_]) -> pa.Array:
    """Return (N,) truth values as a boolean column."""
    content = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, content])


def strings(values: Sequence[str]) -> pa.Array:
    """Return N texts as a string column."""
    content = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, content)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(content))]
    return pa.Array.from_buffers(pa.string(), len(content), buffers)
