import hashlib
import io
import multiprocessing
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from topdb.datasets import building
from topdb.datasets.building import build_index
from topdb.datasets.index import Counts, Index, Pixels, read_index
from topdb.errors import UserError

PETS09 = Path(__file__).parents[3] / "shared" / "real" / "pets09"


def build(root: Path, layout: str = "market1501") -> tuple[Index, Path, Path]:
    index, pixels = root.parent / "out" / "index.parquet", root.parent / "out" / "pixels.npy"
    return build_index("small", layout, root, index, pixels), index, pixels


def test_rows_are_sorted_by_split_then_path(market: Path) -> None:
    index, path, _ = build(market)
    assert index.splits == ("train",) * 4 + ("query",) * 2 + ("gallery",) * 3
    assert list(index.split("gallery").paths) == sorted(index.split("gallery").paths)
    assert index.split("query").rows.tolist() == [4, 5]
    assert index.split("train").labels.tolist() == [0, 0, 1, 1]
    assert index.labels[4:].tolist() == [-1] * 5
    read = read_index(path)
    assert read.paths == index.paths
    assert read.digest == index.digest
    assert np.array_equal(read.labels, index.labels)


def test_junk_is_dropped_and_counted_and_distractors_are_kept(market: Path) -> None:
    index, path, _ = build(market)
    assert -1 not in index.pids
    assert read_index(path).junk == 1
    assert (index.split("gallery").pids == 0).sum() == 1
    assert index.split_counts["gallery"] == Counts(images=3, people=2, cameras=2)


def test_every_image_is_read_back_as_decoded(market: Path, write_image: Any) -> None:
    write_image(market / "query" / "0001_c4s1_000001_00.jpg", size=(5, 7), mode="L")
    _, index_path, pixels_path = build(market)
    index = read_index(index_path)
    pixels = Pixels.open(pixels_path, index)
    assert len(pixels) == len(index)
    for row, path in enumerate(index.paths):
        with Image.open(market / path) as image:
            assert np.array_equal(pixels[row], np.asarray(image.convert("RGB")))
    assert not pixels[0].flags.writeable
    assert pixels_path.stat().st_size == 128 + index.offsets[-1]


def test_the_order_of_the_folder_does_not_matter(
    market: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, index, pixels = build(market)
    before = index.read_bytes(), pixels.read_bytes()
    scandir = os.scandir

    class Reversed:
        def __init__(self, path: Any) -> None:
            self.entries = list(scandir(path))[::-1]

        def __enter__(self) -> Iterator[Any]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("topdb.datasets.records.os.scandir", Reversed)
    build(market)
    assert (index.read_bytes(), pixels.read_bytes()) == before


def test_the_digest_changes_with_content_name_and_split(market: Path, write_image: Any) -> None:
    digests = {build(market)[0].digest}
    write_image(market / "query" / "0001_c1s1_001051_00.jpg", size=(9, 16))
    digests.add(build(market)[0].digest)
    old = market / "bounding_box_test" / "0001_c2s1_000301_00.jpg"
    old.rename(old.with_name("0001_c2s1_000302_00.jpg"))
    digests.add(build(market)[0].digest)
    old = market / "query" / "0003_c3s3_079494_00.jpg"
    old.rename(market / "bounding_box_test" / old.name)
    digests.add(build(market)[0].digest)
    assert len(digests) == 4


def test_the_digests_are_those_that_runs_have_recorded(market: Path) -> None:
    """Rows without a conversion that alters pixels count as they did in format 2."""
    index, _, _ = build(market)
    rows = zip(index.splits, index.paths, index.pids, index.camids, index.sha256s, strict=True)
    lines = ["\t".join(map(str, row)) + "\n" for row in rows]
    assert index.digest == hashlib.sha256("".join(lines).encode()).hexdigest()
    one = market / "query/0001_c1s1_001051_00.jpg"
    with Image.open(one) as image:
        image.convert("L").save(one)
        grey = build(market)[0]
        assert grey.conversions
        assert grey.conversions[4] == ("grey",)
        exif = Image.Exif()
        exif[0x0112] = 3
        image.save(one, exif=exif)
    turned, path, _ = build(market)
    lines = [line for line in lines if "query/0001" not in line]
    lines.insert(4, f"query\tquery/{one.name}\t1\t0\t{turned.sha256s[4]}\tturned\n")
    assert turned.digest == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert read_index(path).conversions == turned.conversions


def test_the_content_depends_on_pixels_and_people_and_not_on_files_or_folders(
    market: Path, write_image: Any
) -> None:
    first = build(market)[0]
    folder = market / "Market-1501-v15.09.15"
    folder.mkdir()
    for name in ("bounding_box_train", "query", "bounding_box_test"):
        (market / name).rename(folder / name)
    moved = build(market)[0]
    assert moved.digest != first.digest
    assert moved.content == first.content
    one = folder / "query/0001_c1s1_001051_00.jpg"
    one.write_bytes(one.read_bytes() + b"after the end")
    padded = build(market)[0]
    assert padded.digest != moved.digest
    assert padded.content == first.content
    one.rename(one.with_name("0001_c4s1_001051_00.jpg"))
    assert build(market)[0].content != first.content


def test_a_person_in_train_and_test_is_named(market: Path, write_image: Any) -> None:
    write_image(market / "bounding_box_test" / "0002_c1s1_000001_00.jpg")
    with pytest.raises(UserError, match=r"person 2 is in train .* and in gallery"):
        build(market)


def test_a_split_of_junk_alone_has_no_images(market: Path) -> None:
    for number, file in enumerate((market / "query").iterdir()):
        file.rename(file.with_name(f"-1_c1s1_00000{number}_00.jpg"))
    with pytest.raises(UserError, match="no query images"):
        build(market)


def test_an_image_in_two_splits_is_named(cuhk03: Path) -> None:
    lists = cuhk03 / "splits_new_labeled.json"
    text = lists.read_text().replace("1_002_1_02.png", "1_002_1_01.png")
    lists.write_text(text)
    with pytest.raises(UserError, match=r"1_002_1_01\.png is both in query and in gallery"):
        build(cuhk03, "cuhk03-labeled")


def test_all_images_that_cannot_be_decoded_are_told_at_once(market: Path) -> None:
    _, index, pixels = build(market)
    before = index.read_bytes(), pixels.read_bytes()
    files = sorted(market.glob("*/0*.jpg"))
    for file in files:
        file.write_bytes(b"")
    with pytest.raises(UserError) as caught:
        build(market)
    said = str(caught.value)
    assert said.startswith("9 files are wrong: ")
    assert all(f"{file} cannot be decoded as JPEG or PNG (it is empty)" in said for file in files)
    assert said.endswith(": replace or remove the file (each of them).")
    assert (index.read_bytes(), pixels.read_bytes()) == before
    files[0].write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"9 files are wrong: .*the browser; fetch it again; .*"):
        build(market)


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_an_image_that_cannot_be_decoded_is_named_and_nothing_changes(
    market: Path, damage: str
) -> None:
    _, index, pixels = build(market)
    before = index.read_bytes(), pixels.read_bytes()
    file = market / "query" / "0001_c1s1_001051_00.jpg"
    content = file.read_bytes()
    file.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"hello"}[damage])
    said = "is text" if damage == "text" else "cannot be decoded"
    with pytest.raises(UserError, match=rf"{re.escape(str(file))} {said}"):
        build(market)
    assert (index.read_bytes(), pixels.read_bytes()) == before
    assert sorted(p.name for p in index.parent.iterdir()) == ["index.parquet", "pixels.npy"]


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has a few bytes of content."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))


