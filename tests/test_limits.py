"""Input of others that would fill the memory ends with a sentence, and quickly."""

import json
import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
import yaml

from topdb import limits
from topdb.config import load
from topdb.config.yaml_file import read_yaml
from topdb.datasets.index import read_index
from topdb.errors import UserError
from topdb.files import digest, read_json
from topdb.limits import TABLE_ROWS, TEXT_BYTES
from topdb.parquet import read_table
from topdb.results.comparisons import read_comparisons
from topdb.results.evaluation import read_queries, read_top
from topdb.results.examples import read_example_images
from topdb.results.records import read_history


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory):
    """More rows than any file of ours has, in 130 KiB."""
    path = tmp_path_factory.mktemp("many") / "rows.parquet"
    zeros = pa.array(np.zeros(TABLE_ROWS + 1, np.int8))
    columns = ("pid", "matches", "ap", "first_match_rank", "path", "rank", "query", "kind")
    pq.write_table(pa.table(dict.fromkeys(columns, zeros)), path)
    assert path.stat().st_size < 150_000
    return path


READERS = {
    "queries": read_queries,
    "top": read_top,
    "index": read_index,
    "examples": read_example_images,
    "comparisons": lambda path: read_comparisons(path, "tiny"),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_small_file_of_many_rows_is_refused_before_it_is_read(many_rows, reader):
    started = time.monotonic()
    with pytest.raises(UserError, match=r"rows.parquet holds 5,000,001 rows.*it is refused"):
        READERS[reader](many_rows)
    assert time.monotonic() - started < 2


def test_a_long_text_that_is_repeated_in_each_row_is_refused(tmp_path):
    path = tmp_path / "long.parquet"
    word = pa.array(["x" * 1_000_000])
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10_000, np.int32)), word)
    pq.write_table(pa.table({"path": many}), path)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(UserError, match="holds 9,537 MiB"):
        read_table(path)


def test_columns_of_other_kinds_are_no_table(tmp_path):
    path = tmp_path / "nested.parquet"
    pq.write_table(pa.table({"path": [{"a": "b"}]}), path)
    with pytest.raises(UserError, match="its column path is of a kind that no file has"):
        read_queries(path)


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "a": ["x", None, "x"],
            "b": [b"1", b"", None],
            "c": [1.5, None, 2.0],
            "d": [["x"], [], None],
        }
    )
    pq.write_table(table, path)
    assert read_table(path).equals(table)
    with path.open("rb") as stream:
        assert read_table(stream).equals(table)
    assert read_table(path, columns=["c"]).equals(table.select(["c"]))


def test_texts_without_end_are_refused(tmp_path):
    path = tmp_path / "text"
    with path.open("wb") as stream:
        stream.truncate(TEXT_BYTES + 1)
    for read in (read_json, read_history, lambda each: read_yaml(each, "look")):
        with pytest.raises(UserError, match="text is larger than 16 MiB"):
            read(path)


def test_ten_lines_that_stand_for_a_billion_values_are_refused(tmp_path):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join(lines))
    started = time.monotonic()
    with pytest.raises(UserError, match="more than 500,000 values, anchors followed"):
        load(path)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"statistics.draws": 2_000_000_000}, "'statistics.draws' is 2000000000"),
        ({"ranking": {"single_gallery_shot": 2_000_000_000}}, "single_gallery_shot' is 2000000000"),
        ({"seeds": list(range(1001))}, "tiny.seeds' is"),
    ],
)
def test_numbers_that_would_never_end_are_refused(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        tiny.params(tmp_path, changes)


def test_a_bundle_with_such_a_number_is_refused(tmp_path, monkeypatch, capsys):
    params = tiny.content({"statistics.draws": 2_000_000_000})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    manifest = {
        "format": 2,
        "profile": "tiny",
        "files": {"params.yaml": digest(tmp_path / "params.yaml")},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert tiny.topdb(monkeypatch, "verdict", tmp_path, "--out", tmp_path / "o") == 2
    assert "'statistics.draws' is 2000000000" in capsys.readouterr().err


def test_every_bound_is_told_with_what_the_papers_grid_needs():
    text = (tiny.ROOT / "topdb/limits.py").read_text()
    names = [name for name in vars(limits) if re.fullmatch(r"[A-Z]+_?[A-Z]+", name)]
    for name in names:
        if name != "MIB":
            assert re.search(rf'^{name} = .*\n""".*;', text, re.M), name
