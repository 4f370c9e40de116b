from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topdb.datasets.building import build_index
from topdb.datasets.layouts import load_layout, msmt17
from topdb.datasets.reading import Source, verify
from topdb.datasets.records import ImageRecord
from topdb.errors import UserError

LISTS = {
    "list_train.txt": ["0000/0000_000_01_0303morning_0015_0.jpg 0"],
    "list_val.txt": ["0001/0001_003_15_0303noon_0015_2_ex.jpg 1"],
    "list_query.txt": ["0000/0000_000_05_0303afternoon_0020_0.jpg 0"],
    "list_gallery.txt": [
        "0000/0000_001_06_0303morning_0021_1.jpg 0",
        "0001/0001_002_07_0303morning_0022_1.jpg 1",
    ],
}


def write(base: Path, folders: tuple[str, str], write_image: Any) -> None:
    for file, lines in LISTS.items():
        for line in lines:
            half = folders[0] if file in ("list_train.txt", "list_val.txt") else folders[1]
            write_image(base / half / line.split()[0])
        (base / file).write_text("\n".join(lines) + "\n")


@pytest.fixture
def msmt(tmp_path: Path, write_image: Any) -> Path:
    write(tmp_path / "msmt" / "MSMT17_V1", ("train", "test"), write_image)
    return tmp_path / "msmt"


def test_people_of_both_halves_are_told_apart_and_none_is_a_distractor(msmt: Path) -> None:
    records = load_layout("msmt17").read(msmt)
    first = "MSMT17_V1/train/0000/0000_000_01_0303morning_0015_0.jpg"
    assert ImageRecord("train", first, 1, 0) in records
    second = "MSMT17_V1/train/0001/0001_003_15_0303noon_0015_2_ex.jpg"
    assert ImageRecord("train", second, 2, 14) in records
    assert {r.pid for r in records if r.split == "gallery"} == {10_001, 10_002}
    assert {r.pid for r in records if r.split == "query"} == {10_001}


def test_version_2_and_a_root_that_is_the_folder_itself(tmp_path: Path, write_image: Any) -> None:
    base = tmp_path / "MSMT17_V2"
    write(base, ("mask_train_v2", "mask_test_v2"), write_image)
    nested = {record.path for record in load_layout("msmt17").read(tmp_path)}
    own = {record.path for record in load_layout("msmt17").read(base)}
    assert nested == {f"MSMT17_V2/{path}" for path in own}
    assert any(path.startswith("mask_test_v2/") for path in own)


def test_an_index_is_built_from_it(msmt: Path, tmp_path: Path) -> None:
    index = build_index("m", "msmt17", msmt, tmp_path / "i.parquet", tmp_path / "p.npy")
    assert index.split_counts["train"].people == 2
    assert index.split_counts["gallery"].people == 2


def protocol(root: Path, release: str | None = None) -> str:
    out = root.parent
    files = out / "i.parquet", out / "p.npy"
    return build_index("m", "msmt17", root, *files, release=release).protocol


def test_the_folders_names_tell_the_release(tmp_path: Path, write_image: Any) -> None:
    for outer, folders, release in (
        ("MSMT17_V1", ("train", "test"), "V1"),
        ("MSMT17_V2", ("mask_train_v2", "mask_test_v2"), "V2"),
        ("MSMT17_V2", ("train", "test"), "V2"),
        ("anything", ("mask_train_v2", "mask_test_v2"), "V2"),
    ):
        root = tmp_path / f"{outer}-{folders[0]}"
        write(root / outer, folders, write_image)
        inner = root / outer
        assert protocol(inner).endswith(f"single query, release {release}")
        assert protocol(inner, release) == protocol(inner)
        other = {"V1": "V2", "V2": "V1"}[release]
        with pytest.raises(UserError, match=f"is {release} by the names .* and {other} by params"):
            protocol(inner, other)


def test_where_no_name_tells_the_release_params_have_to(tmp_path: Path, write_image: Any) -> None:
    write(tmp_path / "msmt17", ("train", "test"), write_image)
    with pytest.raises(UserError, match=r"nothing tells which release .* `release` .* V1 or V2\."):
        protocol(tmp_path / "msmt17")
    assert protocol(tmp_path / "msmt17", "V1").endswith("release V1")
    assert protocol(tmp_path / "msmt17", "V2").endswith("release V2")
    with pytest.raises(UserError, match="knows the releases V1, V2, and none called '2'"):
        protocol(tmp_path / "msmt17", "2")


