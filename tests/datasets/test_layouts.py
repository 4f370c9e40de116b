import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdb.config import dropped_in
from topdb.datasets import cuhk03 as cuhk03_module
from topdb.datasets.layouts import dukemtmc_reid, load_layout, market1501
from topdb.datasets.records import SPLITS, ImageRecord
from topdb.errors import UserError


@pytest.mark.parametrize("name", dropped_in("datasets/layouts"))
def test_every_dropped_in_layout_conforms(name: str, tmp_path: Path) -> None:
    layout = load_layout(name)
    assert isinstance(layout.PROTOCOL, str)
    assert layout.PROTOCOL
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        layout.read(tmp_path / "absent")
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        layout.read(tmp_path)


def test_an_unknown_layout_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no layout 'msmt': name one of .*market1501"):
        load_layout("msmt")


def test_market1501(market: Path) -> None:
    records = load_layout("market1501").read(market)
    assert len(records) == 10
    assert ImageRecord("train", "bounding_box_train/0002_c1s1_000451_03.jpg", 2, 0) in records
    assert ImageRecord("gallery", "bounding_box_test/0000_c1s1_000151_01.jpg", 0, 0) in records
    assert ImageRecord("gallery", "bounding_box_test/-1_c1s1_000401_03.jpg", -1, 0) in records


def test_market1501_as_the_archive_unpacks(market: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    market.rename(outer / "Market-1501-v15.09.15")
    paths = {record.path for record in load_layout("market1501").read(outer)}
    assert "Market-1501-v15.09.15/query/0001_c1s1_001051_00.jpg" in paths


def test_dukemtmc_reid(duke: Path) -> None:
    records = load_layout("dukemtmc-reid").read(duke)
    assert ImageRecord("train", "bounding_box_train/0005_c8_f0046985.jpg", 5, 7) in records
    assert len(records) == 5


@pytest.mark.parametrize("boxes", ["labeled", "detected"])
def test_cuhk03(cuhk03: Path, boxes: str) -> None:
    records = load_layout(f"cuhk03-{boxes}").read(cuhk03)
    assert ImageRecord("query", f"images_{boxes}/1_002_1_01.png", 10_002, 0) in records
    trained = {record.pid for record in records if record.split == "train"}
    tested = {record.pid for record in records if record.split != "train"}
    assert trained == {10_001, 20_001}
    assert tested == {10_002}


def test_what_file_managers_leave_is_passed_over(market: Path) -> None:
    before = load_layout("market1501").read(market)
    for name in ("Thumbs.db", ".DS_Store", ".hidden.jpg", "._0001_c1s1_001051_00.jpg", "Icon\r"):
        (market / "query" / name).write_bytes(b"litter")
    for name in ("@eaDir", "__MACOSX"):
        (market / "query" / name).mkdir()
    assert load_layout("market1501").read(market) == before


@pytest.mark.parametrize(
    "name",
    [
        "0002_c1_f0046985.jpg",
        "2_c1s1_000451_03.jpg",
        "0002_c0s1_000451_03.jpg",
        "readme.txt",
        "-2_c1s1_000451_03.jpg",
        "0002_c1s1_000451_03.gif",
        "000002_c1s1_000451_03.jpg",
        "٠٠٠٢_c1s1_000451_03.jpg",
    ],
)
def test_a_name_that_fits_no_pattern_is_named(market: Path, name: str) -> None:
    (market / "query" / name).write_bytes(b"")
    with pytest.raises(UserError, match=rf"query/{re.escape(name)} does not fit"):
        load_layout("market1501").read(market)


def test_names_of_all_folders_are_told_at_once(market: Path) -> None:
    for folder in ("bounding_box_train", "query"):
        (market / folder / "readme.txt").write_bytes(b"")
    both = rf"{re.escape(str(market))}/bounding_box_train/readme\.txt, query/readme\.txt do not fit"
    with pytest.raises(UserError, match=both):
        load_layout("market1501").read(market)
    for number in range(20):
        (market / "query" / f"{number:02d}.txt").write_bytes(b"")
    with pytest.raises(UserError, match=r"query/08\.txt and 12 more do not fit .*remove the files"):
        load_layout("market1501").read(market)


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".png", ".jpg.jpg", ".Jpeg", ".PNG"])
@pytest.mark.parametrize("person", ["0002", "10002"])
def test_market1501_with_other_endings_and_many_people(
    market: Path, write_image: Any, ending: str, person: str
) -> None:
    write_image(market / "bounding_box_train" / f"{person}_c6s1_000451_09.png")
    path = market / "bounding_box_train" / f"{person}_c6s1_000451_09"
    path.with_suffix(".png").rename(f"{path}{ending}")
    records = load_layout("market1501").read(market)
    name = f"bounding_box_train/{person}_c6s1_000451_09{ending}"
    assert ImageRecord("train", name, int(person), 5) in records


