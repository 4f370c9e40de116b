"""Files told by their first bytes, each written by what writes such files."""

import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, features
from safetensors.numpy import save
from scipy.io import savemat

from topdb.errors import UserError
from topdb.kinds import kind_of, refuse_other

IMAGES = ["JPEG", "PNG", "GIF", "TIFF", "BMP"] + [
    each for each in ("WebP", "AVIF") if features.check(each.lower())
]


def image(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind)
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.jpg"))
    return stream.getvalue()


def saved(writer) -> bytes:
    stream = io.BytesIO()
    writer(stream)
    return stream.getvalue()


TENSOR = torch.ones(2)
KINDS = {
    "html": b'<!-- x -->\n<html lang="en">',
    "xml": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "annex": b"/annex/objects/SHA256E-s9--0.pth",
    "json": json.dumps({"message": "Not Found"}).encode(),
    "text": "404: nicht gefunden, schön\n".encode(),
    "utf-16": "path,person".encode("utf-16"),
    "pdf": b"%PDF-1.7\n",
    "gzip": gzip.compress(b"x"),
    "xz": lzma.compress(b"x"),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "rar": b"Rar!\x1a\x07\x00",
    "tar": tarred(),
    "zip": zipped(**{"epoch_60.pth": b"x", "readme.txt": b"x"}),
    "office": zipped(**{"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"}),
    "npz": saved(lambda stream: np.savez(stream, x=np.ones(2))),
    "npy": saved(lambda stream: np.save(stream, np.ones(2))),
    "torch": saved(lambda stream: torch.save({"x": TENSOR}, stream)),
    "torchscript": zipped(**{"net/code/x.py": b"x", "net/data.pkl": b"x"}),
    "safetensors": save({"x": np.ones(2)}),
    "matlab5": saved(lambda stream: savemat(stream, {"x": np.ones(2)})),
    "parquet": saved(lambda stream: pq.write_table(pa.table({"x": [1]}), stream)),
    "empty": b"",
    **{kind.lower(): image(kind) for kind in IMAGES},
}


@pytest.mark.parametrize("word", KINDS)
def test_a_kind_is_told_whatever_the_name(word, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(KINDS[word])
    assert kind_of(path).word == word
    refuse_other(path, "a checkpoint", word)
    with pytest.raises(UserError) as caught:
        refuse_other(path, "a checkpoint")
    said = str(caught.value)
    assert said.startswith(f"{path} ")
    assert "a checkpoint" in said
    assert said.endswith(".")
    assert "\n" not in said


def test_old_files_of_torch_are_no_other_pickles(tmp_path):
    torch.save({"x": TENSOR}, tmp_path / "x", _use_new_zipfile_serialization=False)
    assert kind_of(tmp_path / "x").word == "torch"


def test_files_that_libraries_write_by_name(tmp_path):
    sqlite3.connect(tmp_path / "a").executescript("create table x (y); insert into x values (1)")
    assert kind_of(tmp_path / "a").word == "database"
    with h5py.File(tmp_path / "b", "w") as file:
        file["x"] = 1
    assert kind_of(tmp_path / "b").word == "hdf5"


def test_an_archive_that_is_cut_short_is_told_by_its_first_name(tmp_path):
    (tmp_path / "x").write_bytes(KINDS["zip"][:60])
    assert "begins with epoch_60.pth" in kind_of(tmp_path / "x").title


@pytest.mark.parametrize("content", [b"\x00" * 99, b"\xff" * 99, b"abcdefgh{\x00"])
def test_what_is_not_known_passes(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    assert kind_of(tmp_path / "x") is None
    refuse_other(tmp_path / "x", "a checkpoint")
    refuse_other(tmp_path / "nothing", "a checkpoint")


def test_a_text_may_end_within_a_letter_and_its_commands_are_not_shown(tmp_path):
    (tmp_path / "x").write_bytes(b"a" * 4095 + "é".encode() * 9)
    assert kind_of(tmp_path / "x").word == "text"
    (tmp_path / "y").write_bytes(b'{"\x1b[2J": 1}')
    assert kind_of(tmp_path / "y") is None
