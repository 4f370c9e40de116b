"""A folder is known by its content, and read again only where it was touched."""

import os
import shutil
from pathlib import Path

import pytest

from topdb import fingerprint as module
from topdb.fingerprint import fingerprint


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "data/set"
    (root / "query").mkdir(parents=True)
    for number in range(4):
        (root / f"query/{number}.jpg").write_bytes(b"image %d" % number)
    (root / "query" / os.fsdecode(b"\xff.jpg")).write_bytes(b"odd name")
    return root


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the files that were read."""
    names = []
    true = module.digest
    monkeypatch.setattr(module, "digest", lambda path: names.append(path.name) or true(path))
    return names


def test_what_was_not_touched_is_not_read_again(folder, read):
    first = fingerprint(folder)
    assert len(read) == 5
    assert fingerprint(folder) == first
    assert len(read) == 5


@pytest.mark.parametrize("times", [True, False])
def test_a_file_overwritten_in_place_at_its_size_is_noticed(folder, read, times):
    first = fingerprint(folder)
    image = folder / "query/2.jpg"
    before = image.stat()
    with image.open("r+b") as stream:
        stream.write(b"IMAGE")
    if times:  # even by one who sets its times back
        os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = fingerprint(folder)
    assert second != first
    assert read[5:] == ["2.jpg"]
    image.write_bytes(b"image 2")
    assert fingerprint(folder) == first


def test_a_checkout_with_other_times_and_inodes_is_the_same(folder, read):
    first = fingerprint(folder)
    shutil.copytree(folder, folder.with_name("new"))
    shutil.rmtree(folder)
    folder.with_name("new").rename(folder)
    assert fingerprint(folder) == first
    assert len(read) == 10


def test_names_count(folder):
    first = fingerprint(folder)
    (folder / "query/0.jpg").rename(folder / "query/9.jpg")
    assert fingerprint(folder) != first


def test_it_is_noted_beside_the_folder_and_elsewhere_where_that_cannot_be(folder, read):
    first = fingerprint(folder)
    note = folder.with_name(".set.seen.partial")
    assert note.is_file()
    note.unlink()
    note.mkdir()
    (note / "file").touch()
    assert fingerprint(folder) == first
    count = len(read)
    assert fingerprint(folder) == first
    assert len(read) == count
    assert len(list((folder.parents[1] / "cache/topdb").iterdir())) == 1


@pytest.mark.parametrize("note", ["", "x", "[]", "{}", '["a"]\n', '["a", "b"]\n[1]\n', "\0"])
def test_a_broken_note_is_written_anew(folder, note):
    first = fingerprint(folder)
    place: Path = folder.with_name(".set.seen.partial")
    place.write_text(note)
    assert fingerprint(folder) == first
    assert fingerprint(folder) == first
    assert place.read_text() != note
