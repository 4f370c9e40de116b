"""Weights that a training starts from: pretrained here, or ImageNet's."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from topdb.config import IMAGENET_FILES
from topdb.engine.checkpoint import save_tensors
from topdb.errors import UserError
from topdb.files import digest, replacing
from topdb.methods.contract import Method
from topdb.pickled import load_pickled

_KEY = "sha256"


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write contiguous tensors of the CPU as safetensors, their digest among the metadata."""
    with replacing(path) as partial:
        save_tensors(weights, partial, {_KEY: _digest(weights)})


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read what `write_weights` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    SafetensorError
        It is no safetensors file, or is cut short.
    ValueError
        Its tensors do not have the digest that it states.
    """
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in sorted(file.keys())}
        stated = (file.metadata() or {}).get(_KEY)
    if stated != _digest(weights):
        raise ValueError("its content does not have the digest that it states")
    return weights


def _digest(weights: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].numpy()
        found.update(f"{name} {values.dtype} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()


IMAGENET1K_V1 = {
    "resnet50": (
        "19c8e3572231adff6824a2da93fd67b5986919a2e65f8b6007eab4edee220097",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
    "resnet101": ("5d3b4d8f", "63fe2227"),
    "densenet201": ("c1103571",),
}
"""SHA-256 of torchvision's files of the weights IMAGENET1K_V1, whole or as its names tell it.

The first is the one that was there when the papers were written. A second holds the same weights
as a newer version of torch saves them; torchvision fetches it today. Of OSNet's file no digest is
published: what it holds is checked entry by entry, and `run.json` names its digest.
"""
_V2 = {"resnet50": "11ad3fa6", "resnet101": "cd907fc2"}
"""How the digest of IMAGENET1K_V2 begins, as torchvision's name of the file tells."""
_CLASSIFIERS = ("fc.", "classifier.")
"""What ImageNet's classifier is called where it is no part of the backbone."""


def load_backbone(network: Method, path: Path) -> None:
    """Start a method from a backbone's weights, written by `topdb pretrain`.

    Raises
    ------
    UserError
        The file is missing, damaged, or of another network.
    """
    try:
        network.start(read_weights(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run `topdb pretrain` first.") from None
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} does not fit this backbone ({reason}): delete it and run `topdb pretrain`."
        ) from None


def load_imagenet(
    network: Method, backbone: str, path: Path, known: Sequence[str] | None = None
) -> None:
    """Start a method from published ImageNet weights.

    Parameters
    ----------
    network : a method with that backbone
    backbone : its name
    path : the file, of whatever name
    known : how the SHA-256 of each file that will do begins; None for the published ones

    Raises
    ------
    UserError
        The file is missing, is another one than those known, or of another network.
    """
    known = IMAGENET1K_V1.get(backbone, ()) if known is None else known
    try:
        found = digest(path)
    except OSError as error:
        raise UserError(
            f"{path} (the ImageNet weights) cannot be read ({error.strerror}): name another as "
            f"start.weights.{backbone} in params.yaml."
        ) from None
    second = _V2.get(backbone)
    if second and found.startswith(second):
        raise UserError(
            f"{path} holds the weights IMAGENET1K_V2, whose features are others than those that "
            f"the methods' networks start from: name V1 ({', '.join(IMAGENET_FILES[backbone])}) as "
            f"start.weights.{backbone} in params.yaml."
        )
    if known and not found.startswith(tuple(known)):
        raise UserError(
            f"{path} has the SHA-256 {found[:16]}..., and the published weights of {backbone} have "
            f"{' or '.join(f'{each[:16]}...' for each in known)}: it is damaged or another file; "
            "fetch it again."
        )
    weights = load_pickled(path, "the ImageNet weights")
    try:
        network.start(_named_as_today(weights, backbone))
    except (RuntimeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not fit this backbone ({reason}): name another.") from None


def _named_as_today(weights: Mapping[str, Tensor], backbone: str) -> dict[str, Tensor]:
    """Return torchvision's entries without their classifier, by the backbone's own names.

    Old files of DenseNet have a dot within the names of layers (`norm.1`), and all of its layers
    lie below `features`. OSNet's `fc` is not a classifier, and its file has one beside it.
    """
    found = {}
    for name, value in weights.items():
        name = re.sub(r"(norm|conv|relu)\.(\d)\.", r"\1\2.", name.removeprefix("features."))
        gone = ("classifier.",) if backbone == "osnet" else _CLASSIFIERS
        if not name.startswith(gone):
            found[name] = value
    return found
