import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from topdb.training.backbone_file import read_weights, write_weights

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
