import hashlib

import pytest
import torch
from torch import nn

from topdb.errors import UserError
from topdb.params import IMAGENET_FILES
from topdb.training.backbone_file import write_weights
from topdb.training.start import IMAGENET1K_V1, load_backbone, load_imagenet


def backbone(features: int = 3) -> nn.Linear:
    torch.manual_seed(features)
    return nn.Linear(2, features)


def saved(folder, content, **how):
    """A file of torch, and its digest."""
    path = folder / "weights.pth"
    torch.save(content, path, **how)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_pretrained_weights_arrive(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.arange(3.0)}
    write_weights(weights, tmp_path / "backbone.safetensors")
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
    write_weights(backbone(features=4).state_dict(), path)
    with pytest.raises(UserError, match="does not fit this backbone.*size mismatch") as caught:
        load_backbone(backbone(), path)
    assert "\n" not in str(caught.value)


def test_imagenet_weights_arrive_without_their_classifier(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "fc.weight": torch.ones(9, 9)}
    path, digest = saved(tmp_path, weights)
    loaded = backbone()
    load_imagenet(loaded, path, known=[digest])
    assert torch.equal(loaded.weight, weights["weight"])


def test_resnet50_takes_a_file_as_torch_saved_it_in_2017(tmp_path):
    from topdb.methods.backbones import resnet50

    source, _ = resnet50.build()
    state = {
        name: nn.Parameter(value) if name.endswith("weight") else value
        for name, value in source.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    path, digest = saved(
        tmp_path, state | {"fc.bias": torch.ones(1000)}, _use_new_zipfile_serialization=False
    )
    loaded, _ = resnet50.build()
    load_imagenet(loaded, path, known=[digest])
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in state.items())


def test_the_known_files_are_torchvisions_whose_names_begin_their_digests():
    for name, digest in zip(IMAGENET_FILES, IMAGENET1K_V1, strict=True):
        assert len(digest) == 64
        assert name == f"resnet50-{digest[:8]}.pth"
    from torchvision.models import ResNet50_Weights

    assert ResNet50_Weights.IMAGENET1K_V1.url.endswith(IMAGENET_FILES[1])
    assert ResNet50_Weights.IMAGENET1K_V2.url.endswith("resnet50-11ad3fa6.pth")


def test_missing_imagenet_weights_are_named(tmp_path):
    with pytest.raises(UserError, match=r"some\.pth \(the ImageNet weights\) cannot be read"):
        load_imagenet(backbone(), tmp_path / "some.pth")


@pytest.mark.parametrize("name", ["resnet50-19c8e357.pth", "renamed.pth"])
def test_another_files_content_is_told_by_its_digest_whatever_its_name(tmp_path, name):
    path, digest = saved(tmp_path, backbone().state_dict())
    path = path.rename(tmp_path / name)
    said = rf"{name} has the SHA-256 {digest[:16]}.*IMAGENET1K_V1 has 19c8e3572231adff.*0676ba61"
    with pytest.raises(UserError, match=said):
        load_imagenet(backbone(), path)


def test_one_flipped_bit_is_noticed(tmp_path):
    path, digest = saved(tmp_path, backbone().state_dict())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or another file"):
        load_imagenet(backbone(), path, known=[digest])


def test_weights_v2_are_refused_because_their_features_are_others(tmp_path, monkeypatch):
    path, _ = saved(tmp_path, backbone().state_dict())
    # No file with V2's digest can be made here: the digest is what is made up.
    monkeypatch.setattr("topdb.training.start.digest", lambda _: "11ad3fa6" + "0" * 56)
    with pytest.raises(UserError, match="holds the weights IMAGENET1K_V2.*name V1"):
        load_imagenet(backbone(), path)


def test_imagenet_weights_of_another_network_are_refused(tmp_path):
    path, digest = saved(tmp_path, backbone(features=4).state_dict())
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_imagenet(backbone(), path, known=[digest])
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_no_state_dict_is_refused(tmp_path):
    path, digest = saved(tmp_path, [1, 2])
    with pytest.raises(UserError, match="does not fit this backbone"):
        load_imagenet(backbone(), path, known=[digest])