def jpeg_header(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is larger."""
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    content = bytearray(small.getvalue())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [png_header(100_000, 100_000), png_header(10_000, 10_000), jpeg_header(60_000, 60_000)],
)
def test_a_header_that_would_fill_the_memory_is_named(market: Path, content: bytes) -> None:
    file = market / "query" / "0001_c1s1_001051_00.jpg"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        build(market)
    assert f"{file} says that it is larger than 89,478,485 pixels" in str(caught.value)


def test_a_link_to_nowhere_is_named(market: Path) -> None:
    (market / "query" / "0001_c5s1_001051_00.jpg").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"0001_c5s1_001051_00\.jpg cannot be read"):
        build(market)


def _build(root: Path, start: Any, results: Any) -> None:
    start.wait()
    index, _, path = build(root)
    results.put((index.digest, int(Pixels.open(path, index).values.sum()), path.stat().st_ino))


@pytest.mark.parametrize("there_before", [False, True])
def test_of_20_processes_that_build_at_once_one_decodes(
    market: Path, monkeypatch: pytest.MonkeyPatch, there_before: bool
) -> None:
    if there_before:
        build(market)
        (market / "query" / "0003_c3s3_079494_00.jpg").rename(
            market / "query" / "0003_c4s3_079494_00.jpg"
        )
    context = multiprocessing.get_context("fork")
    start, results, decoded = context.Barrier(20), context.Queue(), context.Value("i", 0)
    decode = building.decode

    def counting(content: bytes, path: Path) -> Any:
        with decoded.get_lock():
            decoded.value += 1
        time.sleep(0.1)  # so that on a busy machine too all have asked before one is done
        return decode(content, path)

    monkeypatch.setattr(building, "decode", counting)
    running = [context.Process(target=_build, args=(market, start, results)) for _ in range(20)]
    for process in running:
        process.start()
    found = {results.get(timeout=60) for _ in running}
    for process in running:
        process.join()
    assert len(found) == 1
    assert decoded.value == 9
    out = market.parent / "out"
    assert sorted(path.name for path in out.iterdir()) == ["index.parquet", "pixels.npy"]


def test_a_cache_is_mapped_and_not_read(market: Path) -> None:
    index, _, path = build(market)
    values = Pixels.open(path, index).values
    assert isinstance(values, np.memmap)
    assert values.mode == "r"


@pytest.mark.skipif(not PETS09.is_dir(), reason="the photographs ../shared/real/pets09 are absent")
def test_real_photographs(tmp_path: Path) -> None:
    index = build_index(
        "pets09", "market1501", PETS09, tmp_path / "index.parquet", tmp_path / "pixels.npy"
    )
    counts = index.split_counts
    assert counts["train"] == Counts(images=216, people=9, cameras=2)
    assert counts["query"] == Counts(images=36, people=9, cameras=2)
    assert counts["gallery"] == Counts(images=200, people=9, cameras=2)
    assert index.junk == 10
    assert (index.split("gallery").pids == 0).sum() == 20
    assert Pixels.open(tmp_path / "pixels.npy", index)[0].shape == (128, 64, 3)


def test_a_damaged_cache_is_noticed_when_the_image_is_read(market: Path) -> None:
    index, _, path = build(market)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    pixels = Pixels.open(path, index)
    assert pixels[0].shape[2] == 3
    with pytest.raises(UserError, match="is damaged: it holds other pixels of bounding_box_test/"):
        pixels[len(index) - 1]
