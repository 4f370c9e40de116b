from pathlib import Path
from typing import Any

import pytest
import tiny

from topdb.config import dropped_in
from topdb.datasets.layouts import PublishedLayout, load_layout
from topdb.datasets.reading import Source, verify
from topdb.datasets.records import Published
from topdb.errors import UserError

STATED = {
    "market1501": {"train": (751, 12_936), "query": (750, 3_368), "gallery": (750, 15_913)},
    "dukemtmc-reid": {"train": (702, 16_522), "query": (702, 2_228), "gallery": (1_110, 17_661)},
    "cuhk03-labeled": {"train": (767, 7_368), "query": (700, 1_400), "gallery": (700, 5_328)},
    "cuhk03-detected": {"train": (767, 7_365), "query": (700, 1_400), "gallery": (700, 5_332)},
    "msmt17": {"train": (1_041, 32_621), "query": (3_060, 11_659), "gallery": (3_060, 82_161)},
}
SMALL = {
    "train": Published(people=2, images=4, cameras=3),
    "query": Published(people=2, images=2, cameras=2),
    "gallery": Published(people=2, images=3, cameras=2),
}
"""What the fixture `market` holds: junk is left out, and distractors are no people."""


@pytest.fixture
def small(market: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    layout = load_layout("market1501")
    monkeypatch.setattr(layout, "PUBLISHED", SMALL)
    return market


def checked(root: Path, allow_partial: bool = False) -> None:
    verify("market1501", Source("market1501", root)).require(allow_partial)


@pytest.mark.parametrize("name", STATED)
def test_the_published_counts_are_those_of_the_papers(name: str) -> None:
    layout = load_layout(name)
    assert isinstance(layout, PublishedLayout)
    found = {split: (each.people, each.images) for split, each in layout.PUBLISHED.items()}
    assert found == STATED[name]


def test_every_layout_of_the_package_has_published_counts() -> None:
    for name in {*dropped_in("datasets/layouts")} - {"list"}:
        assert isinstance(load_layout(name), PublishedLayout), name


def test_a_whole_data_set_passes(small: Path) -> None:
    found = verify("market1501", Source("market1501", small))
    found.require(allow_partial=False)
    assert [each.found for each in found.compared] == [2, 4, 3, 2, 2, 2, 2, 3, 2]
    assert {each.difference for each in found.compared} == {0}


def test_a_missing_image_is_an_error_that_names_split_and_number(small: Path) -> None:
    (small / "bounding_box_train" / "0002_c1s1_000451_03.jpg").unlink()
    with pytest.raises(UserError, match=r"train has 3 images instead of 4 \(1 fewer\)"):
        checked(small)
    checked(small, allow_partial=True)


def test_a_subset_has_no_more_than_the_whole(small: Path, write_image: Any) -> None:
    write_image(small / "query" / "0001_c2s1_001051_00.jpg")
    with pytest.raises(UserError, match=r"query has 3 images instead of 2 \(1 more\)"):
        checked(small, allow_partial=True)


def test_junk_and_distractors_are_counted_as_published(small: Path, write_image: Any) -> None:
    write_image(small / "bounding_box_test" / "-1_c2s1_001051_00.jpg")
    checked(small)
    write_image(small / "bounding_box_test" / "0000_c2s1_001051_00.jpg")
    with pytest.raises(UserError) as caught:
        checked(small)
    assert "gallery has 4 images instead of 3 (1 more): complete" in str(caught.value)


def test_an_empty_image_is_named(small: Path) -> None:
    (small / "query" / "0001_c1s1_001051_00.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"query/0001_c1s1_001051_00\.jpg is empty"):
        checked(small)


def test_all_files_that_are_no_images_are_named(small: Path) -> None:
    first, second = sorted((small / "query").iterdir())[:2]
    first.write_bytes(b"")
    second.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UserError) as caught:
        checked(small)
    said = str(caught.value)
    assert said.startswith(f"2 files are wrong: {first} is empty: replace it")
    assert f"{second} is a pointer of git-lfs (its first bytes say so)" in said


def test_another_data_set_in_the_layout_has_nothing_to_compare_with(small: Path) -> None:
    found = verify("street", Source("market1501", small))
    assert {each.published for each in found.compared} == {None}
    found.require(allow_partial=False)
    assert "–" in found.table()


def test_the_table_has_a_line_for_each_number(small: Path) -> None:
    (small / "bounding_box_train" / "0002_c1s1_000451_03.jpg").unlink()
    lines = verify("market1501", Source("market1501", small)).table().splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["split", "published", "found", "difference"]
    assert lines[2].split() == ["train", "images", "4", "3", "-1"]
    assert lines[5].split() == ["query", "images", "2", "2"]


def test_the_command(
    market: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(market)
    assert tiny.topdb(monkeypatch, "verify", "market1501", "--root", market) == 2
    output = capsys.readouterr()
    assert "train   images      12,936         4     -12,932" in output.out
    assert "train has 4 images instead of 12,936 (12,932 fewer)" in output.err
    assert output.err.count("\n") == 1
    options = ("--root", market, "--allow-partial")
    assert tiny.topdb(monkeypatch, "verify", "market1501", *options) == 0
    street = {"layout": "market1501", "root": "street"}
    params = tiny.write_params(market.parent, {"datasets.street": street})
    options = ("--root", market, "--params", params)
    assert tiny.topdb(monkeypatch, "verify", "street", *options) == 0
    assert tiny.topdb(monkeypatch, "verify", "market1502", "--root", market) == 2
    assert "did you mean 'market1501'?" in capsys.readouterr().err