def test_missing_and_empty_folders_are_named(market: Path) -> None:
    for file in (market / "query").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="query holds no images"):
        load_layout("market1501").read(market)
    (market / "query").rmdir()
    with pytest.raises(UserError, match="query is missing"):
        load_layout("market1501").read(market)


def test_a_folder_among_images_is_named(market: Path) -> None:
    (market / "query" / "more").mkdir()
    with pytest.raises(UserError, match="query/more is a folder"):
        load_layout("market1501").read(market)
    (market / "query" / "others").mkdir()
    with pytest.raises(UserError, match="query/more, others are folders .*move them elsewhere"):
        load_layout("market1501").read(market)


def test_a_distractor_outside_the_gallery_is_named(market: Path) -> None:
    (market / "bounding_box_train" / "0000_c1s1_000451_03.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"0000_c1s1_000451_03\.jpg is a distractor"):
        load_layout("market1501").read(market)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no list"),
        ('[{"train": 3, "query": [], "gallery": []}]', "holds no list"),
        ('[{"train": [[1, 2, 3]], "query": [], "gallery": []}]', "holds no list"),
        ('[{"train": [], "query": [], "gallery": []}]', "lists no image in train"),
    ],
)
def test_broken_cuhk03_lists_are_named(cuhk03: Path, text: str, complaint: str) -> None:
    (cuhk03 / "splits_new_labeled.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"splits_new_labeled\.json {complaint}"):
        load_layout("cuhk03-labeled").read(cuhk03)


def test_cuhk03_lists_and_images_must_fit(cuhk03: Path) -> None:
    layout = load_layout("cuhk03-labeled")
    lists = cuhk03 / "splits_new_labeled.json"
    content = json.loads(lists.read_text())
    content[0]["query"] *= 2
    lists.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"names 1_002_1_01\.png twice in query"):
        layout.read(cuhk03)
    (cuhk03 / "images_labeled" / "1_001_1_01.png").unlink()
    with pytest.raises(UserError, match=r"1_001_1_01\.png is missing"):
        layout.read(cuhk03)
    (cuhk03 / "images_labeled" / "6_001_1_01.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"6_001_1_01\.png does not fit"):
        layout.read(cuhk03)
    lists.unlink()
    (cuhk03 / "images_labeled" / "6_001_1_01.png").unlink()
    with pytest.raises(UserError, match=r"splits_new_labeled\.json is missing"):
        layout.read(cuhk03)


@given(
    pid=st.integers(-1, 9999),
    cam=st.integers(1, 99),
    frame=st.integers(0, 999_999),
    box=st.integers(0, 99),
)
def test_market1501_names_give_back_person_and_camera(
    pid: int, cam: int, frame: int, box: int
) -> None:
    person = "-1" if pid == -1 else f"{pid:04d}"
    match = market1501.FILE_NAME.fullmatch(f"{person}_c{cam}s1_{frame:06d}_{box:02d}.jpg")
    assert match
    assert (int(match["pid"]), int(match["cam"])) == (pid, cam)


@given(pid=st.integers(0, 9999), cam=st.integers(1, 8), frame=st.integers(0, 9_999_999))
def test_duke_names_give_back_person_and_camera(pid: int, cam: int, frame: int) -> None:
    match = dukemtmc_reid.FILE_NAME.fullmatch(f"{pid:04d}_c{cam}_f{frame:07d}.jpg")
    assert match
    assert (int(match["pid"]), int(match["cam"])) == (pid, cam)


@given(st.text(max_size=30))
def test_other_names_never_match_by_accident(name: str) -> None:
    for pattern in (market1501.FILE_NAME, dukemtmc_reid.FILE_NAME, cuhk03_module.FILE_NAME):
        match = pattern.fullmatch(name)
        assert match is None or name.isascii()


pairs = st.tuples(st.integers(1, 5), st.integers(1, 9999))


@given(pairs, pairs)
def test_cuhk03_people_have_ids_of_their_own(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (cuhk03_module.person_id(*a) == cuhk03_module.person_id(*b)) == (a == b)
    assert cuhk03_module.person_id(*a) > 0


def test_splits_are_listed_in_the_order_of_the_index() -> None:
    assert SPLITS == ("train", "query", "gallery")
