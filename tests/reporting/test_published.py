import math

import pytest
import tiny

from topdb.errors import UserError
from topdb.reporting.published import places, read_oddities, read_published

PUBLISHED = tiny.ROOT / "reports/published"


def value(rows, method, dataset, quantity):
    (row,) = [row for row in rows if row.method == method]
    return row.cells[dataset, quantity].value


def test_table_1_has_four_whole_rows():
    rows = read_published(PUBLISHED / "table1.csv")
    assert sorted(row.method for row in rows) == [
        "Baseline",
        "Top-DB-Net",
        "no-drop Top-DB-Net",
        "no-reg Top-DB-Net",
    ]
    assert all(len(row.cells) == 8 and not row.reranked for row in rows)
    assert value(rows, "Top-DB-Net", "market1501", "mAP") == 85.8
    assert value(rows, "Baseline", "dukemtmc-reid", "R1") == 85.6


def test_table_2_has_ten_competitors_and_four_reranked_rows():
    rows = read_published(PUBLISHED / "table2.csv")
    assert len([row for row in rows if not row.reranked]) == 11
    assert len([row for row in rows if row.reranked]) == 4
    assert value(rows, "Top-DB-Net (Ours)", "cuhk03-labeled", "R1") == 79.4
    (bot,) = [row for row in rows if row.method == "BoT (Luo 2019)"]
    assert ("cuhk03-labeled", "mAP") not in bot.cells
    assert bot.cells["market1501", "mAP"].printed_place == 5
    assert bot.cells["market1501", "R1"].printed_place is None


def test_both_tables_agree_on_top_db_net():
    first = read_published(PUBLISHED / "table1.csv")
    second = read_published(PUBLISHED / "table2.csv")
    (one,) = [row for row in first if row.method == "Top-DB-Net"]
    (other,) = [row for row in second if row.method == "Top-DB-Net (Ours)"]
    assert {key: cell.value for key, cell in one.cells.items()} == {
        key: cell.value for key, cell in other.cells.items()
    }


def test_equal_values_share_a_place_and_no_place_is_skipped():
    assert places([88.2, 88.6, 88.2, 87.6]) == [2, 1, 2, 3]
    assert places([]) == []


def test_the_papers_places_differ_from_the_recomputed_ones_in_two_cells_of_market1501_map():
    rows = [row for row in read_published(PUBLISHED / "table2.csv") if not row.reranked]
    cells = [row.cells["market1501", "mAP"] for row in rows]
    recomputed = places([cell.value for cell in cells])
    odd = {
        row.method: (cell.printed_place, place)
        for row, cell, place in zip(rows, cells, recomputed, strict=True)
        if cell.printed_place not in (None, place)
    }
    assert odd == {"BoT (Luo 2019)": (5, 6), "Top-DB-Net (Ours)": (6, 7)}


def test_a_missing_file_names_the_option(tmp_path):
    with pytest.raises(UserError, match=r"table1.csv does not exist.*--published"):
        read_published(tmp_path / "table1.csv")


@pytest.mark.parametrize("text", ["85,8", "n/a", "858", "-3"])
def test_a_value_that_is_no_percentage_is_named(tmp_path, text):
    path = tmp_path / "table1.csv"
    path.write_text(f'method,market1501_mAP,market1501_mAP_ordinal\nX,"{text}",\n')
    with pytest.raises(UserError, match=r"in column market1501_mAP is no percentage"):
        read_published(path)


def test_no_printed_value_is_out_of_reach():
    for name in ("table1", "table2"):
        for row in read_published(PUBLISHED / f"{name}.csv"):
            for cell in row.cells.values():
                assert 60.0 < cell.value < 100.0
                assert math.isclose(cell.value * 10, round(cell.value * 10))


def test_oddities_are_told_for_the_tables_and_data_sets_that_show_them(tmp_path):
    path = PUBLISHED / "oddities.csv"
    (repository,) = read_oddities(path, "table1", ["cuhk03-detected", "market1501"])
    assert "74.2 mAP where the paper prints 73.2" in repository
    everywhere = read_oddities(path, "table2", ["market1501"])
    assert "SONA, DenSem and Auto-ReID are printed only" in everywhere[1]
    both = read_oddities(path, "table2", ["cuhk03-detected", "cuhk03-labeled"])
    assert len(both) == 2 + len(everywhere)
    assert read_oddities(path, "table1", ["market1501"]) == []
    with pytest.raises(UserError, match="does not exist"):
        read_oddities(tmp_path / "oddities.csv", "table1", [])
    (tmp_path / "oddities.csv").write_text("table,remark\ntable1,odd\n")
    with pytest.raises(UserError, match="lacks the column 'dataset'"):
        read_oddities(tmp_path / "oddities.csv", "table1", [])
