"""Columns of scores are written as pyarrow would, without what it imports on the way."""

import numpy as np
import pyarrow as pa
import pytest
import tiny

from topdb.results.evaluation import _column, _texts

WRITE = """
import sys
import numpy as np
from pathlib import Path
from topdb.results.evaluation import Top, read_top, write_top
path = Path("top.parquet")
write_top(path, Top(("q", "q"), np.array([1, 2]), ("a", "é"), np.array([True, False])))
assert read_top(path).by_query() == {"q": [("a", True), ("é", False)]}
assert "pandas" not in sys.modules
"""


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.5, np.nan, 1.0]),
        np.array([0.5, 1.0], np.float32),
        np.arange(20)[::2],
        np.array([True, False] * 9),
        np.zeros(0),
        np.array([1.5], ">f8"),
    ],
    ids=str,
)
def test_numbers_become_the_column_that_pyarrow_makes_of_them(values):
    native = values.astype(values.dtype.newbyteorder("="))
    assert _column(values).equals(pa.array(native, from_pandas=True))


@pytest.mark.parametrize("values", [(), ("a", "", "Żółć/1.jpg")])
def test_texts_do_so_too(values):
    assert _texts(values).equals(pa.array(values, pa.string()))


def test_scores_are_written_and_read_without_pandas(tmp_path):
    done = tiny.python(tmp_path, "-c", WRITE, PYTHONPATH=str(tiny.ROOT))
    assert done.returncode == 0, done.stderr
