"""Layouts of circulation, lists of one's own, and data sets that lie a little elsewhere."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from topdb.datasets.layouts import load_layout
from topdb.datasets.records import ImageRecord, located
from topdb.errors import UserError

WriteImage = Callable[..., None]

LIST = """path,person,camera,split
a/1.jpg,anna,door,train
a/2.jpg,ben,door,query
b/3.png,ben,yard,gallery
"""


def folders(root: Path, files: dict[str, list[str]], write_image: WriteImage) -> Path:
    for folder, names in files.items():
        for name in names:
            write_image(root / folder / name)
    return root


@pytest.fixture
def cuhk03_np(tmp_path: Path, write_image: WriteImage) -> Path:
    return folders(
        tmp_path / "np" / "cuhk03-np",
        {
            "labeled/bounding_box_train": ["0001_c1_13.png", "0001_c2_14.png"],
            "labeled/query": ["0002_c1_17.png"],
            "labeled/bounding_box_test": ["0002_c2_22.png"],
        },
        write_image,
    )


@pytest.mark.parametrize("root", ["cuhk03-np", ".", "cuhk03-np/labeled"])
def test_cuhk03_np_is_found_by_its_folders(cuhk03_np: Path, root: str) -> None:
    records = load_layout("cuhk03-np-labeled").read(cuhk03_np.parent / root)
    assert {(each.split, each.pid, each.camid) for each in records} == {
        ("train", 1, 0),
        ("train", 1, 1),
        ("query", 2, 0),
        ("gallery", 2, 1),
    }
    assert all((cuhk03_np.parent / root / each.path).is_file() for each in records)


def test_cuhk03_np_without_the_wanted_boxes_is_named(cuhk03_np: Path) -> None:
    with pytest.raises(UserError, match=r"detected/bounding_box_train is missing"):
        load_layout("cuhk03-np-detected").read(cuhk03_np)


def test_veri_776(tmp_path: Path, write_image: WriteImage) -> None:
    root = folders(
        tmp_path / "VeRi",
        {
            "image_train": ["0001_c001_00016450_0.jpg"],
            "image_query": ["0002_c002_00030600_0.jpg"],
            "image_test": ["0002_c020_00030600_1.jpg"],
        },
        write_image,
    )
    records = load_layout("veri-776").read(root)
    assert ImageRecord("gallery", "image_test/0002_c020_00030600_1.jpg", 2, 19) in records


@pytest.mark.parametrize("names", ["0002_c1s1_000451_03.JPG", "00002_c1s1_000451_03.jpeg"])
def test_markets_layout_takes_other_endings_and_five_digits(
    market: Path, names: str, write_image: WriteImage
) -> None:
    (market / "bounding_box_train" / "0002_c1s1_000451_03.jpg").unlink()
    write_image(market / "bounding_box_train" / "x.jpg")
    (market / "bounding_box_train" / "x.jpg").rename(market / "bounding_box_train" / names)
    records = load_layout("market1501").read(market)
    assert ImageRecord("train", f"bounding_box_train/{names}", 2, 0) in records


def test_all_wrong_names_are_told_at_once(market: Path) -> None:
    for number in range(14):
        (market / "query" / f"wrong{number:02d}.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"wrong00\.jpg, .*wrong09\.jpg and 4 more do not fit"):
        load_layout("market1501").read(market)


def test_a_data_set_one_or_two_levels_down_is_found(market: Path, tmp_path: Path) -> None:
    expected = load_layout("market1501").read(market)
    inner = tmp_path / "outer" / "renamed" / "Market"
    inner.parent.mkdir(parents=True)
    market.rename(inner)
    for root, prefix in ((inner.parent, "Market/"), (inner.parents[1], "renamed/Market/")):
        found = load_layout("market1501").read(root)
        assert [each.path for each in found] == [prefix + each.path for each in expected]


def test_two_data_sets_below_a_root_are_named(market: Path) -> None:
    shutil.copytree(market, market.parent / "second" / "a")
    shutil.copytree(market, market.parent / "second" / "b")
    with pytest.raises(UserError, match=r"several data sets \(.*second/a, .*second/b\)"):
        load_layout("market1501").read(market.parent / "second")


def test_an_archive_as_root_is_named(tmp_path: Path) -> None:
    archive = tmp_path / "Market.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(UserError, match=r"is a file: unpack it with `topdb add NAME"):
        located(archive, "query")


@pytest.fixture
def listed(tmp_path: Path, write_image: WriteImage) -> Path:
    for name in ("a/1.jpg", "a/2.jpg", "b/3.png"):
        write_image(tmp_path / "mine" / name)
    (tmp_path / "mine" / "list.csv").write_text(LIST, encoding="utf-8")
    return tmp_path / "mine"


def test_a_list_of_names_is_numbered(listed: Path) -> None:
    assert load_layout("list").read(listed) == [
        ImageRecord("train", "a/1.jpg", 1, 0),
        ImageRecord("query", "a/2.jpg", 2, 0),
        ImageRecord("gallery", "b/3.png", 2, 1),
    ]
    assert load_layout("list").read(listed.parent)[0].path == "mine/a/1.jpg"


def test_a_list_of_numbers_keeps_them(listed: Path) -> None:
    text = LIST.replace("anna", "7").replace("ben", "-1").replace("door", "3").replace("yard", "9")
    (listed / "list.csv").write_text("\ufeff" + text, encoding="utf-8")
    found = [(each.pid, each.camid) for each in load_layout("list").read(listed)]
    assert found == [(7, 3), (-1, 3), (-1, 9)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("../x.jpg,anna,door,train", r"line 5 \('\.\./x\.jpg' leads out"),
        ("/etc/passwd,anna,door,train", "line 5 .*leads out"),
        ("c/4.jpg,anna,door,train", r"line 5 \(c/4\.jpg is not there\)"),
        ("a/1.jpg,anna,door,test", "split 'test' is not one of train, query, gallery"),
        ("a/1.jpg,anna,door", "no split"),
        ("a/1.jpg,anna,door,train", "line 5 .the image of line 2 again"),
    ],
)
def test_wrong_lines_are_named(listed: Path, line: str, complaint: str) -> None:
    with (listed / "list.csv").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(UserError, match=complaint):
        load_layout("list").read(listed)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("path,person,camera\n", "has no column split"),
        ("path,person,camera,split\n", "lists no image"),
        (LIST.replace("anna", "-2").replace("ben", "5"), "holds the number -2"),
    ],
)
def test_broken_lists_are_named(listed: Path, text: str, complaint: str) -> None:
    (listed / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        load_layout("list").read(listed)
