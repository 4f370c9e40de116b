import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rights
import tiny
from datasets.matlab_files import (
    TEST,
    TEST_SETS,
    TRAIN,
    file_name,
    numbers_of,
    people,
    pixels,
    write_protocol,
    write_release,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from topdb.datasets.building import build_index
from topdb.datasets.cuhk03 import person_id
from topdb.datasets.cuhk03_matlab import extract
from topdb.datasets.layouts import load_layout
from topdb.datasets.reading import Source, read_source
from topdb.errors import UserError

BOXES = ("labeled", "detected")


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release")
    write_release(root / "cuhk-03.mat")
    for boxes in BOXES:
        write_protocol(root / f"cuhk03_new_protocol_config_{boxes}.mat")
    return root


@pytest.fixture
def root(release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(release, tmp_path / "cuhk03")


@pytest.mark.parametrize("boxes", BOXES)
def test_the_new_protocol_is_read_from_the_published_files(root: Path, boxes: str) -> None:
    records = load_layout(f"cuhk03-{boxes}").read(root)
    ids = {"train": {person_id(*each) for each in TRAIN}}
    ids["query"] = ids["gallery"] = {person_id(*each) for each in TEST}
    for split, expected in ids.items():
        assert {record.pid for record in records if record.split == split} == expected
    assert len(records) == sum(len(numbers_of(*each)) for each in people())
    assert sum(record.split == "query" for record in records) == 2 * len(TEST)
    for record in records:
        assert record.camid == int(record.path.split("_")[-2]) - 1


@pytest.mark.parametrize("boxes", BOXES)
def test_every_image_keeps_its_pixels(root: Path, boxes: str) -> None:
    load_layout(f"cuhk03-{boxes}").read(root)
    folder = root / f"extracted-{boxes}" / f"images_{boxes}"
    expected = {file_name(*who, n): (*who, n) for who in people() for n in numbers_of(*who)}
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)
    for name, which in expected.items():
        with Image.open(folder / name) as image:
            assert np.array_equal(np.asarray(image), pixels(boxes, *which))


def test_an_index_is_built_from_it(root: Path, tmp_path: Path) -> None:
    index = build_index("c", "cuhk03-labeled", root, tmp_path / "i.parquet", tmp_path / "p.npy")
    counts = index.split_counts
    assert (counts["train"].people, counts["query"].people, counts["gallery"].people) == (6, 4, 4)
    assert {index.split("query").counts.cameras, index.split("train").counts.cameras} == {2}


def test_extracting_again_changes_nothing(root: Path) -> None:
    folder = extract(root, "labeled")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert extract(root, "labeled") == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert sorted(path.name for path in root.iterdir() if path.name.startswith(".")) == []


def test_a_changed_source_is_extracted_again(root: Path) -> None:
    extract(root, "labeled")
    config = root / "cuhk03_new_protocol_config_labeled.mat"
    write_protocol(config, train_idx=np.array([[1], [2]], np.uint16))
    records = load_layout("cuhk03-labeled").read(root)
    assert sum(record.split == "train" for record in records) == 2


def test_the_archives_own_folder_is_found(root: Path) -> None:
    (root / "cuhk03_release").mkdir()
    (root / "cuhk-03.mat").rename(root / "cuhk03_release" / "cuhk-03.mat")
    assert load_layout("cuhk03-detected").read(root)


def test_extracted_folders_of_other_toolkits_are_taken_as_they_are(root: Path) -> None:
    folder = extract(root, "labeled")
    for name in ("images_labeled", "splits_new_labeled.json", "splits_classic_labeled.json"):
        (folder / name).rename(root / name)
    shutil.rmtree(folder)
    records = load_layout("cuhk03-labeled").read(root)
    assert {record.path.split("/")[0] for record in records} == {"images_labeled"}
    assert load_layout("cuhk03-classic-labeled").read(root)
    assert not folder.exists()


@pytest.mark.parametrize("boxes", BOXES)
@pytest.mark.parametrize("number", [1, 2, 20])
def test_classic_splits(root: Path, boxes: str, number: int) -> None:
    found = read_source(Source(f"cuhk03-classic-{boxes}", root, split=number))
    assert found.protocol.endswith(f"split {number} of 20")
    chosen = {person_id(*each) for each in TEST_SETS[number - 1]}
    trained = {record.pid for record in found.records if record.split == "train"}
    assert {record.pid for record in found.records if record.split == "query"} == chosen
    assert {record.pid for record in found.records if record.split == "gallery"} == chosen
    assert trained == {person_id(*each) for each in people()} - chosen
    for record in found.records:
        if record.split != "train":
            assert record.camid == {"query": 0, "gallery": 1}[record.split]


def test_the_first_classic_split_is_the_one_unnamed(root: Path) -> None:
    layout = load_layout("cuhk03-classic-labeled")
    named = read_source(Source("cuhk03-classic-labeled", root, split=1))
    assert layout.read(root) == named.records
    assert read_source(Source("cuhk03-classic-labeled", root)).protocol == named.protocol


def test_classic_splits_need_no_new_protocol(root: Path) -> None:
    (root / "cuhk03_new_protocol_config_labeled.mat").unlink()
    assert load_layout("cuhk03-classic-labeled").read(root)
    with pytest.raises(UserError, match=r"cuhk03_new_protocol_config_labeled\.mat is missing"):
        load_layout("cuhk03-labeled").read(root)


def test_lists_have_the_toolkits_form(root: Path) -> None:
    content = json.loads((extract(root, "labeled") / "splits_new_labeled.json").read_text())
    (split,) = content
    assert split["num_train_pids"] == len({pid for _, pid, _ in split["train"]}) == len(TRAIN)
    assert {pid for _, pid, _ in split["train"]} == set(range(len(TRAIN)))
    assert split["query"][0] == ["images_labeled/1_002_1_01.png", 2, 0]
    classic = json.loads((root / "extracted-labeled/splits_classic_labeled.json").read_text())
    assert len(classic) == 20
    assert classic[0]["query"] == classic[0]["gallery"]


def complaint(root: Path) -> str:
    before = sorted(path for path in root.rglob("*") if "partial" not in path.name)
    with pytest.raises(UserError) as caught:
        load_layout("cuhk03-labeled").read(root)
    assert sorted(root.rglob("*")) == before
    message = str(caught.value)
    assert "\n" not in message
    return message


WITH_LITTLE_ROOM = """
import resource, sys
from topdb.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
main()
"""


@pytest.mark.parametrize("room", [20, 5000], ids=["less than an image", "less than a list"])
def test_what_cannot_be_written_is_not_the_releases_fault(root: Path, room: int) -> None:
    before = sorted(root.rglob("*"))
    command = ["verify", "cuhk03-labeled", "--root", str(root)]
    done = tiny.python(root.parent, "-c", WITH_LITTLE_ROOM, str(room), *command)
    assert done.returncode == 2
    said = f"{root / 'extracted-labeled'}: File too large; mend it and run the same command again."
    assert done.stderr == f"topdb: {said}\n"
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("keep", [100, 600, 5000, 0.5, 0.99])
def test_a_release_that_is_cut_short_is_named(root: Path, keep: float) -> None:
    path = root / "cuhk-03.mat"
    size = path.stat().st_size
    os.truncate(path, int(keep if keep >= 1 else keep * size))
    message = complaint(root)
    assert "cuhk-03.mat cannot be read as CUHK03's MATLAB 7.3 file" in message
    assert "cut short" in message


def test_a_cut_release_leaves_an_earlier_extraction_alone(root: Path) -> None:
    folder = extract(root, "labeled")
    os.truncate(root / "cuhk-03.mat", 5000)
    complaint(root)
    assert len(list((folder / "images_labeled").iterdir())) > 10


def test_wrong_matlab_versions_are_named(root: Path) -> None:
    release, config = root / "cuhk-03.mat", root / "cuhk03_new_protocol_config_labeled.mat"
    content = release.read_bytes()
    shutil.copy(config, release)
    assert "cuhk-03.mat is a MATLAB 5 file, and the published one is MATLAB 7.3" in complaint(root)
    release.write_bytes(content)
    config.write_bytes(content)
    assert "config_labeled.mat is a MATLAB 7.3 file, and the published one is" in complaint(root)


def test_other_content_is_named(root: Path) -> None:
    write_release(root / "cuhk-03.mat", kinds=("detected",))
    assert "cuhk-03.mat cannot be read" in complaint(root)
    with h5py.File(root / "cuhk-03.mat", "w") as file:
        file["labeled"] = np.zeros((1, 5))
    assert "cuhk-03.mat cannot be read" in complaint(root)


def test_an_image_that_is_no_colour_image_is_named_and_not_passed_over(root: Path) -> None:
    with h5py.File(root / "cuhk-03.mat", "r+") as file:
        cells = file[np.ravel(file["labeled"][()])[0]]
        rows = cells[()]
        rows[0, 0] = file.create_dataset("#refs#/grey", data=np.zeros((6, 13), np.uint8)).ref
        cells[...] = rows
    assert "image 1_1_1 is not uint8 RGB" in complaint(root)


@pytest.mark.parametrize(
    "changes",
    [
        {"train_idx": np.array([[0], [1]])},
        {"query_idx": np.array([[60_000]], np.uint16)},
        {"filelist": np.zeros((3, 1))},
        {"gallery_idx": np.zeros((0, 0))},
    ],
)
def test_a_protocol_that_makes_no_sense_is_named(root: Path, changes: dict[str, Any]) -> None:
    write_protocol(root / "cuhk03_new_protocol_config_labeled.mat", **changes)
    assert "config_labeled.mat cannot be read" in complaint(root)


def test_a_protocol_of_other_images_is_named(root: Path) -> None:
    filelist = np.full((100, 1), "1_843_1_01.png", object)
    write_protocol(root / "cuhk03_new_protocol_config_labeled.mat", filelist=filelist)
    with pytest.raises(UserError, match="names 1_843_1_01.png twice in train"):
        load_layout("cuhk03-labeled").read(root)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 0.999), damage=st.binary(max_size=8))
