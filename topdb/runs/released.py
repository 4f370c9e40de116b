"""Checkpoints that others trained: read entry by entry, whatever lies around their weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from topdb.config import Profile, method_files
from topdb.errors import UserError
from topdb.kinds import CHECKPOINTS, first_bytes, is_safetensors, refuse_other
from topdb.methods import build
from topdb.methods.contract import Method, Names
from topdb.pickled import load_pickled
from topdb.runs.record import Chosen, chosen

_INSIDE = ("state_dict", "state_dicts", "model", "net", "model_state_dict")
"""Under which of these a checkpoint may hold its state dict; of a list the first is the model's."""
_PARALLEL = "module"
_COMPILED = "_orig_mod"
"""What `DataParallel` puts before names, and torch's compiler wherever what it compiled stands."""
_DEEPEST = 4
"""Levels of a checkpoint in which a state dict is looked for."""
_COUNTER = "num_batches_tracked"
"""Counts batches, and decides nothing here: old versions of torch do not save it."""
_TEXT = "described"
"""The side that released code does not follow: looked at last."""
_MOST = 2**53
"""No number of epochs is larger, and NaN is not smaller."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a released checkpoint holds."""

    network: Method
    """With the checkpoint's weights."""
    identities: int
    """People that it was trained to tell apart."""
    epoch: int | None
    """Epochs that it was trained for, where the file says so."""
    rank1: float | None
    """Rank-1 that the file states, a fraction; whatever data it was measured on."""


def read_checkpoint(
    path: Path,
    method: str,
    imported: Chosen,
    profile: Profile,
    method_folders: Sequence[Path] = (),
) -> Checkpoint:
    """Read a checkpoint that released code saved.

    It is a state dict, alone or inside of what the code saves beside it (`state_dict`, the first
    of `state_dicts`, `model`, ...); names may begin with `module.`, since training ran in a
    `DataParallel`. Beside the weights everything is optional, and an optimiser's state is left
    aside. The `weights.safetensors` of a run of topdb is one, too, under the method's own names.

    Parameters
    ----------
    path : the file
    method : whose checkpoint it is
    imported : the method with its recipe
    profile : its scale, and its other methods' for the message
    method_folders : where methods lie beside the package's own

    Raises
    ------
    UserError
        The file is missing or broken, is of another method or variant, or an entry is missing,
        unknown, of another shape, or no finite number.
    """
    content = _load(path)
    entries = _entries(path, content)
    names = _names(imported, profile, entries)
    if names is None:
        raise UserError(f"method {method} has no released checkpoints: name another method.")
    wrong = _wrong_names(imported, profile, entries)
    if wrong:
        others = _others(method, imported, profile, entries, method_folders)
        raise UserError(f"{path} is no checkpoint of {method}: it {wrong}{others}.")
    classifier = entries[names.classifier]
    if classifier.ndim < 2:
        raise UserError(
            f"{path}: {names.classifier} is {_shape(classifier)}, and tells no number of people: "
            f"name a checkpoint of {method}."
        )
    identities = len(classifier)
    network = build(imported.method, imported.recipe, identities, profile.scale)
    own = network.state_dict()
    weights = {}
    for name, held in own.items():
        released = names.released(name)
        value = entries.get(released, held) if released else held
        if value.shape != held.shape or value.is_floating_point() != held.is_floating_point():
            raise UserError(
                f"{path}: {released} is {_shape(value)}, and {method} with {identities} people "
                f"has {_shape(held)} there: name the profile whose network it is."
            )
        if not value.isfinite().all():
            raise UserError(f"{path}: {released} holds NaN or infinity: get the file again.")
        weights[name] = value.to(held.dtype)
    network.load_state_dict(weights)
    told = content if isinstance(content, dict) else {}
    epoch = told.get("epoch", told.get("ep"))
    return Checkpoint(network, identities, _whole(epoch), _share(told.get("rank1")))


def _load(path: Path) -> Any:
    """Read a file of `torch.save` of any age, or a `.safetensors` file, as its first bytes say."""
    refuse_other(path, "a checkpoint", *CHECKPOINTS)
    try:
        safe = is_safetensors(first_bytes(path))
    except OSError:
        safe = False  # the other reader says why
    if not safe:
        return load_pickled(path, "the released checkpoint")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} cannot be read as a .safetensors file ({reason}); it may be cut short: get "
            "the checkpoint again."
        ) from None


