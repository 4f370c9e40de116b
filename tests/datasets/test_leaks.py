import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny

from topdb.config import LeakSettings
from topdb.datasets.account import account
from topdb.datasets.building import build_index
from topdb.datasets.index import Index
from topdb.datasets.leaks import duplicates, find_leaks
from topdb.errors import UserError

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
ONE_QUERY = f"{QUERY}/0001_c1s1_001051_00.jpg"


ALLOWED = LeakSettings(train_test="warning")


def built(root: Path, leaks: LeakSettings = ALLOWED) -> Index:
    files = root.parent / "i.parquet", root.parent / "p.npy"
    return build_index("m", "market1501", root, *files, leaks=leaks)


def found(root: Path) -> list[tuple[str, str, int]]:
    return [(each.side, each.what, len(each.pairs)) for each in find_leaks(built(root))]


@pytest.fixture
def copy(market: Path) -> Any:
    def copied(source: str, *targets: str) -> None:
        for target in targets:
            shutil.copy(market / source, market / target)

    return copied


def test_a_sound_data_set_has_none(market: Path) -> None:
    index = built(market)
    assert find_leaks(index) == []
    assert duplicates(index) == {"train": 0, "query": 0, "gallery": 0}


@pytest.mark.parametrize("folder", [QUERY, GALLERY])
def test_an_image_in_train_and_test(market: Path, copy: Any, folder: str) -> None:
    copied = f"{folder}/0009_c4s1_000001_00.jpg"
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", copied)
    (leak,) = find_leaks(built(market))
    assert leak.side == "train_test"
    assert leak.sentence == (
        "1 images of train are in query or gallery, too "
        f"({TRAIN}/0002_c1s1_000451_03.jpg and {copied})"
    )


def test_a_query_in_the_gallery_counts_under_another_camera_alone(market: Path, copy: Any) -> None:
    copy(ONE_QUERY, f"{GALLERY}/0001_c1s1_009999_00.jpg")
    assert found(market) == []
    copy(ONE_QUERY, f"{GALLERY}/0001_c5s1_001051_00.jpg", f"{GALLERY}/0001_c6s1_001051_00.jpg")
    ((side, what, images),) = found(market)
    assert (side, images) == ("within_test", 1)
    assert "in the gallery under another camera" in what
    assert duplicates(built(market)) == {"train": 0, "query": 0, "gallery": 2}


def test_one_image_of_two_people(market: Path, copy: Any) -> None:
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", f"{TRAIN}/0007_c1s1_000451_03.jpg")
    copy(ONE_QUERY, f"{GALLERY}/0000_c1s1_001051_00.jpg", f"{QUERY}/0003_c4s1_001051_00.jpg")
    assert [(side, images) for side, _, images in found(market)] == [
        ("within_test", 3),
        ("within_train", 2),
    ]


def test_copies_in_train_are_counted_and_no_leak(market: Path, copy: Any) -> None:
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", f"{TRAIN}/0002_c4s1_000451_03.jpg")
    assert found(market) == []
    assert duplicates(built(market))["train"] == 1


def test_many_copies_of_one_image_take_no_longer_and_few_are_named(market: Path, copy: Any) -> None:
    copy(ONE_QUERY, *(f"{TRAIN}/0002_c4s1_{number:06d}_00.jpg" for number in range(300)))
    (leak,) = find_leaks(built(market))
    assert leak.sentence.startswith("300 images of train are in query or gallery, too (")
    assert leak.sentence.endswith("; 297 more)")
    assert leak.sentence.count(" and ") == 3


def test_the_same_pixels_in_another_file_are_a_copy(market: Path, copy: Any) -> None:
    copied = f"{QUERY}/0009_c4s1_000001_00.jpg"
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", copied)
    path = market / copied
    path.write_bytes(path.read_bytes() + b"after the end")
    assert [side for side, _, _ in found(market)] == ["train_test"]


def test_a_leak_between_train_and_test_is_an_error_and_leaves_what_was_there(
    market: Path, copy: Any
) -> None:
    built(market)
    files = [market.parent / name for name in ("i.parquet", "p.npy")]
    before = [path.read_bytes() for path in files]
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", f"{QUERY}/0009_c4s1_000001_00.jpg")
    said = (
        r"data set m: 1 images of train are in query or gallery, too \(bounding_box_train/0002\S+ "
        r"and query/0009_c4s1_000001_00\.jpg\): remove them, or set leaks\.train_test of the data "
        r"set in params\.yaml to warning\.$"
    )
    with pytest.raises(UserError, match=said):
        built(market, LeakSettings())
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("side", ["within_train", "within_test"])
def test_leaks_within_a_side_are_errors_where_asked(market: Path, copy: Any, side: str) -> None:
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", f"{TRAIN}/0007_c1s1_000451_03.jpg")
    copy(ONE_QUERY, f"{GALLERY}/0001_c5s1_001051_00.jpg")
    built(market, LeakSettings())
    with pytest.raises(UserError, match=rf"set leaks\.{side} of the data set"):
        built(market, LeakSettings.model_validate({side: "error"}))


def test_the_content_that_is_asked_for_is_required(market: Path) -> None:
    files = market.parent / "i.parquet", market.parent / "p.npy"
    content = str(built(market).content)
    build_index("m", "market1501", market, *files, content=content[:8])
    with pytest.raises(UserError, match=f"its content is {content[:16]}, and .* 01234567: get"):
        build_index("m", "market1501", market, *files, content="01234567")


def test_a_run_is_told_what_is_odd_about_its_data(
    market: Path, copy: Any, write_image: Any
) -> None:
    copy(ONE_QUERY, f"{GALLERY}/0001_c5s1_001051_00.jpg")
    copy(f"{TRAIN}/0002_c1s1_000451_03.jpg", f"{TRAIN}/0002_c4s1_000451_03.jpg")
    write_image(market / QUERY / "0003_c4s3_079494_00.jpg", mode="L")
    index = built(market)
    told = account(index)
    (leak,) = told.pop("leaks")
    assert leak.startswith("1 query images are in the gallery under another camera")
    assert told.pop("counts")["query"] == {"images": 3, "people": 2, "cameras": 3}
    assert told == {
        "layout": "market1501",
        "protocol": "Market-1501, single query",
        "release": None,
        "content": index.content,
        "conversions": {"grey": 1},
        "copies": {"train": 1},
    }


def test_the_command_tells_it_too(
    market: Path,
    copy: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy(ONE_QUERY, f"{GALLERY}/0001_c5s1_001051_00.jpg")
    files = ["--index", tmp_path / "i.parquet", "--pixels", tmp_path / "p.npy"]
    params = tiny.write_params(tmp_path, {"datasets.market1501.root": str(market)})
    arguments = ["index", "market1501", "--params", params, *files]
    assert tiny.topdb(monkeypatch, *arguments) == 0
    output = capsys.readouterr().out
    assert re.search("market1501: Market-1501, single query; content [0-9a-f]{16}\n", output)
    assert "  note: 1 query images are in the gallery under another camera" in output
    leaks = {"datasets.market1501.root": str(market), "datasets.market1501.content": "00000000"}
    tiny.write_params(tmp_path, leaks)
    assert tiny.topdb(monkeypatch, *arguments) == 2
    assert "and params.yaml asks for 00000000" in capsys.readouterr().err
