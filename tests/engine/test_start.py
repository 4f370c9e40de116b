import hashlib
import re

import pytest
import torch
from torch import nn

from topdb.config import FULL, IMAGENET_FILES
from topdb.engine.start import IMAGENET1K_V1, load_backbone, load_imagenet, write_weights
from topdb.errors import UserError
from topdb.methods.backbones import build_backbone


class Started(nn.Module):
    """A method as far as its start is concerned: it takes over a backbone's weights."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def start(self, weights) -> None:
        self.backbone.load_state_dict(weights)


def started(features: int = 3) -> Started:
    torch.manual_seed(features)
    return Started(nn.Linear(2, features))


def saved(folder, content, **how):
    """A file of torch, and its digest."""
    path = folder / "weights.pth"
    torch.save(content, path, **how)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_pretrained_weights_arrive(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.arange(3.0)}
    write_weights(weights, tmp_path / "backbone.safetensors")
    loaded = started()
    load_backbone(loaded, tmp_path / "backbone.safetensors")
    assert torch.equal(loaded.backbone.weight, weights["weight"])
    assert torch.equal(loaded.backbone.bias, weights["bias"])


def test_missing_pretrained_weights_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(UserError, match="does not exist: run `topdb pretrain`"):
        load_backbone(started(), tmp_path / "backbone.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\xff" * 64])
def test_broken_pretrained_weights_are_named(tmp_path, content):
    path = tmp_path / "backbone.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_backbone(started(), path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "backbone.safetensors"
    write_weights(started(features=4).backbone.state_dict(), path)
    with pytest.raises(UserError, match="does not fit this backbone.*size mismatch") as caught:
        load_backbone(started(), path)
    assert "\n" not in str(caught.value)


def test_imagenet_weights_arrive_without_their_classifier(tmp_path):
    weights = {"weight": torch.ones(3, 2), "bias": torch.zeros(3), "fc.weight": torch.ones(9, 9)}
    path, digest = saved(tmp_path, weights)
    loaded = started()
    load_imagenet(loaded, "resnet50", path, known=[digest])
    assert torch.equal(loaded.backbone.weight, weights["weight"])


def backbone_of(name: str) -> nn.Module:
    return build_backbone(name, FULL)


def classifier_of(name: str) -> str:
    return "fc" if name.startswith("resnet") else "classifier"


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "densenet201"])
def test_a_backbone_takes_a_file_as_torch_saved_it_in_2017(tmp_path, name):
    state = {
        key: nn.Parameter(value) if key.endswith("weight") else value
        for key, value in backbone_of(name).state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    theirs = state
    if name == "densenet201":  # its layers were `norm.1` then, below `features`
        theirs = {
            "features." + re.sub(r"(norm|conv)(\d)\.", r"\1.\2.", key)
            if "denselayer" in key
            else f"features.{key}": value
            for key, value in state.items()
        }
        assert any("norm.1." in key for key in theirs)
    path, digest = saved(
        tmp_path,
        theirs | {f"{classifier_of(name)}.bias": torch.ones(1000)},
        _use_new_zipfile_serialization=False,
    )
    loaded = Started(backbone_of(name))
    load_imagenet(loaded, name, path, known=[digest])
    found = loaded.backbone.state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())


def test_the_known_files_are_torchvisions_whose_names_begin_their_digests():
    for backbone, known in IMAGENET1K_V1.items():
        for name in IMAGENET_FILES[backbone]:
            assert any(digest.startswith(name.rpartition("-")[2][:8]) for digest in known)
    for name, digest in zip(IMAGENET_FILES["resnet50"], IMAGENET1K_V1["resnet50"], strict=True):
        assert len(digest) == 64
        assert name == f"resnet50-{digest[:8]}.pth"
    from torchvision.models import DenseNet201_Weights, ResNet50_Weights, ResNet101_Weights

    today = {
        "resnet50": ResNet50_Weights,
        "resnet101": ResNet101_Weights,
        "densenet201": DenseNet201_Weights,
    }
    assert IMAGENET1K_V1.keys() == today.keys()
    for backbone, weights in today.items():
        assert weights.IMAGENET1K_V1.url.endswith(IMAGENET_FILES[backbone][-1])
    assert ResNet50_Weights.IMAGENET1K_V2.url.endswith("resnet50-11ad3fa6.pth")
    assert ResNet101_Weights.IMAGENET1K_V2.url.endswith("resnet101-cd907fc2.pth")


def test_missing_imagenet_weights_are_named(tmp_path):
    with pytest.raises(UserError, match=r"some\.pth \(the ImageNet weights\) cannot be read"):
        load_imagenet(started(), "resnet50", tmp_path / "some.pth")


@pytest.mark.parametrize("name", ["resnet50-19c8e357.pth", "renamed.pth"])
def test_another_files_content_is_told_by_its_digest_whatever_its_name(tmp_path, name):
    path, digest = saved(tmp_path, started().backbone.state_dict())
    path = path.rename(tmp_path / name)
    said = rf"{name} has the SHA-256 {digest[:16]}.*published weights of resnet50 have "
    said += "19c8e3572231adff.*0676ba61"
    with pytest.raises(UserError, match=said):
        load_imagenet(started(), "resnet50", path)


def test_one_flipped_bit_is_noticed(tmp_path):
    path, digest = saved(tmp_path, started().backbone.state_dict())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or another file"):
        load_imagenet(started(), "resnet50", path, known=[digest])


def test_weights_v2_are_refused_because_their_features_are_others(tmp_path, monkeypatch):
    path, _ = saved(tmp_path, started().backbone.state_dict())
    # No file with V2's digest can be made here: the digest is what is made up.
    for backbone, beginning in (("resnet50", "11ad3fa6"), ("resnet101", "cd907fc2")):
        found = beginning + "0" * 56
        monkeypatch.setattr("topdb.engine.start.digest", lambda _, found=found: found)
        said = rf"holds the weights IMAGENET1K_V2.*name V1.*start\.weights\.{backbone}"
        with pytest.raises(UserError, match=said):
            load_imagenet(started(), backbone, path)


def test_imagenet_weights_of_another_network_are_refused(tmp_path):
    path, digest = saved(tmp_path, started(features=4).backbone.state_dict())
    with pytest.raises(UserError, match="does not fit this backbone") as caught:
        load_imagenet(started(), "resnet50", path, known=[digest])
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_no_state_dict_is_refused(tmp_path):
    path, digest = saved(tmp_path, [1, 2])
    with pytest.raises(UserError, match="does not fit this backbone"):
        load_imagenet(started(), "resnet50", path, known=[digest])
