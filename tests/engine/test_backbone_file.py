import pytest
import tiny
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from topdb.engine.start import read_weights, write_weights

WEIGHTS = {"b.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "backbone.safetensors"
    write_weights(WEIGHTS, path)
    found = read_weights(path)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], value) for name, value in WEIGHTS.items())


def test_equal_weights_give_equal_files(tmp_path):
    for name in ("one", "other"):
        write_weights(WEIGHTS, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("position", [-1, -24])
def test_one_flipped_bit_is_noticed(tmp_path, position):
    path = tmp_path / "backbone.safetensors"
    write_weights(WEIGHTS, path)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not have the digest"):
        read_weights(path)


def test_a_file_without_a_digest_or_cut_short_is_refused(tmp_path):
    path = tmp_path / "backbone.safetensors"
    save_file(WEIGHTS, path)
    with pytest.raises(ValueError, match="digest"):
        read_weights(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SafetensorError):
        read_weights(path)


FULL = """
import resource
import sys
from pathlib import Path

import torch

from topdb.files import replacing
from topdb.engine.checkpoint import save_tensors

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with replacing(Path("weights.safetensors")) as partial:
        save_tensors({"a": torch.zeros(10_000)}, partial)
except OSError as error:
    print(error.strerror, error.filename)
"""


def test_a_disk_without_room_is_an_error_of_the_system(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"old")
    done = tiny.python(tmp_path, "-c", FULL, PYTHONPATH=str(tiny.ROOT))
    assert done.stdout == "File too large weights.safetensors\n", done.stderr
    assert (tmp_path / "weights.safetensors").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
