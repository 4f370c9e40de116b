import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels, read_index
from topdb.datasets.leaks import find_leaks
from topdb.errors import UserError


@pytest.fixture
def built(market: Path, tmp_path: Path) -> tuple[Path, Path]:
    index, pixels = tmp_path / "index.parquet", tmp_path / "pixels.npy"
    build_index("small", "market1501", market, index, pixels)
    return index, pixels


def test_columns_and_metadata_are_those_of_the_design(built: tuple[Path, Path]) -> None:
    table = pq.read_table(built[0])
    assert table.column_names == [
        "split",
        "path",
        "pid",
        "camid",
        "label",
        "width",
        "height",
        "crc32",
        "sha256",
        "pixels",
        "conversions",
    ]
    assert b'"junk": 1' in table.schema.metadata[b"topdb.index"]
    assert b"Market-1501" in table.schema.metadata[b"topdb.index"]


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1" + bytes(40)])
def test_a_broken_index_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.parquet"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"index\.parquet is not readable as Parquet"):
        read_index(path)


def test_a_cut_index_is_named(built: tuple[Path, Path]) -> None:
    built[0].write_bytes(built[0].read_bytes()[:-100])
    with pytest.raises(UserError, match=r"index\.parquet is not readable as Parquet"):
        read_index(built[0])


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `topdb index` first"):
        read_index(tmp_path / "index.parquet")


def test_a_foreign_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"split": ["train"]}), path)
    with pytest.raises(UserError, match=r"other\.parquet is no index"):
        read_index(path)


def test_an_altered_index_is_named(built: tuple[Path, Path]) -> None:
    table = pq.read_table(built[0])
    pids = pa.array(table["pid"].to_numpy() + 1)
    altered = table.set_column(2, "pid", pids).replace_schema_metadata(table.schema.metadata)
    pq.write_table(altered, built[0])
    with pytest.raises(UserError, match="was changed after it was written"):
        read_index(built[0])


def write_format_2(path: Path) -> None:
    """Write an index as it was before it told of pixels and conversions."""
    table = pq.read_table(path)
    stated = json.loads(table.schema.metadata[b"topdb.index"])
    stated = {key: stated[key] for key in stated if key not in ("content", "release")}
    metadata = {b"topdb.index": json.dumps({**stated, "format": 2})}
    table = table.drop_columns(["pixels", "conversions"]).replace_schema_metadata(metadata)
    pq.write_table(table, path)


def test_an_index_of_format_2_is_read_and_has_the_same_digest(built: tuple[Path, Path]) -> None:
    new = read_index(built[0])
    write_format_2(built[0])
    old = read_index(built[0])
    assert old.digest == new.digest
    assert old.paths == new.paths
    assert (old.pixels, old.conversions, old.release, old.content) == (None,) * 4
    assert find_leaks(old) == find_leaks(new) == []
    assert Pixels.open(built[1], old)[0].shape == (16, 8, 3)


def test_an_altered_digest_of_pixels_is_named(built: tuple[Path, Path]) -> None:
    table = pq.read_table(built[0])
    pixels = pa.array(["0" * 32] * table.num_rows)
    place = table.column_names.index("pixels")
    altered = table.set_column(place, "pixels", pixels)
    pq.write_table(altered.replace_schema_metadata(table.schema.metadata), built[0])
    with pytest.raises(UserError, match="was changed after it was written"):
        read_index(built[0])


def test_a_cache_that_does_not_fit_is_named(built: tuple[Path, Path]) -> None:
    index = read_index(built[0])
    path = built[1]
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"pixels\.npy is no cache of pixels, or is cut short"):
        Pixels.open(path, index)
    np.save(path, np.zeros(5, np.uint8))
    with pytest.raises(UserError, match=r"pixels\.npy holds 5 values"):
        Pixels.open(path, index)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(UserError, match=r"pixels\.npy is no cache"):
        Pixels.open(path, index)
    path.unlink()
    with pytest.raises(UserError, match=r"pixels\.npy does not exist"):
        Pixels.open(path, index)


def test_importing_the_index_stays_cheap() -> None:
    code = "import sys, topdb.datasets.index; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "pydantic", "PIL"} & set(done.stdout.split())
