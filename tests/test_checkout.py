"""A commit is told only where git holds just what ran."""

import shutil
import subprocess
from pathlib import Path

import pytest

from topdb import checkout


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """git as it comes, and a copy of a package that is not under it yet."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    package = tmp_path / "project/topdb"
    package.mkdir(parents=True)
    for name in ("code.py", "more.py"):
        (package / name).write_text("x = 1\n")
    use(package, monkeypatch)
    return package


def use(package: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkout, "_PACKAGE", package)
    monkeypatch.setattr(checkout, "_running", lambda: sorted(package.glob("*.py")))


def git(folder: Path, *command: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", "-C", folder, *who, *command], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "a")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(alone):
    """The project in a repository of its own, and the commit."""
    folder = alone.parent
    (folder / "pyproject.toml").write_text('[project]\nname = "topdb"\n')
    (folder / "data").write_text("big")
    return folder, committed(folder)


def test_the_commit_is_told_where_it_holds_all_that_runs(project):
    folder, commit = project
    told = {"of": "topdb", "state": "committed", "commit": commit, "repository": "topdb"}
    assert checkout.checkouts() == [told]
    (folder / "data").write_text("other data")  # which is no code
    (folder / "topdb/notes.txt").write_text("not run")
    assert checkout.checkouts() == [told]


def test_a_changed_or_a_new_file_has_no_commit_whatever_the_index_says(project):
    folder, _ = project
    changed = folder / "topdb/code.py"
    git(folder, "update-index", "--assume-unchanged", "topdb/code.py")
    changed.write_text("x = 2\n")
    (folder / "topdb/new.py").write_text("y = 1\n")
    git(folder, "add", "topdb/new.py")  # staged, and in no commit
    (found,) = checkout.checkouts()
    assert found == {
        "of": "topdb",
        "state": "changed",
        "repository": "topdb",
        "files": ["topdb/code.py", "topdb/new.py"],
    }


def test_a_method_of_ones_own_in_the_same_checkout_counts_among_what_ran(project):
    folder, _ = project
    own = folder / "mine/two.py"
    own.parent.mkdir()
    own.write_text("z = 1\n")
    (found,) = checkout.checkouts([own])
    assert (found["state"], found["files"]) == ("changed", ["mine/two.py"])
    commit = committed(folder)
    (found,) = checkout.checkouts([own])
    assert (found["state"], found["commit"]) == ("committed", commit)


def test_a_method_of_ones_own_elsewhere_is_told_of_on_its_own(project, tmp_path):
    _, commit = project
    own = tmp_path / "mine/two.py"
    own.parent.mkdir()
    own.write_text("z = 1\n")
    first, second = checkout.checkouts([own])
    assert (first["commit"], second) == (commit, {"of": "own files", "state": "none"})
    theirs = committed(own.parent)
    first, second = checkout.checkouts([own])
    assert (first["commit"], second["commit"], second["of"]) == (commit, theirs, "own files")
    own.write_text("z = 2\n")
    assert checkout.checkouts([own])[1]["files"] == ["two.py"]


def test_a_copy_in_anothers_repository_does_not_take_its_commit(alone, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    committed(other)
    copy = shutil.copytree(alone, other / "topdb")
    use(copy, monkeypatch)
    assert checkout.checkouts() == [{"of": "topdb", "state": "untracked", "repository": "another"}]
    commit = committed(other)
    assert checkout.checkouts() == [
        {"of": "topdb", "state": "committed", "commit": commit, "repository": "another"}
    ]


def test_no_checkout_a_refusal_and_no_git_are_told_apart(alone, project, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert checkout.checkouts() == [{"of": "topdb", "state": "refused"}]
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout.checkouts()[0]["reason"] == "git is not installed"
    monkeypatch.undo()
    alone_copy = shutil.copytree(alone, tmp_path / "bare/topdb")
    use(alone_copy, monkeypatch)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert checkout.checkouts() == [{"of": "topdb", "state": "none"}]


def test_a_repository_that_a_hook_names_is_not_asked(project, tmp_path, monkeypatch):
    _, commit = project
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/file").write_text("x")
    committed(tmp_path / "hook")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "hook/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "hook"))
    assert checkout.checkouts()[0]["commit"] == commit


def test_a_repository_without_a_commit_tracks_nothing(alone):
    git(alone.parent, "init", "--quiet")
    assert checkout.checkouts()[0]["state"] == "untracked"


def test_nothing_that_a_repository_is_set_to_run_is_run(project, tmp_path):
    folder, commit = project
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    spy.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(spy))
    assert checkout.checkouts()[0]["commit"] == commit
    assert not (tmp_path / "ran").exists()
