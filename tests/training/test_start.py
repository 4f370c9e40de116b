import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from topdb.errors import UserError
from topdb.params import ImagenetSettings
from topdb.training.start import load_backbone, load_imagenet


def backbone(features: int = 3) -> nn.Linear:
    torch.manual_seed(features)
    return nn.Linear(2, features)


def imagenet_file(folder, content: dict) -> ImagenetSettings:
    """A file whose name tells its digest, as torchvision's do."""
    path = folder / "some.pth"
    torch.save(content, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    named = path.rename(folder / f"resnet50-{digest}.pth")
    return ImagenetSettings(kind="imagenet", weights=named)


def test_pretrained_weights_arrive(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.arange(3.0)}
    save_file(weights, tmp_path / "backbone.safetensors")
    loaded = backbone()
    load_backbone(loaded, tmp_path / "backbone.safetensors")
    assert torch.equal(loaded.weight, weights["weight"])
    assert torch.equal(loaded.bias, weights["bias"])


def test_missing_pretrained_weights_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(UserError, match="does not exist: run `topdb pretrain`"):
        load_backbone(backbone(), tmp_path / "backbone.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\xff" * 64])
def test_broken_pretrained_weights_are_named(tmp_path, content):
    path = tmp_path / "backbone.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_backbone(backbone(), path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "backbone.safetensors"
    save_file(backbone(features=4).state_dict(), path)
    with pytest.raises(UserError, match="does not fit this backbone.*size mismatch") as caught:
        load_backbone(backbone(), path)
    assert "\n" not in str(caught.value)


def test_imagenet_weights_arrive_without_their_classifier(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "fc.weight": torch.ones(9, 9)}
    loaded = backbone()
    load_imagenet(loaded, imagenet_file(tmp_path, weights))
    assert torch.equal(loaded.weight, weights["weight"])


def test_missing_imagenet_weights_are_named(tmp_path):
    start = ImagenetSettings(kind="imagenet", weights=tmp_path / "resnet50-19c8e357.pth")
    with pytest.raises(UserError, match=r"resnet50-19c8e357.pth .*start.weights"):
        load_imagenet(backbone(), start)


def test_altered_imagenet_weights_do_not_have_the_digest_of_their_name(tmp_path):
    start = imagenet_file(tmp_path, backbone().state_dict())
    content = bytearray(start.weights.read_bytes())
    content[-1] ^= 1
    start.weights.write_bytes(content)
    with pytest.raises(UserError, match="does not have the digest"):
        load_imagenet(backbone(), start)


def test_imagenet_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_imagenet(backbone(), imagenet_file(tmp_path, backbone(features=4).state_dict()))
    assert "\n" not in str(caught.value)


class Unsafe:
    """Not a tensor: to read it would run code of the file's choice."""


def test_pickled_objects_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_imagenet(backbone(), imagenet_file(tmp_path, {"weight": Unsafe()}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut"])
def test_files_that_are_no_weights_are_refused(tmp_path, content):
    digest = hashlib.sha256(content).hexdigest()[:8]
    path = tmp_path / f"resnet50-{digest}.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not fit this backbone"):
        load_imagenet(backbone(), ImagenetSettings(kind="imagenet", weights=path))
