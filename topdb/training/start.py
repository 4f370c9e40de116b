"""What a backbone starts from: weights of our own pretraining, of ImageNet, or random ones."""

from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from torch import nn

from topdb.errors import UserError
from topdb.files import digest
from topdb.params import IMAGENET_FILES
from topdb.training.backbone_file import read_weights
from topdb.training.pickled import load_pickled

IMAGENET1K_V1 = (
    "19c8e3572231adff6824a2da93fd67b5986919a2e65f8b6007eab4edee220097",
    "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
)
"""SHA-256 of torchvision's files of ResNet-50's weights IMAGENET1K_V1.

The first is the one that was there when the paper was written. The second holds the same weights
as a newer version of torch saves them; torchvision fetches it today.
"""
_V2 = "11ad3fa6"
"""How the digest of IMAGENET1K_V2 begins, as torchvision's name of the file tells."""


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Load a backbone's weights, written by `topdb pretrain`.

    Raises
    ------
    UserError
        The file is missing, damaged, or of another network.
    """
    try:
        backbone.load_state_dict(read_weights(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run `topdb pretrain` first.") from None
    except (SafetensorError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} does not fit this backbone ({reason}): delete it and run `topdb pretrain`."
        ) from None


def load_imagenet(backbone: nn.Module, path: Path, known: Sequence[str] = IMAGENET1K_V1) -> None:
    """Load torchvision's ImageNet weights; the classifier's entries are left out.

    Parameters
    ----------
    backbone : ResNet-50
    path : the file, of whatever name
    known : SHA-256 of each file that will do

    Raises
    ------
    UserError
        The file is missing, is another one than those known, or of another network.
    """
    try:
        found = digest(path)
    except OSError as error:
        raise UserError(
            f"{path} (the ImageNet weights) cannot be read ({error.strerror}): name another as "
            "start.weights in params.yaml."
        ) from None
    if found.startswith(_V2):
        raise UserError(
            f"{path} holds the weights IMAGENET1K_V2, whose features are others than those that "
            f"the paper's networks start from: name V1 ({', '.join(IMAGENET_FILES)}) as "
            "start.weights in params.yaml."
        )
    if found not in known:
        raise UserError(
            f"{path} has the SHA-256 {found[:16]}..., and IMAGENET1K_V1 has "
            f"{' or '.join(f'{each[:16]}...' for each in known)}: it is damaged or another file; "
            "fetch it again."
        )
    weights = load_pickled(path, "the ImageNet weights")
    try:
        kept = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        backbone.load_state_dict(kept)
    except (RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not fit this backbone ({reason}): name another.") from None
