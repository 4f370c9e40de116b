"""Damaged and hostile files: reading them ends in their content or in one sentence."""

import contextlib
import hashlib
import io
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import tiny
import torch
from factories import network, recipe_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topdb.config import RankingSettings, dropped_in
from topdb.datasets.building import build_index
from topdb.datasets.decoding import decode
from topdb.datasets.index import Pixels, read_index
from topdb.datasets.layouts import load_layout
from topdb.engine.start import load_backbone, load_imagenet
from topdb.errors import UserError
from topdb.results.features import read_features
from topdb.runs.evaluate import evaluate

SMALL_NETWORK = network("top-db-net", recipe_of())
QUIET = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
NEARLY = st.from_regex(
    r"(-1|\d{3,5})_c\d{1,2}(s\d_|_f)\d{5,8}(_\d\d)?\.(jpg|png|JPG)\n?", fullmatch=True
)


class Executes:
    """Unpickling it leaves a file."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "pwned").exists()


def damage(content: bytes, edits: list[tuple[int, int]], cut: int | None) -> bytes:
    """Replace bytes, and cut the end off."""
    damaged = bytearray(content)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    return bytes(damaged if cut is None else damaged[: cut % (len(damaged) + 1)])


DAMAGE = {
    "edits": st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    "cut": st.none() | st.integers(0, 10**6),
}


@pytest.mark.parametrize("name", ["query_features", "gallery_paths"])
def test_a_pickle_that_executes_given_as_features(name, here):
    path = tiny.write_features(here / "x.npz", **{name: np.array([Executes()] * 3, object)})
    with pytest.raises(UserError, match=r"x\.npz is no readable \.npz file"):
        read_features(path)


def test_a_bare_pickle_given_as_features(here):
    (here / "x.npz").write_bytes(pickle.dumps(Executes()))
    with pytest.raises(UserError, match=r"x\.npz is no readable \.npz file"):
        read_features(here / "x.npz")


def test_a_pickle_that_executes_given_as_pixels(market_index, here):
    np.save(here / "pixels.npy", np.array([Executes()], object), allow_pickle=True)
    with pytest.raises(UserError, match="no cache of pixels"):
        Pixels.open(here / "pixels.npy", market_index)


def test_a_pickle_that_executes_given_as_weights(here):
    (here / "weights.safetensors").write_bytes(pickle.dumps(Executes()))
    with pytest.raises(UserError, match="does not fit this backbone"):
        load_backbone(SMALL_NETWORK, here / "weights.safetensors")


def test_a_pickle_that_executes_given_as_imagenet_weights(here):
    torch.save({"weight": Executes()}, here / "x.pth")
    content = (here / "x.pth").read_bytes()
    known = [hashlib.sha256(content).hexdigest()]
    with pytest.raises(UserError, match="is not only tensors"):
        load_imagenet(SMALL_NETWORK, "resnet50", here / "x.pth", known)


def test_features_that_claim_to_be_larger_than_memory(here):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 10**4)}
    )
    with zipfile.ZipFile(here / "x.npz", "w") as archive:
        for split in ("query", "gallery"):
            for part in ("features", "pids", "camids", "paths"):
                archive.writestr(f"{split}_{part}.npy", header.getvalue() + b"1234")
    with pytest.raises(UserError, match="no readable"):
        read_features(here / "x.npz")


@QUIET
@given(**DAMAGE)
def test_damaged_features(here, edits, cut):
    path = tiny.write_features(here / "whole.npz")
    damaged = here / "damaged.npz"
    damaged.write_bytes(damage(path.read_bytes(), edits, cut))
    with contextlib.suppress(UserError):
        read_features(damaged)


ARRAYS = st.sampled_from(
    [
        np.zeros(()),
        np.zeros(3),
        np.zeros((3, 0), np.float32),
        np.zeros((3, 1), complex),
        np.full((3, 1), np.nan, np.float32),
        np.array(["a", "b", "c"]),
        np.array([b"a", b"b", b"c"]),
        np.array([1.5, 2.0, 3.0]),
        np.array([2**63, 1, 2], np.uint64),
        np.array(["2001", "2002", "2003"], "M8[Y]"),
        np.zeros(3, [("a", "i4")]),
        np.zeros((3, 3, 3), np.float32),
        np.array([], np.int64),
    ]
)
PARTS = st.sampled_from(
    [f"{s}_{p}" for s in ("query", "gallery") for p in ("features", "pids", "camids", "paths")]
)


@QUIET
@given(changes=st.dictionaries(PARTS, ARRAYS, min_size=1, max_size=2))
def test_arrays_of_other_kinds(here, changes):
    path = tiny.write_features(here / "other.npz", **changes)
    with contextlib.suppress(UserError):
        evaluate(path, "plain", RankingSettings(), here / "plain", threads=1)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexed")
    tiny.draw_market(folder / "data")
    build_index("m", "market1501", folder / "data", folder / "i.parquet", folder / "p.npy")
    return folder


@pytest.fixture(scope="module")
def market_index(indexed):
    return read_index(indexed / "i.parquet")


@QUIET
@given(**DAMAGE)
def test_a_damaged_index(indexed, here, edits, cut):
    (here / "i.parquet").write_bytes(damage((indexed / "i.parquet").read_bytes(), edits, cut))
    with contextlib.suppress(UserError):
        read_index(here / "i.parquet")


@QUIET
@given(content=st.binary(max_size=200))
def test_any_bytes_are_no_index_and_no_features(here, content):
    (here / "x").write_bytes(content)
    with pytest.raises(UserError):
        read_index(here / "x")
    with pytest.raises(UserError):
        read_features(here / "x")


@pytest.mark.parametrize("layout", dropped_in("datasets/layouts"))
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(names=st.lists(NAMES | NEARLY, min_size=1, max_size=3))
def test_any_file_names(layout, names, tmp_path_factory):
    root = tmp_path_factory.mktemp("names", numbered=True)
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (root / folder).mkdir()
    for folder in ("images_labeled", "images_detected"):
        (root / folder).mkdir()
    for folder in root.iterdir():
        for name in names:
            (folder / name).write_bytes(b"")
    with contextlib.suppress(UserError):
        for record in load_layout(layout).read(root):
            assert (root / record.path).is_file()


@pytest.mark.parametrize(
    "name", ["0001_c1s1_000001_00.jpg;touch pwned", "$(touch pwned).jpg", "\x1b]0;x\x07.jpg"]
)
def test_a_file_named_like_a_command_is_named_and_refused(name, here, monkeypatch, capfd):
    tiny.draw_market(here / "data/market1501")
    (here / "data/market1501/query" / name).write_bytes(b"")
    tiny.write_params(here)
    files = ["--index", "i.parquet", "--pixels", "p.npy"]
    assert tiny.topdb(monkeypatch, "index", "market1501", *files) == 2
    said = capfd.readouterr().err
    assert "does not fit the file names of this layout" in said
    assert said.rstrip("\n").isprintable()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_that_claims_to_be_enormous(size, here):
    with pytest.raises(UserError, match=r"x\.png says that it is larger than"):
        decode(png_header(*size), here / "x.png")