def test_a_broken_protocol_is_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, release: Path, share: float, damage: bytes
) -> None:
    root = tmp_path_factory.mktemp("cut")
    config = root / "cuhk03_new_protocol_config_labeled.mat"
    content = (release / config.name).read_bytes()
    place = int(share * len(content))
    config.write_bytes(content[:place] + damage)
    os.link(release / "cuhk-03.mat", root / "cuhk-03.mat")
    with pytest.raises(UserError, match=r"config_labeled\.mat (cannot be read|is |\(the)"):
        load_layout("cuhk03-labeled").read(root)


def _extract(root: Path, start: Any, results: Any) -> None:
    start.wait()
    paths = sorted(record.path for record in load_layout("cuhk03-labeled").read(root))
    results.put((paths, (root / "extracted-labeled" / "extracted.json").stat().st_mtime_ns))


def test_processes_that_start_at_once_extract_once(root: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(6), context.Queue()
    running = [context.Process(target=_extract, args=(root, start, results)) for _ in range(6)]
    for process in running:
        process.start()
    found = [results.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    assert all(each == found[0] for each in found)
    assert [path.name for path in root.iterdir() if "partial" in path.name] == []


def test_what_a_killed_extraction_left_is_removed(root: Path) -> None:
    left = root / ".extracted-labeled.123.partial"
    (left / "images_labeled").mkdir(parents=True)
    extract(root, "labeled")
    assert not left.exists()


def locked(root: Path) -> None:
    for folder in (root, *filter(Path.is_dir, root.rglob("*"))):
        folder.chmod(0o555)


def test_a_read_only_release_is_extracted_elsewhere_to_the_same_index(
    root: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    parts = ("labeled", "cuhk03-labeled", root / "index.parquet", root / "pixels.npy")
    expected = build_index(*parts[:2], root, *parts[2:])
    shutil.rmtree(root / "extracted-labeled")
    for each in parts[2:]:
        Path(each).unlink()
    locked(root)
    code = (
        "import sys; from pathlib import Path; from topdb.datasets.building import build_index;"
        "files = Path('index.parquet'), Path('pixels.npy');"
        "build = lambda: build_index('labeled', 'cuhk03-labeled', Path(sys.argv[1]), *files);"
        "stamps = lambda: [p.stat().st_mtime_ns for p in Path('.cache').rglob('*.png')];"
        "print(build().digest); before = stamps(); print(build().digest); print(stamps() == before)"
    )
    done = rights.python(work, code, str(root))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [expected.digest, expected.digest, "True"]
    assert done.stderr.startswith(f"topdb: {root} cannot be written, so its images are extracted")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in root.iterdir()} == {
        "cuhk-03.mat",
        *(f"cuhk03_new_protocol_config_{boxes}.mat" for boxes in BOXES),
    }
    (extracted,) = (work / ".cache/topdb").glob("*/extracted-labeled")
    assert (extracted / "CACHEDIR.TAG").is_file()
    root.chmod(0o755)


def test_where_nothing_can_be_written_at_all_the_place_is_named(root: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    locked(root)
    locked(work)
    done = rights.topdb(work, "verify", "cuhk03-labeled", "--root", str(root))
    root.chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("topdb: .cache")
    assert "Permission denied; mend it and run the same command again." in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html>", "is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of git-lfs"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"", "is empty"),
    ],
)
@pytest.mark.parametrize("name", ["cuhk-03.mat", "cuhk03_new_protocol_config_labeled.mat"])
def test_a_download_that_is_something_else_is_told(
    root: Path, name: str, content: bytes, said: str
) -> None:
    (root / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} .*{said}"):
        load_layout("cuhk03-labeled").read(root)
