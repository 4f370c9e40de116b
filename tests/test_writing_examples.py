import io

import pyarrow.parquet as pq
import pytest
import tiny
from page_project import CHANGES, Study
from PIL import Image

from topdb.errors import UserError
from topdb.examples import write_examples
from topdb.results.examples import ExampleImage


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("examples"), rendered=False)


@pytest.fixture(scope="module")
def rows(study):
    return pq.read_table(study.examples).to_pylist()


def test_each_list_begins_with_its_query_and_follows_the_ranking(study, rows):
    assert list(rows[0]) == list(ExampleImage.__dataclass_fields__)
    lists = {}
    for row in rows:
        key = tuple(row[name] for name in ("kind", "place", "method", "ranking"))
        lists.setdefault(key, []).append(row)
    for (_, _, method, ranking), images in lists.items():
        assert [image["rank"] for image in images] == list(range(6))
        query = images[0]["query"]
        assert (images[0]["path"], images[0]["right"]) == (query, None)
        folder = study.results / "market1501" / method / "seed-1" / ranking
        top = [
            row
            for row in pq.read_table(folder / "top.parquet").to_pylist()
            if row["query"] == query
        ]
        found = [(row["gallery"], row["right"]) for row in top[:5]]
        assert [(image["path"], image["right"]) for image in images[1:]] == found
        scores = pq.read_table(folder / "queries.parquet").to_pylist()
        assert images[0]["ap"] in [row["ap"] for row in scores if row["path"] == query]


def test_all_kinds_are_there(rows):
    kinds = {row["kind"] for row in rows}
    assert {"best", "worst", "gained", "rk-gained"} <= kinds
    assert {row["place"] for row in rows if row["kind"] == "best"} == {1, 2}


def test_images_are_small_and_as_they_were_drawn(study, rows):
    for row in rows:
        with Image.open(io.BytesIO(row["image"])) as image:
            assert image.format == "WEBP"
            assert image.size == (row["width"], row["height"]) == (12, 24)
            with Image.open(study.folder / "data" / row["path"]) as original:
                small = original.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
            shown = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert max(abs(a - b) for a, b in zip(small, shown, strict=True)) < 12


def test_equal_input_gives_equal_bytes(study):
    again = study.folder / "again.parquet"
    write_examples(study.params, "tiny", study.results, again)
    assert again.read_bytes() == study.examples.read_bytes()


def test_a_method_that_is_not_run_is_named(tmp_path):
    with pytest.raises(UserError, match="examples.method names the method 'no-drop'; name one of"):
        tiny.params(tmp_path, {**CHANGES, "examples": {"method": "no-drop"}})


def test_top_db_net_is_shown_whichever_method_is_the_last(study, rows, tmp_path):
    changes = {**study.changes, "methods": ["top-db-net", "baseline"]}
    write_examples(tiny.params(tmp_path, changes), "tiny", study.results, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows


def test_nothing_run_yet_is_no_example(study, tmp_path):
    write_examples(study.params, "tiny", tmp_path, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_a_run_without_ranked_lists_is_named(study, tmp_path, monkeypatch):
    top = study.results / "market1501/top-db-net/seed-1/plain/top.parquet"
    monkeypatch.chdir(tmp_path)
    content = top.read_bytes()
    try:
        top.unlink()
        with pytest.raises(UserError, match=r"seed-1/plain/top.parquet.*topdb evaluate"):
            write_examples(study.params, "tiny", study.results, tmp_path / "out.parquet")
        top.write_bytes(b"PAR1")
        with pytest.raises(UserError, match=r"top.parquet is no readable"):
            write_examples(study.params, "tiny", study.results, tmp_path / "out.parquet")
    finally:
        top.write_bytes(content)
