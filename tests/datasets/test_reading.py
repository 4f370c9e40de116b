"""Distractors and numbered splits: what a data set takes besides its folder."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from topdb.datasets.building import build_index
from topdb.datasets.index import Index, Pixels
from topdb.datasets.layouts import market1501
from topdb.datasets.reading import Source, read_source
from topdb.datasets.records import JUNK
from topdb.errors import UserError

NAMES = ("0000_c1s1_000002_00.jpg", "0_c6s2_000002_01.jpg", "-1_c3s1_000007_02.jpg")


@pytest.fixture
def distractors(tmp_path: Path, write_image: Any) -> Path:
    folder = tmp_path / "elsewhere" / "images"
    for name in NAMES:
        write_image(folder / name, size=(5, 9))
    return folder


def build(market: Path, distractors: Path | None, out: Path) -> Index:
    files = out / "index.parquet", out / "pixels.npy"
    return build_index("m", "market1501", market, *files, distractors=distractors)


def test_distractors_join_the_gallery(market: Path, distractors: Path, tmp_path: Path) -> None:
    without, index = (build(market, each, tmp_path) for each in (None, distractors))
    gallery = index.split("gallery")
    more = [path for path in gallery.paths if path.startswith("distractors/")]
    assert more == ["distractors/0000_c1s1_000002_00.jpg", "distractors/0_c6s2_000002_01.jpg"]
    rows = [gallery.paths.index(path) for path in more]
    assert gallery.pids[rows].tolist() == [0, 0]
    assert gallery.camids[rows].tolist() == [0, 5]
    assert index.junk == without.junk + 1
    assert index.protocol == "Market-1501, single query, 3 more distractors"
    assert index.split("train").paths == without.split("train").paths
    assert index.digest != without.digest


def test_their_pixels_are_cached(market: Path, distractors: Path, tmp_path: Path) -> None:
    index = build(market, distractors, tmp_path)
    row = index.paths.index("distractors/0000_c1s1_000002_00.jpg")
    with Image.open(distractors / NAMES[0]) as image:
        expected = np.asarray(image)
    assert np.array_equal(Pixels.open(tmp_path / "pixels.npy", index)[row], expected)


def test_where_they_lie_does_not_change_the_index(
    market: Path, distractors: Path, tmp_path: Path
) -> None:
    digest = build(market, distractors, tmp_path).digest
    moved = distractors.rename(market / "images")
    assert build(market, moved, tmp_path).digest == digest


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("0002_c1s1_000451_03.jpg", r"0002_c1s1_000451_03\.jpg shows person 2"),
        ("readme.txt", "does not fit"),
        ("0000_s1_000451_03.jpg", "does not fit"),
    ],
)
def test_what_is_no_distractor_is_named(distractors: Path, name: str, complaint: str) -> None:
    (distractors / name).write_bytes(b"")
    with pytest.raises(UserError, match=complaint):
        market1501.read_distractors(distractors)


def test_a_missing_folder_is_named(market: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is missing"):
        build(market, tmp_path / "nowhere", tmp_path)


def test_a_broken_distractor_is_named_where_it_lies(
    market: Path, distractors: Path, tmp_path: Path
) -> None:
    (distractors / NAMES[0]).write_bytes(b"")
    file = re.escape(str(distractors / NAMES[0]))
    with pytest.raises(UserError, match=f"{file} cannot be decoded .*it is empty"):
        build(market, distractors, tmp_path)


def test_a_layout_without_distractors_or_splits_says_so(duke: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dukemtmc-reid has no folder of distractors"):
        read_source(Source("dukemtmc-reid", duke, distractors=tmp_path))
    with pytest.raises(UserError, match="dukemtmc-reid has no numbered splits"):
        read_source(Source("dukemtmc-reid", duke, split=1))


def test_a_split_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has the splits 1 to 20, and none numbered 21"):
        read_source(Source("cuhk03-classic-labeled", tmp_path, split=21))


@given(
    pid=st.sampled_from(["-1", "0", "0000", "00000000"]),
    camera=st.integers(1, 99),
    tail=st.from_regex(r"(s[0-9]{1,2}|)(_[0-9]{1,7}){0,3}", fullmatch=True),
)
def test_distractor_names_give_back_person_and_camera(pid: str, camera: int, tail: str) -> None:
    match = market1501.DISTRACTOR_NAME.fullmatch(f"{pid}_c{camera}{tail}.jpg")
    assert match
    assert (int(match["pid"]), int(match["cam"])) == (JUNK if pid == "-1" else 0, camera)
