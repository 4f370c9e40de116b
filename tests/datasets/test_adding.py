"""`topdb add` with the real dvc, and its push and pull to a folder and to an S3 server."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
from datasets.matlab_files import write_protocol, write_release

from topdb.datasets.adding import add
from topdb.datasets.layouts import load_layout
from topdb.datasets.reading import Verification
from topdb.datasets.records import Published
from topdb.errors import UserError

PROGRAMS = str(Path(sys.executable).parent)
WHOLE = {
    "train": Published(people=2, images=4, cameras=3),
    "query": Published(people=2, images=2, cameras=2),
    "gallery": Published(people=2, images=3, cameras=2),
}


def dvc(project: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [f"{PROGRAMS}/dvc", *arguments],
        cwd=project,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    dvc(folder, "init", "--no-scm", "--quiet")
    dvc(folder, "config", "core.analytics", "false")
    return folder


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh DVC repository, and Market-1501 as small as the fixture `market` is."""
    folder = shutil.copytree(repository, tmp_path / "project")
    shutil.copy(tiny.ROOT / ".dvcignore", folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(load_layout("market1501"), "PUBLISHED", WHOLE)
    return folder


def images_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.jpg"))
    }


def added(given: Path, name: str = "market1501", **options: Any) -> list[Verification]:
    told: list[Verification] = []
    layout = options.pop("layout", name)
    record = add(name, layout, given, Path("data"), told.append, **options)
    assert record.is_file()
    return told


