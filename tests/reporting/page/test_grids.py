"""Tables without what says nothing, worked out by hand."""

import math
from dataclasses import replace

from topdb.reporting.documents import Block, Column, DifferenceLine, Document, Entry, Line
from topdb.reporting.page.grids import grid, page_tables
from topdb.results.comparisons import Comparisons, read_comparisons

COLUMNS = tuple(
    Column(name, title, quantity)
    for name, title in (("a", "A"), ("b", "B"))
    for quantity in ("mAP", "R1")
)
NONE = Comparisons("tiny", rendered=False)


def line(name, *values, seeds=3, **stated):
    entries = (
        None if value is None else Entry(value, sd=0.1, seeds=seeds, **stated) for value in values
    )
    return Line(name, name, tuple(entries))


def document(*blocks, **stated):
    empty = {
        "name": "table1",
        "title": "Table 1. Something",
        "warning": (),
        "answer": (),
        "legend": (),
        "columns": COLUMNS,
        "blocks": tuple(blocks),
        "claims_title": "",
        "claims_legend": (),
        "claims": (),
        "differences_title": "Difference to Baseline",
        "differences_legend": (),
        "differences": (),
    }
    return Document(**{**empty, **stated})


def measured(*lines):
    return Block("Measured", True, "plain", lines)


def printed(*lines):
    return Block("Published", False, "plain", lines)


def test_rows_and_data_sets_without_a_value_are_left_out():
    found = grid(
        COLUMNS,
        [
            measured(line("one", 1.0, 2.0, None, None), line("two", None, None, None, None)),
            printed(line("three", None, None, None, math.nan)),
        ],
    )
    assert found.datasets == (("a", "A", 2),)
    ((own,),) = [block.lines for block in found.blocks]
    assert own.name == "one"
    assert [entry.value for entry in own.entries] == [1.0, 2.0]
    assert found.lines == 1


def test_a_verdict_without_a_value_is_kept():
    entry = Entry(math.nan, seeds=0, verdict="INCOMPLETE")
    block = measured(Line("one", "one", (entry, None, None, None)))
    assert grid(COLUMNS, [block]).lines == 1


def test_what_is_the_same_in_all_cells_moves_to_the_caption():
    blocks = measured(line("one", *[1.0] * 4), line("two", 1.0, 1.0, 1.0, 1.0))
    (table,) = page_tables([document(blocks, printed(line("x", 1.0, 1.0, 1.0, 1.0)))], NONE)
    assert table.seeds == 3
    assert table.caption == (
        "mAP and rank-1 (R1) in percent: mean ± standard deviation between 3 seeds.",
    )
    fewer = measured(line("one", *[1.0] * 4), line("two", 1.0, 1.0, None, None, seeds=2))
    (table,) = page_tables([document(fewer)], NONE)
    assert "; other numbers of seeds in brackets." in table.caption[0]
    gap = measured(line("one", 1.0, 1.0, None, None), line("two", *[None] * 4))
    (table,) = page_tables([document(gap)], NONE)
    assert table.caption[-1] == "No run yet: two, B."


def test_a_paper_that_prints_nothing_of_these_data_heads_no_table():
    small = document(measured(line("one", *[1.0] * 4)))
    wide = document(measured(line("one", *[1.0] * 4), line("two", *[2.0] * 4)), name="table2")
    (only,) = page_tables([small, wide], NONE)
    assert (only.name, only.title) == ("table2", "Results")
    told = document(measured(line("one", *[1.0] * 4)), printed(line("x", *[1.0] * 4)))
    assert [each.title for each in page_tables([told, wide], NONE)] == ["Table 1. Something"]
    assert page_tables([document(measured())], NONE) == ()


def test_an_adjusted_p_that_cannot_be_small_is_left_out(real):
    found = read_comparisons(real.comparisons, "tiny").differences
    plain = next(each for each in found if each.ranking == "plain")
    lines = tuple(
        DifferenceLine("A", "one", (replace(plain, ranking=ranking),))
        for ranking in ("plain", "rk")
    )
    blocks = measured(line("one", *[1.0] * 4))

    def table(floors):
        made = document(blocks, differences=lines, differences_floor=(("so few",),) * floors)
        return page_tables([made], NONE)[0]

    assert table(0).adjusted
    assert table(1).adjusted  # of the other ranking it says something
    assert not table(2).adjusted
    assert table(2).difference_seeds == "3 seeds of each method."
