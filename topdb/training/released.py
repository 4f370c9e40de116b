"""The authors' released checkpoints: read without running code, checked entry by entry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from topdb.errors import UserError
from topdb.methods import build
from topdb.methods.parts.released import GLOBAL_CLASSIFIER, released_names, unused_layer
from topdb.methods.parts.streams import StreamNetwork
from topdb.params import NetworkSettings, dropped_in
from topdb.training.pickled import load_pickled

_COUNTER = "num_batches_tracked"
"""Counts batches, and decides nothing here: old versions of torch do not save it."""
_MOST = 2**53
"""No number of epochs is larger, and NaN is not smaller."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a released checkpoint holds."""

    network: StreamNetwork
    """With the checkpoint's weights."""
    identities: int
    """People that it was trained to tell apart."""
    epoch: int | None
    """Epochs that it was trained for, where the file says so."""
    rank1: float | None
    """Rank-1 that the file states, a fraction; whatever data it was measured on."""


def read_checkpoint(path: Path, method: str, settings: NetworkSettings) -> Checkpoint:
    """Read a checkpoint that the authors' code saved.

    It is a dict with the entries `state_dict`, `epoch`, `rank1` and `optimizer`, or the state dict
    alone; names may begin with `module.`, since training ran in a `DataParallel`. Beside the
    weights, everything is optional, and the optimiser's state is left aside.

    Parameters
    ----------
    path : the file
    method : what the network is
    settings : the network's sizes

    Raises
    ------
    UserError
        The file is missing or broken, is of another method, or an entry is missing, unknown, of
        another shape, or no finite number.
    """
    content = load_pickled(path, "the released checkpoint")
    entries = _entries(path, content)
    classifier = entries.get(GLOBAL_CLASSIFIER)
    if classifier is None or classifier.ndim != 2:
        raise UserError(
            f"{path} has no {GLOBAL_CLASSIFIER}, which every released checkpoint has: name one."
        )
    identities = len(classifier)
    network = _built(method, settings, identities)
    if network is None:
        raise UserError(
            f"method {method} has no released checkpoints, since it is not made of streams: name "
            "another method."
        )
    own = network.state_dict()
    names = released_names(network)
    missing, unknown = _differing_names(network, entries)
    if missing or unknown:
        wrong = f"lacks {missing[0]}" if missing else f"has {unknown[0]}, which is unknown"
        raise UserError(
            f"{path} is no checkpoint of {method}: it {wrong}{_others(method, settings, entries)}."
        )
    weights = {}
    for name, released in names.items():
        value = entries.get(released, own[name])
        if value.shape != own[name].shape or value.is_floating_point() != (
            own[name].is_floating_point()
        ):
            raise UserError(
                f"{path}: {released} is {_shape(value)}, and {method} with {identities} people "
                f"has {_shape(own[name])} there: name the profile whose network it is."
            )
        if not value.isfinite().all():
            raise UserError(f"{path}: {released} holds NaN or infinity: get the file again.")
        weights[name] = value.to(own[name].dtype)
    network.load_state_dict(weights)
    told = content if isinstance(content, dict) else {}
    return Checkpoint(network, identities, _whole(told.get("epoch")), _share(told.get("rank1")))


def _entries(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict without the prefix that `DataParallel` gives its names."""
    nested = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(nested, dict) or not nested:
        raise UserError(f"{path} holds no state dict: name a checkpoint of the released code.")
    for name, value in nested.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path}: the entry {name!r} of its state dict is no tensor: name a checkpoint of "
                "the released code."
            )
    return {name.removeprefix("module."): value for name, value in nested.items()}


def _built(method: str, settings: NetworkSettings, identities: int) -> StreamNetwork | None:
    """Build a method as released; None where it is none of the authors'."""
    network = build(method, settings, identities, "released")
    return network if isinstance(network, StreamNetwork) else None


def _differing_names(
    network: StreamNetwork, entries: dict[str, Tensor]
) -> tuple[list[str], list[str]]:
    """Return the released names that the entries lack, and those that they have too many."""
    wanted = set(released_names(network).values())
    unused = unused_layer(network)
    missing = [name for name in wanted - entries.keys() if not name.endswith(_COUNTER)]
    unknown = [
        name for name in entries.keys() - wanted if unused is None or not name.startswith(unused)
    ]
    return sorted(missing), sorted(unknown)


def _others(method: str, settings: NetworkSettings, entries: dict[str, Tensor]) -> str:
    """Say which other method the entries fit, or to check the name where none does."""
    for other in dropped_in("methods"):
        with torch.device("meta"):
            network = _built(other, settings, identities=2)
        if other != method and network and _differing_names(network, entries) == ([], []):
            return f"; its names are those of {other}: name --method {other}"
    return (
        "; no other method has its names either: name a checkpoint of the released code, or the "
        "profile whose network it is"
    )


def _shape(value: Tensor) -> str:
    return f"{'x'.join(map(str, value.shape)) or 'a single value'} {str(value.dtype)[6:]}"


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and abs(value) < _MOST else None


def _share(value: object) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return float(value) if isinstance(value, int | float) and abs(value) < _MOST else None
