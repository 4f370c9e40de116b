"""What a backbone starts from: weights of our own pretraining, of ImageNet, or random ones."""

import hashlib
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from topdb.errors import UserError
from topdb.params import ImagenetSettings


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Load a backbone's weights, written by `topdb pretrain`.

    Raises
    ------
    UserError
        The file is missing, broken, or of another network.
    """
    try:
        backbone.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run `topdb pretrain` first.") from None
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} does not fit this backbone ({reason}): delete it and run `topdb pretrain`."
        ) from None


def load_imagenet(backbone: nn.Module, start: ImagenetSettings) -> None:
    """Load torchvision's ImageNet weights; the classifier's entries are left out.

    The file's name ends in the first eight digits of its SHA-256, which are checked.

    Raises
    ------
    UserError
        The file is missing, altered, or of another network.
    """
    path = start.weights
    try:
        content = path.read_bytes()
    except OSError:
        raise UserError(
            f"{path} (the ImageNet weights of ResNet-50, IMAGENET1K_V1) cannot be read: put "
            "torchvision's resnet50-19c8e357.pth there, or name it as start.weights in params.yaml."
        ) from None
    expected = path.stem.rpartition("-")[2]
    if not hashlib.sha256(content).hexdigest().startswith(expected):
        raise UserError(
            f"{path} does not have the digest {expected} that its name promises: fetch it again."
        )
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        kept = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        backbone.load_state_dict(kept)
    except (RuntimeError, EOFError, pickle.UnpicklingError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not fit this backbone ({reason}): name another.") from None
