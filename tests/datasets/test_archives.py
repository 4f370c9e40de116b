import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.datasets import archives
from topdb.datasets.archives import unpack
from topdb.errors import UserError

CONTENT = {"set/query/a.jpg": b"\xff\xd8" + bytes(range(256)) * 20, "set/empty": b"", "b": b"b"}

Write = Callable[[Path, Mapping[str, bytes]], Path]


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    kind = {".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, kind) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


KINDS: dict[str, Write] = {
    "a.zip": write_zip,
    "a.tar": write_tar,
    "a.tar.gz": write_tar,
    "a.tar.bz2": write_tar,
    "a.tar.xz": write_tar,
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(archive: Path, target: Path) -> str:
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    message = str(caught.value)
    assert str(archive) in message
    assert "\n" not in message
    return message


def test_files_come_out_as_they_went_in(kind: str, tmp_path: Path) -> None:
    unpack(KINDS[kind](tmp_path / kind, CONTENT), tmp_path / "out")
    assert files_below(tmp_path / "out") == CONTENT


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    unpack(write_zip(tmp_path / "set.tar", CONTENT), tmp_path / "zip")
    unpack(write_tar(tmp_path / "set.zip", CONTENT), tmp_path / "tar")
    assert files_below(tmp_path / "zip") == files_below(tmp_path / "tar") == CONTENT


def test_folders_and_what_a_mac_leaves(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"set/": b"", "set/a": b"1", "__MACOSX/set/._a": b"2"})
    unpack(path, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"set/a": b"1"}


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "set/../../evil",
        "set/..",
        "/evil",
        "..\\evil",
        "set\\..\\..\\evil",
        "C:\\evil",
        "C:evil",
        "\\evil",
        ".",
    ],
)
def test_no_path_leaves_the_target(kind: str, name: str, tmp_path: Path) -> None:
    archive = KINDS[kind](tmp_path / kind, {"good": b"1", name: b"evil"})
    inside = tmp_path / "deep" / "out"
    message = refusal(archive, inside)
    assert "leads out of its folder" in message
    assert set(files_below(tmp_path)) <= {kind, "deep/out/good"}


@pytest.mark.parametrize("type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"3"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "good"])
def test_a_tar_with_a_link_or_device_is_refused(tmp_path: Path, type_: bytes, target: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("good"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = type_, target
        archive.addfile(link)
        below = tarfile.TarInfo("link/evil")
        archive.addfile(below)
    assert "holds 'link', a link or device" in refusal(path, tmp_path / "out")
    assert not (tmp_path / "out" / "link").exists()


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
    assert "holds 'link', a link or device" in refusal(path, tmp_path / "out")


def test_a_path_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("same"))
    assert "holds 'same' twice" in refusal(path, tmp_path / "out")
    under = write_tar(tmp_path / "b.tar", {"a": b"", "a/b": b""})
    assert "holds 'a/b' twice" in refusal(under, tmp_path / "out2")


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"secret"})
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)
    assert "is encrypted" in refusal(path, tmp_path / "out")


