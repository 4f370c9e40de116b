import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest

from topdb.errors import UserError
from topdb.results.snapshots import (
    NO_IMAGE,
    Snapshots,
    read_snapshots,
    with_earlier,
    write_snapshots,
)


def one(epoch: int, first: str = "a", second: str = "b", **changes) -> Snapshots:
    """One epoch of one query whose list is two images and a gap; pixels tell an image's name."""
    paths = np.array(["query", *sorted({first, second})])
    ranked = [paths.tolist().index(first), paths.tolist().index(second), NO_IMAGE]
    made = Snapshots(
        identity="run",
        epochs=np.array([epoch]),
        activation=np.full((1, 1, 3, 2), epoch, np.float32),
        keep=np.ones((1, 1, 3), bool),
        ranked=np.array([[ranked]]),
        right=np.array([[[True, False, False]]]),
        paths=paths,
        images=np.stack([np.full((4, 2, 3), ord(path[0]), np.uint8) for path in paths]),
    )
    return replace(made, **changes)


def lists(snapshots: Snapshots) -> list[list[str]]:
    """Each epoch's list by name, the names being read off the pixels."""
    return [
        ["" if row == NO_IMAGE else chr(snapshots.images[row, 0, 0, 0]) for row in epoch[0]]
        for epoch in snapshots.ranked
    ]


def test_what_is_written_is_read_and_equal_content_gives_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_snapshots(tmp_path / name, one(3))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read = read_snapshots(tmp_path / "one")
    for field in fields(Snapshots):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(one(3), field.name))
    assert isinstance(read.identity, str)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []


def test_earlier_epochs_are_kept_with_each_image_once(tmp_path):
    path = tmp_path / "snapshots.npz"
    for taken in (one(1, "c", "b"), one(2, "a", "c"), one(4, "d", "a")):
        write_snapshots(path, with_earlier(path, taken))
    read = read_snapshots(path)
    assert read.epochs.tolist() == [1, 2, 4]
    assert read.activation[:, 0, 0, 0].tolist() == [1, 2, 4]
    assert read.paths.tolist() == ["query", "a", "b", "c", "d"]
    assert lists(read) == [["c", "b", ""], ["a", "c", ""], ["d", "a", ""]]


def test_a_resumed_training_takes_later_epochs_anew(tmp_path):
    path = tmp_path / "snapshots.npz"
    for taken in (one(1), one(2, "c", "d"), one(4, "e", "f"), one(2, "g", "a")):
        write_snapshots(path, with_earlier(path, taken))
    read = read_snapshots(path)
    assert read.epochs.tolist() == [1, 2]
    assert lists(read) == [["a", "b", ""], ["g", "a", ""]]
    assert read.paths.tolist() == ["query", "a", "b", "g"]


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": "another run"},
        {"activation": np.ones((1, 1, 6, 4), np.float32), "keep": np.ones((1, 1, 6), bool)},
        {"paths": np.array(["other", "a", "b"])},
    ],
    ids=["another run", "another network", "another query"],
)
def test_snapshots_of_something_else_are_not_mixed(tmp_path, changes):
    path = tmp_path / "snapshots.npz"
    write_snapshots(path, one(1, **changes))
    assert with_earlier(path, one(2)).epochs.tolist() == [2]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_a_broken_file_is_named_and_does_not_stop_a_training(tmp_path, content):
    path = tmp_path / "snapshots.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"snapshots\.npz is no readable .npz.*train the run again"):
        read_snapshots(path)
    assert with_earlier(path, one(2)).epochs.tolist() == [2]


def test_a_missing_file_says_where_runs_are_chosen(tmp_path):
    with pytest.raises(UserError, match="does not exist: .*under snapshots in params.yaml"):
        read_snapshots(tmp_path / "snapshots.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"ranked": np.array([[[1, 3, 0]]])},
        {"ranked": np.array([1, 2])},
        {"keep": np.ones((1, 1, 2), bool)},
        {"right": np.ones((1, 1, 2), bool)},
        {"paths": np.array(["query"])},
        {"ranked": np.array([[[1.0, 2.0, 0.0]]])},
        {"activation": np.full((1, 1, 3, 2), np.nan, np.float32)},
        {"activation": np.zeros((1, 1, 3, 0), np.float32)},
        {"images": np.zeros((3, 4, 2, 1), np.uint8)},
    ],
    ids=[
        "a row beyond the images",
        "no lists",
        "other rows",
        "other ranks",
        "fewer names",
        "ranks that are no whole numbers",
        "a map of no numbers",
        "a map of nothing",
        "images without colours",
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes):
    write_snapshots(tmp_path / "s.npz", one(1, **changes))
    with pytest.raises(UserError, match="do not fit each other"):
        read_snapshots(tmp_path / "s.npz")


def test_a_missing_array_is_named(tmp_path):
    with (tmp_path / "s.npz").open("wb") as stream:
        np.savez(stream, epochs=np.array([1]))
    with pytest.raises(UserError, match="lacks the array identity"):
        read_snapshots(tmp_path / "s.npz")


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    write_snapshots(tmp_path / "s.npz", one(1))
    with zipfile.ZipFile(tmp_path / "s.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(10_000_000))
    monkeypatch.setattr("topdb.results.snapshots.SNAPSHOT_BYTES", 1_000_000)
    with pytest.raises(UserError, match="unpacks to .* bytes, which is no snapshot"):
        read_snapshots(tmp_path / "s.npz")