def refusal(given: Path, name: str = "market1501", **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        added(given, name, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert ".partial" not in message
    return message


def zipped(folder: Path, archive: Path, inside: str) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(folder.rglob("*")):
            out.write(path, f"{inside}/{path.relative_to(folder)}")
    return archive


def tarred(folder: Path, archive: Path, inside: str) -> Path:
    with tarfile.open(archive, "w:gz") as out:
        out.add(folder, inside)
    return archive


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_a_data_set_gets_its_place_and_its_record(project: Path, market: Path, kind: str) -> None:
    given = {
        "folder": lambda: market,
        "zip": lambda: zipped(market, project.parent / "m.zip", "Market-1501-v15.09.15"),
        "tar.gz": lambda: tarred(market, project.parent / "m.tar.gz", "anything"),
    }[kind]()
    (told,) = added(given)
    assert told.name == "market1501"
    assert images_below(project / "data/market1501") == images_below(market)
    assert load_layout("market1501").read(project / "data/market1501")
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."
    assert not [path for path in (project / "data").iterdir() if "partial" in path.name]


def test_a_folder_in_its_place_stays_there(project: Path, market: Path) -> None:
    (project / "data").mkdir()
    place = market.rename(project / "data/market1501")
    before = place.stat().st_ino
    added(Path("data/market1501"))
    assert place.stat().st_ino == before


def test_wrong_counts_leave_nothing_behind(project: Path, market: Path) -> None:
    (market / "query" / "0001_c1s1_001051_00.jpg").unlink()
    message = refusal(market)
    assert "query has 1 images instead of 2 (1 fewer)" in message
    assert str(market) in message
    assert not (project / "data").exists()
    added(market, allow_partial=True)


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg"])
def test_an_archive_that_leads_out_leaves_nothing_behind(
    project: Path, market: Path, name: str
) -> None:
    archive = zipped(market, project.parent / "m.zip", "m")
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr(name, b"evil")
    assert f"holds the path {name!r}, which leads out of its folder" in refusal(archive)
    assert not (project / "data").exists()
    assert not list(project.parent.rglob("evil.jpg"))


def test_a_truncated_archive_leaves_nothing_behind(project: Path, market: Path) -> None:
    (project / "data").mkdir()
    (project / "data/other").write_text("what was there before")
    archive = tarred(market, project.parent / "m.tar.gz", "m")
    os.truncate(archive, archive.stat().st_size // 2)
    assert "is cut short" in refusal(archive)
    assert [path.name for path in (project / "data").iterdir()] == ["other"]


def test_a_folder_with_a_link_is_refused(project: Path, market: Path) -> None:
    (market / "query" / "0009_c1s1_000001_00.jpg").symlink_to("/etc/passwd")
    assert "is a link or device" in refusal(market)
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("folder", ".git/config"), ("place", "query/.dvcignore"), ("tar.gz", "bare/HEAD")],
)
def test_what_controls_a_tool_is_refused(project: Path, market: Path, name: str, kind: str) -> None:
    (market / name).parent.mkdir(exist_ok=True)
    (market / name).write_text("*\n")
    for folder in ("objects", "refs"):
        if "HEAD" in name:
            (market / "bare" / folder).mkdir()
            (market / "bare" / folder / "x").write_text("")
    given = market
    if kind == "place":
        (project / "data").mkdir()
        given = market.rename(project / "data/market1501")
    elif kind == "tar.gz":
        given = tarred(market, project.parent / "m.tar.gz", "m")
    said = refusal(given)
    assert f"{given} holds " in said
    assert Path(name).name in said or ".git" in said
    assert not (project / "data/market1501.dvc").exists()
    assert (project / "data").exists() == (kind == "place")


@pytest.mark.parametrize("in_place", [False, True])
def test_files_that_dvc_would_leave_out_are_missed_before_they_are_lost(
    project: Path, market: Path, in_place: bool
) -> None:
    with (project / ".dvcignore").open("a") as ignored:
        ignored.write("*_c3s3_*\n")
    given = market
    if in_place:
        (project / "data").mkdir()
        given = market.rename(project / "data/market1501")
    said = refusal(given)
    assert "DVC leaves out 2 of the 10 files of data/market1501 (first bounding_box_train/" in said
    assert "0007_c3s3_077419_03.jpg` names the pattern in a .dvcignore" in said
    assert not (project / "data/market1501.dvc").exists()
    assert (project / "data/market1501").exists() == in_place


def test_what_has_the_name_already_is_not_touched(project: Path, market: Path) -> None:
    place = project / "data/market1501"
    place.mkdir(parents=True)
    (place / "mine").write_text("mine")
    assert "data/market1501 is there already" in refusal(market)
    assert "`topdb add market1501 data/market1501`" in refusal(market)
    assert (place / "mine").read_text() == "mine"
    shutil.rmtree(place)
    (project / "data/market1501.dvc").write_text("outs: []")
    assert "`dvc pull data/market1501.dvc` brings its images" in refusal(market)


@pytest.mark.parametrize("given", [".", "..", "data"])
def test_a_folder_that_holds_the_place_of_its_copy_is_refused(
    project: Path, market: Path, given: str
) -> None:
    shutil.copytree(market, project / "data/elsewhere")
    before = sorted(project.parent.rglob("*"))
    assert f"{given} holds data/market1501, where its copy would go" in refusal(Path(given))
    assert sorted(project.parent.rglob("*")) == before


def test_what_is_not_there_is_named(project: Path, tmp_path: Path) -> None:
    assert "nothing.zip does not exist" in refusal(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("no archive")
    said = "text.zip is text ('no archive'), not a zip or tar archive: name the archive"
    assert said in refusal(tmp_path / "text.zip")


def test_outside_of_a_dvc_repository(
    project: Path, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    assert "data lies in no DVC repository: run `dvc init`" in refusal(market)
    assert list((tmp_path / "plain").iterdir()) == []


def test_without_dvc(
    project: Path, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "the program dvc is not installed: pip install 'topdb[workflow]'" in refusal(market)


def test_what_dvc_refuses_is_undone(project: Path, market: Path) -> None:
    (project / ".dvc" / "config").write_text("[cache]\n    type = nonsense\n")
    message = refusal(market)
    assert "dvc" in message
    assert not (project / "data").exists()


def test_a_failing_dvc_add_is_undone(project: Path, market: Path) -> None:
    (project / "dvc.yaml").write_text("stages:\n  a:\n    cmd: x\n    outs: [data/market1501]\n")
    message = refusal(market)
    assert message.startswith("`dvc add data/market1501` failed (")
    assert not (project / "data/market1501").exists()
    assert not (project / "data/market1501.dvc").exists()


def git(project: Path, *arguments: str) -> None:
    author = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run(["git", *author, *arguments], cwd=project, check=True, capture_output=True)


def test_without_git_dvc_is_told_so(
    project: Path, market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a copy of the project without its `.git`."""
    dvc(project, "config", "--unset", "core.no_scm")
    added(market)
    said = capsys.readouterr().err
    assert "there is no git here, so core.no_scm is set in .dvc/config.local" in said
    assert said.count("\n") == 1
    assert "no_scm = true" in (project / ".dvc/config.local").read_text()
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."


def test_what_git_has_already_is_told(project: Path, market: Path) -> None:
    dvc(project, "config", "--unset", "core.no_scm")
    place = Path(shutil.copytree(market, "data/market1501"))
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "x")
    said = refusal(place)
    assert "failed (output 'market1501' is already tracked by SCM" in said
    assert "git rm -r --cached 'market1501'" in said
    assert images_below(place) == images_below(market)
    assert not Path("data/market1501.dvc").exists()


def test_a_folder_that_dvc_has_as_a_whole_takes_no_second_record(
    project: Path, market: Path
) -> None:
    (project / "data").mkdir()
    (project / "data/other.txt").write_text("x")
    dvc(project, "add", "data")
    before = (project / "data.dvc").read_bytes()
    assert "data is under DVC as a whole (data.dvc), and market1501 would be" in refusal(market)
    assert (project / "data.dvc").read_bytes() == before
    assert [path.name for path in (project / "data").iterdir()] == ["other.txt"]


def test_a_cache_that_cannot_be_written_is_told_and_nothing_is_left(
    project: Path, market: Path
) -> None:
    (project / ".dvc/cache").write_text("a file where the folder belongs")
    said = refusal(market)
    assert re.match(r"`dvc add data/market1501` failed \(.*[Nn]ot a directory", said)
    assert not (project / "data").exists()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for folders alone, where we may make one."""
    place = tmp_path / "full"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_under_the_cache_is_told_though_dvc_exits_with_0(
    project: Path, market: Path, full_disk: Path
) -> None:
    dvc(project, "cache", "dir", str(full_disk / "cache"))
    said = refusal(market)
    assert re.match(r"`dvc add data/market1501` failed \(.*No space left on device", said)
    assert said.count("\n") == 0
    assert not (project / "data/market1501").exists()
    assert not (project / "data/market1501.dvc").exists()


def test_another_dvc_that_holds_the_lock_is_told(project: Path, market: Path) -> None:
    holding = (
        "import sys; from dvc.lock import Lock; held = Lock('.dvc/tmp/lock'); held.lock();"
        "print('held', flush=True); sys.stdin.read()"
    )
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert "failed (Unable to acquire lock" in refusal(market)
        other.communicate()
    assert not (project / "data").exists()


def test_litter_is_not_copied(project: Path, market: Path) -> None:
    for name in ("Thumbs.db", "query/.AppleDouble/x", "@eaDir/a/x.jpg", "$RECYCLE.BIN/x", "._x"):
        (market / name).parent.mkdir(parents=True, exist_ok=True)
        (market / name).write_bytes(b"litter")
    added(market)
    place = project / "data/market1501"
    assert {path.name for path in place.iterdir()} == {
        "bounding_box_train",
        "bounding_box_test",
        "query",
    }
    assert images_below(place).keys() == {each for each in images_below(market) if "@" not in each}


def test_a_dead_processs_staging_is_removed(project: Path, market: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = project / "data" / f".market1501.{dead.pid}.adding.partial"
    (left / "content").mkdir(parents=True)
    alive = project / "data" / f".market1501.{os.getppid()}.adding.partial"
    alive.mkdir()
    added(market)
    assert not left.exists()
    assert alive.exists()


def test_cuhk03_keeps_its_originals_and_dvc_leaves_out_what_follows_from_them(
    project: Path, tmp_path: Path
) -> None:
    write_release(tmp_path / "c/cuhk03_release/cuhk-03.mat")
    write_protocol(tmp_path / "c/cuhk03_new_protocol_config_labeled.mat")
    assert "train has 6 people instead of 767" in refusal(tmp_path / "c", "cuhk03-labeled")
    added(tmp_path / "c", "cuhk03-labeled", allow_partial=True)
    assert (project / "data/cuhk03-labeled/extracted-labeled").is_dir()
    assert "nfiles: 2" in (project / "data/cuhk03-labeled.dvc").read_text()
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."


def test_the_command(
    project: Path,
    market: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    street = {"layout": "market1501", "root": "data/street"}
    tiny.write_params(project, {"datasets.street": street})
    assert tiny.topdb(monkeypatch, "add", "street", market) == 0
    output = capsys.readouterr().out
    assert "train   images           –         4" in output
    assert "data/street is under DVC: commit data/street.dvc" in output
    assert tiny.topdb(monkeypatch, "add", "street", market) == 2
    assert capsys.readouterr().err.count("\n") == 1


def shared_through(project: Path, expected: dict[str, bytes], **variables: str) -> None:
    """Push, lose everything but the record, and pull."""
    dvc(project, "push", "--quiet", **variables)
    shutil.rmtree(project / "data/market1501")
    shutil.rmtree(project / ".dvc/cache")
    dvc(project, "pull", "--quiet", **variables)
    assert images_below(project / "data/market1501") == expected


def test_push_and_pull_through_a_folder(project: Path, market: Path, tmp_path: Path) -> None:
    expected = images_below(market)
    added(market)
    dvc(project, "remote", "add", "--default", "shared", str(tmp_path / "shared"))
    shared_through(project, expected)


@pytest.fixture
def s3_server() -> Iterator[str]:
    """A server on loopback that speaks S3's protocol."""
    moto = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_push_and_pull_through_s3(project: Path, market: Path, s3_server: str) -> None:
    import urllib.request

    keys = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    bucket = urllib.request.Request(f"{s3_server}/benchmark", method="PUT")
    urllib.request.urlopen(bucket, timeout=30).close()
    expected = images_below(market)
    added(market)
    dvc(project, "remote", "add", "--default", "s3", "s3://benchmark/data")
    dvc(project, "remote", "modify", "s3", "endpointurl", s3_server)
    shared_through(project, expected, **keys)
    with urllib.request.urlopen(f"{s3_server}/benchmark?list-type=2", timeout=30) as answer:
        assert answer.read().count(b"<Key>data/files/md5/") == 11