@pytest.mark.parametrize(
    ("outer", "folders"),
    [("msmt17", ("train", "mask_test_v2")), ("MSMT17_V1", ("mask_train_v2", "mask_test_v2"))],
)
def test_names_of_both_releases_are_refused(
    tmp_path: Path, write_image: Any, outer: str, folders: tuple[str, str]
) -> None:
    write(tmp_path / outer, folders, write_image)
    with pytest.raises(UserError, match="names of both versions of MSMT17"):
        protocol(tmp_path / outer, "V1")


def test_other_pixels_are_other_content_whatever_the_folders_are_called(
    tmp_path: Path, write_image: Any
) -> None:
    contents = set()
    for outer, size in (("MSMT17_V1", (8, 16)), ("other", (8, 16)), ("MSMT17_V2", (9, 16))):
        write(tmp_path / outer, ("train", "test"), lambda path, size=size: write_image(path, size))
        files = tmp_path / "i.parquet", tmp_path / "p.npy"
        release = "V1" if outer == "other" else None
        index = build_index("m", "msmt17", tmp_path / outer, *files, release=release)
        contents.add(index.content)
    assert len(contents) == 2


def test_a_layout_of_one_release_says_so(duke: Path, tmp_path: Path) -> None:
    files = tmp_path / "i.parquet", tmp_path / "p.npy"
    with pytest.raises(UserError, match="dukemtmc-reid knows one release alone"):
        build_index("d", "dukemtmc-reid", duke, *files, release="V1")


def test_verification_tells_the_release(msmt: Path) -> None:
    base = msmt / "MSMT17_V1"
    assert (
        verify("m", Source("msmt17", msmt))
        .table()
        .endswith("release V1, by the names of its folders")
    )
    base = base.rename(msmt / "renamed")
    told = verify("m", Source("msmt17", base)).table()
    assert told.endswith("release unknown: set `release` in params.yaml to V1 or V2")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0000/0000_000_01_0303morning_0015_0.jpg", "line 2 of .*list_query.txt is no file name"),
        ("0000/0000_000_01_0303morning_0015_0.jpg x", "line 2 of"),
        ("../../etc/passwd 1", "does not fit the file names"),
        ("0000/0000_000_16_0303morning_0015_0.jpg 0", "does not fit the file names"),
        ("0009/0009_000_01_0303morning_0015_0.jpg 9", "is missing, though list_query.txt lists"),
        (LISTS["list_query.txt"][0], "names 0000/.* twice"),
        ("", "line 2 of"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(msmt: Path, line: str, complaint: str) -> None:
    path = msmt / "MSMT17_V1" / "list_query.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=complaint):
        load_layout("msmt17").read(msmt)


def test_a_missing_list_or_folder_is_named(msmt: Path) -> None:
    base = msmt / "MSMT17_V1"
    (base / "list_val.txt").unlink()
    with pytest.raises(UserError, match=r"list .*list_val\.txt is missing"):
        load_layout("msmt17").read(msmt)
    (base / "test").rename(base / "tests")
    (base / "list_val.txt").write_text("")
    with pytest.raises(UserError, match="neither folder test nor mask_test_v2"):
        load_layout("msmt17").read(msmt)


@given(
    person=st.integers(0, 9999),
    image=st.integers(0, 999),
    camera=st.integers(1, 15),
    time=st.sampled_from(["0303morning", "0316noon", "1023afternoon"]),
    tail=st.sampled_from(["0015_0", "0120_1_ex"]),
)
def test_names_give_back_the_camera(
    person: int, image: int, camera: int, time: str, tail: str
) -> None:
    name = f"{person:04d}/{person:04d}_{image:03d}_{camera:02d}_{time}_{tail}.jpg"
    match = msmt17.FILE_NAME.fullmatch(name)
    assert match
    assert int(match["cam"]) == camera


@given(st.text(max_size=40))
def test_no_other_name_leads_out_of_the_folder(name: str) -> None:
    match = msmt17.FILE_NAME.fullmatch(name)
    assert match is None or (name.isascii() and ".." not in name)
