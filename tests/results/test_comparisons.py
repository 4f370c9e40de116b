import math
from dataclasses import fields, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from topdb.errors import UserError
from topdb.results.comparisons import (
    KINDS,
    CellComparison,
    Comparisons,
    gathered,
    read_comparisons,
    write_comparisons,
)
from topdb.results.seals import write_sealed_table

VALUES = {str: 'a, "b"\n|', float: 0.1 + 0.2, int: 3}


def row(kind, **changes):
    """A row of a kind with a value in each of its fields."""
    values = {}
    for field in fields(kind):
        known = VALUES.get(field.type, 7 if field.type == (int | None) else "plain")
        values[field.name] = known
    return kind(**values | changes)


@pytest.fixture
def comparisons():
    cell = row(CellComparison, dataset="market1501", method="baseline", quantity="mAP")
    gap = replace(cell, quantity="R1", low=math.nan, seeds_to_settle=None)
    rest = {
        name: (row(KINDS[kind], id="one"), row(KINDS[kind], id="two"))
        for kind, name in (("claim", "claims"), ("claim_part", "claim_parts"))
    }
    return Comparisons(
        "tiny",
        rendered=True,
        paper="top_db_net",
        tables=("table1",),
        cells=(cell, gap),
        differences=(row(KINDS["difference"]),),
        one_seed_parts=(row(KINDS["one_seed_part"]),),
        **rest,
    )


def test_the_file_gives_back_every_kind_of_row(comparisons, tmp_path):
    path = tmp_path / "comparisons.parquet"
    write_comparisons(comparisons, path)
    assert repr(read_comparisons(path, "tiny")) == repr(comparisons)  # NaN and None too
    write_comparisons(comparisons, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()
    kinds = pq.read_table(path)["kind"].to_pylist()
    assert kinds == [
        "cell",
        "cell",
        "difference",
        *["claim"] * 2,
        *["claim_part"] * 2,
        "one_seed_part",
    ]
    assert pq.read_table(path)["low"].to_pylist()[1] is None


def test_rows_are_found_by_name(comparisons):
    assert comparisons.cell("market1501", "baseline", "plain", "R1") is comparisons.cells[1]
    assert comparisons.cell("market1501", "baseline", "rk", "R1") is None
    assert [part.id for part in comparisons.parts("two")] == ["two"]
    assert comparisons.parts("three") == ()


def test_a_file_without_comparisons_has_all_columns(tmp_path):
    path = tmp_path / "comparisons.parquet"
    nothing = Comparisons("tiny", False, "top_db_net", ("table1", "table2"))
    write_comparisons(nothing, path)
    assert read_comparisons(path, "tiny") == nothing
    wanted = {field.name for kind in KINDS.values() for field in fields(kind)}
    assert set(pq.read_schema(path).names) == wanted | {"kind"}


def test_the_tables_of_a_paper_are_gathered_and_the_largest_says_what_it_shares(comparisons):
    cell = comparisons.cells[0]
    other = replace(cell, method="bot")
    larger = replace(
        comparisons,
        tables=("table2",),
        cells=(replace(cell, mean=1.0), *comparisons.cells[1:], other),
        claims=(replace(comparisons.claims[0], id="three"),),
    )
    for tables in ((comparisons, larger), (larger, comparisons)):
        found = gathered(tables)
        assert set(found.tables) == {"table1", "table2"}
        assert found.cell("market1501", "baseline", "plain", "mAP").mean == 1.0
        assert len(found.cells) == 3
        assert [claim.id for claim in found.claims] == ["three", "one", "two"]


def test_a_file_of_another_profile_is_refused(comparisons, tmp_path):
    write_comparisons(comparisons, tmp_path / "c.parquet")
    with pytest.raises(UserError, match=r"the runs of profile tiny, not of paper.*topdb judge"):
        read_comparisons(tmp_path / "c.parquet", "paper")


def test_a_file_of_another_version_is_refused(comparisons, tmp_path):
    path = tmp_path / "c.parquet"
    write_comparisons(comparisons, path)
    write_sealed_table(path, pq.read_table(path).drop_columns(["delta"]))
    with pytest.raises(UserError, match="written by another version"):
        read_comparisons(path, "tiny")
    pq.write_table(pa.table({"dataset": ["market1501"]}), path)
    with pytest.raises(UserError, match="written by another version"):
        read_comparisons(path, "tiny")


@pytest.mark.parametrize("content", [b"", b"no table", b"PAR1 cut", None])
def test_a_broken_or_missing_file_is_named(tmp_path, content):
    path = tmp_path / "comparisons.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="run `topdb judge` first"):
        read_comparisons(path, "tiny")