def test_what_unpacks_without_end_is_stopped(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_GROWTH", 10_000)
    monkeypatch.setattr(archives, "GROWTH", 0)
    monkeypatch.setattr(archives, "_CHUNK", 1000)
    bomb = KINDS[kind](tmp_path / kind, {f"zeros-{n}": bytes(5000) for n in range(20)})
    assert "unpacks to more than 10,000 bytes" in refusal(bomb, tmp_path / "out")
    assert sum(map(len, files_below(tmp_path / "out").values())) <= 11_000


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    path = write_zip(tmp_path / "a.zip", {str(n): b"" for n in range(4)})
    assert "holds more than 3 files" in refusal(path, tmp_path / "out")


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("topdb.datasets.archives.shutil.disk_usage", lambda path: usage)
    path = write_zip(tmp_path / "a.zip", CONTENT)
    assert "does not fit on the disk" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
def test_a_truncated_archive_is_named(kind: str, share: float, tmp_path: Path) -> None:
    content = {f"set/{n}": os.urandom(3000) for n in range(9)}
    path = KINDS[kind](tmp_path / kind, content)
    # Half of a bare tar's size may be the padding after its end.
    whole = 9 * 3584 if kind == "a.tar" else path.stat().st_size
    os.truncate(path, int(share * whole))
    said = "cut short" if share else "is empty"
    assert said in refusal(path, tmp_path / "out")


def test_a_tar_that_ends_between_two_files_is_cut_short(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a": bytes(512), "b": bytes(512)})
    os.truncate(path, 1024)
    assert "cut short" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 99,
        b"PK\x03\x04",
        gzip.compress(b"text", mtime=0),
        bz2.compress(b"x"),
        lzma.compress(b"x"),
    ],
)
def test_what_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    assert "is no zip or tar archive" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: fetch or copy it again"),
        (b"<!DOCTYPE html>", "is an HTML page .*, not a zip or tar archive: the download needs"),
        (b"Rar!\x1a\x07\x00", "is a RAR archive .*: unpack it yourself and add the folder"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive .*: unpack it yourself and add the folder"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file .*: name the archive, or the folder that holds"),
        (b"\xff\xd8\xff\xe0", "is a JPEG image .*: name the archive, or the folder that holds"),
        (b"version https://git-lfs", "is a pointer of git-lfs .*: run `git lfs pull`"),
        (b"hello", r"is text \('hello'\), not a zip or tar archive: name the archive, or"),
    ],
)
def test_a_download_that_is_something_else_is_told(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    assert re.search(f"set.zip .*{said}", refusal(path, tmp_path / "out"))


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": os.urandom(5000)})
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    assert "cannot be unpacked" in refusal(path, tmp_path / "out")


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("named below")
        member.pax_headers = {"path": "set/a\0b"}
        archive.addfile(member)
    assert r"holds the path 'set/a\x00b', which no file can have" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize("place", ["near the end", "beyond the end", "before the beginning"])
def test_a_zip_that_points_to_nowhere_is_broken(tmp_path: Path, place: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"content"})
    content = bytearray(path.read_bytes())
    if place == "before the beginning":
        end = content.index(b"PK\x05\x06") + 16
        content[end : end + 4] = (2**31).to_bytes(4, "little")
    else:
        # Where the file's own header is said to be.
        start = content.index(b"PK\x01\x02") + 42
        where = path.stat().st_size - 10 if place == "near the end" else 2**32 - 2
        content[start : start + 4] = where.to_bytes(4, "little")
    path.write_bytes(content)
    assert "cannot be unpacked" in refusal(path, tmp_path / "out")


def test_a_zip_whose_path_is_no_text_is_broken(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"é": b"content"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    assert "cannot be unpacked" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        "set/.git/config",
        "set/.GIT/config",
        "set/.g\u200cit/config",
        "set/\u200c.git/config",
        "set\\.git\\config",
        "set/.gitattributes",
        "set/.dvcignore",
        "set/.dvc/config",
        "set/.env",
        "set/.hg/hgrc",
        "set/query/dvc.yaml",
        "set/query.dvc",
    ],
)
def test_what_controls_a_tool_is_refused_and_never_written(
    kind: str, name: str, tmp_path: Path
) -> None:
    archive = KINDS[kind](tmp_path / kind, {"set/a.jpg": b"1", name: b"[core] fsmonitor = evil"})
    assert "by which a tool such as git or DVC is controlled" in refusal(archive, tmp_path / "out")
    assert set(files_below(tmp_path)) == {kind, "out/set/a.jpg"}


def test_what_systems_leave_anywhere_is_left_out(kind: str, tmp_path: Path) -> None:
    litter = [".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini", "@eaDir/a.jpg", ".AppleDouble/a"]
    litter += ["$RECYCLE.BIN/a", "#recycle/a.jpg", "System Volume Information/a", ".Trashes/a"]
    files = {"set/a.jpg": b"1", "Makefile": b"4", **{f"set/{name}": b"2" for name in litter}}
    unpack(KINDS[kind](tmp_path / kind, files), tmp_path / "out")
    assert set(files_below(tmp_path / "out")) == {"set/a.jpg", "Makefile"}


@settings(max_examples=300, deadline=None)
@given(zipped=st.booleans(), share=st.floats(0, 0.999), value=st.integers(0, 255))
def test_no_broken_byte_is_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, share: float, value: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    path = (write_zip if zipped else write_tar)(folder / "archive", {"é/a": b"1", "b": b"2"})
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] = value
    path.write_bytes(content)
    with suppress(UserError):
        unpack(path, folder / "out")


@settings(max_examples=150, deadline=None)
@given(name=st.text(alphabet="./\\:ab\x00-", min_size=1, max_size=12), zipped=st.booleans())
def test_whatever_a_path_is_it_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, name: str, zipped: bool
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    archive = (write_zip if zipped else write_tar)(folder / "archive", {name: b"1"})
    with suppress(UserError):
        unpack(archive, folder / "deep" / "out")
    for path in folder.rglob("*"):
        if path.is_file() and path != archive:
            assert path.is_relative_to(folder / "deep" / "out")
