import shutil
from pathlib import Path
from typing import Any

import pytest

from topdb.datasets.building import build_index
from topdb.datasets.index import Index
from topdb.datasets.leaks import duplicates, find_leaks

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
ONE_QUERY = f"{QUERY}/0001_c1s1_001051_00.jpg"


def built(root: Path) -> Index:
    return build_index("m", "market1501", root, root.parent / "i.parquet", root.parent / "p.npy")


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