def _entries(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict, its names without what training put around them."""
    nested = content
    for _ in range(_DEEPEST):
        if isinstance(nested, list | tuple) and nested:
            nested = nested[0]
        inside = (
            [nested[key] for key in _INSIDE if key in nested] if isinstance(nested, dict) else []
        )
        deeper = next((each for each in inside if not isinstance(each, Tensor)), None)
        if deeper is None:
            break
        nested = deeper
    if not isinstance(nested, dict) or not nested:
        raise UserError(f"{path} holds no state dict: name a checkpoint of the released code.")
    found: dict[str, Tensor] = {}
    for name, value in nested.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path}: the entry {name!r} of its state dict is no tensor: name a checkpoint of "
                "the released code."
            )
        plain = _without_wrappers(name)
        if plain in found:
            raise UserError(
                f"{path} holds {plain} twice, once as {name}: name a checkpoint of one network."
            )
        found[plain] = value
    return found


def _without_wrappers(name: str) -> str:
    """Return a name without `module.` before it, and without `_orig_mod.` anywhere in it."""
    parts = [part for part in name.split(".") if part != _COMPILED]
    while len(parts) > 1 and parts[0] == _PARALLEL:
        parts = parts[1:]
    return ".".join(parts)


def _on_meta(imported: Chosen, profile: Profile, people: int = 2) -> Method:
    """Build the method without memory: its names are those of any number of people."""
    with torch.device("meta"):
        return build(imported.method, imported.recipe, people, profile.scale)


def _names(imported: Chosen, profile: Profile, entries: dict[str, Tensor]) -> Names | None:
    """Return what the entries are called: by topdb itself where all fit, or by released code."""
    network = _on_meta(imported, profile)
    own = network.state_dict()
    lacking = [name for name in own.keys() - entries.keys() if not name.endswith(_COUNTER)]
    if lacking or entries.keys() - own.keys():
        return network.released(entries)
    more = _on_meta(imported, profile, 3).state_dict()
    sized = [name for name in own if own[name].shape != more[name].shape and own[name].ndim > 1]
    return Names({}, classifier=sized[0]) if sized else network.released(entries)


def _wrong_names(imported: Chosen, profile: Profile, entries: dict[str, Tensor]) -> str | None:
    """Say which released name the entries lack, or have too many; None where all fit."""
    network = _on_meta(imported, profile)
    names = _names(imported, profile, entries)
    if names is None:
        return "has no released names"
    wanted = {released for own in network.state_dict() if (released := names.released(own))}
    missing = [name for name in wanted - entries.keys() if not name.endswith(_COUNTER)]
    if missing:
        return f"lacks {min(missing)}"
    unknown = [
        name
        for name in entries.keys() - wanted
        if not any(name == each or name.startswith(each + ".") for each in names.unused)
    ]
    return f"has {min(unknown)}, which is unknown" if unknown else None


def _others(
    method: str,
    imported: Chosen,
    profile: Profile,
    entries: dict[str, Tensor],
    method_folders: Sequence[Path],
) -> str:
    """Say which variant or other method the entries fit, or to check the name where none does."""

    def told(side: str) -> str | None:
        other = profile.model_copy(update={"recipes": {**profile.recipes, method: side}})
        if side == imported.side or not _fits(method, other, entries, method_folders):
            return None
        return f"; its names are those of its variant {side}: name it under recipes.{method}"

    sides = [side for side in imported.method.recipes if side != _TEXT]
    if found := next(filter(None, map(told, sides)), None):
        return found
    for name in method_files(method_folders):
        if name != method and _fits(name, profile, entries, method_folders):
            return f"; its names are those of {name}: name --method {name}"
    if _TEXT in imported.method.recipes and (found := told(_TEXT)):
        return found
    return (
        "; no other method has its names either: name a checkpoint of the released code, or the "
        "profile whose network it is"
    )


def _fits(
    method: str, profile: Profile, entries: dict[str, Tensor], method_folders: Sequence[Path]
) -> bool:
    try:
        other = chosen(profile, "", method, method_folders)
        return _wrong_names(other, profile, entries) is None
    except UserError:
        return False


def _shape(value: Tensor) -> str:
    return f"{'x'.join(map(str, value.shape)) or 'a single value'} {str(value.dtype)[6:]}"


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and abs(value) < _MOST else None


def _share(value: object) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return float(value) if isinstance(value, int | float) and abs(value) < _MOST else None
