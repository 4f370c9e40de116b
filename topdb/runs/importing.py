"""Runs of checkpoints that others trained, and features of runs that are there."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from topdb.code import imported_code
from topdb.config import Profile, method_files
from topdb.datasets.index import Index, Pixels
from topdb.datasets.layouts import published
from topdb.errors import UserError
from topdb.files import digest
from topdb.methods import build
from topdb.methods.contract import Method, Names
from topdb.pickled import load_pickled
from topdb.results.records import AUTHORS, TRAINED, read_record, write_history, write_record
from topdb.results.runs import Run, RunFiles
from topdb.runs.environment import describe, peak_gpu_memory_mib, peak_memory_mib, prepare
from topdb.runs.extraction import extract_features, on_device, require_identities
from topdb.runs.record import (
    Chosen,
    alone_in,
    chosen,
    data_of,
    parameters_of,
    save_weights,
)

_INSIDE = ("state_dict", "state_dicts", "model", "net", "model_state_dict")
"""Under which of these a checkpoint may hold its state dict; of a list the first is the model's."""
_PREFIXES = ("module.", "_orig_mod.")
"""What `DataParallel` and torch's compiler put before names."""
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
    aside.

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
    content = load_pickled(path, "the released checkpoint")
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


def _entries(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict without the prefixes that its names have all."""
    nested = content
    for key in _INSIDE:
        if isinstance(nested, dict) and key in nested and not isinstance(nested[key], Tensor):
            nested = nested[key]
            break
    if isinstance(nested, list | tuple) and nested:
        nested = nested[0]
    if not isinstance(nested, dict) or not nested:
        raise UserError(f"{path} holds no state dict: name a checkpoint of the released code.")
    for name, value in nested.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(
                f"{path}: the entry {name!r} of its state dict is no tensor: name a checkpoint of "
                "the released code."
            )
    found: dict[str, Tensor] = dict(nested)
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in found)), None):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _on_meta(imported: Chosen, profile: Profile) -> Method:
    """Build the method without memory, for two people: its names are those of any number."""
    with torch.device("meta"):
        return build(imported.method, imported.recipe, 2, profile.scale)


def _names(imported: Chosen, profile: Profile, entries: dict[str, Tensor]) -> Names | None:
    return _on_meta(imported, profile).released(entries)


def _wrong_names(imported: Chosen, profile: Profile, entries: dict[str, Tensor]) -> str | None:
    """Say which released name the entries lack, or have too many; None where all fit."""
    network = _on_meta(imported, profile)
    names = network.released(entries)
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


def import_run(
    profile_name: str,
    profile: Profile,
    dataset: str | None,
    method: str,
    seed: int,
    checkpoint: Path,
    index: Index | None,
    pixels: Pixels | None,
    folder: Path,
    device: Literal["cpu", "cuda"] | None = None,
    method_folders: Sequence[Path] = (),
) -> dict[str, Any]:
    """Write a run of a released checkpoint; with a data set, its features too.

    The files are those of a training: `weights.safetensors`, `history.csv` (without a row, since
    no epoch ran here), `features.npz` where there are pixels, and `run.json` last, whose `origin`
    is "authors' weights" and whose `checkpoint` says what was imported.

    Parameters
    ----------
    profile_name, profile : the network's sizes, the batches of the extraction, the device
    dataset : a data set of the profile; None for that of the index, or else the one whose
        published number of training people the checkpoint tells apart; where that does not tell,
        the record leaves it open for `topdb extract`
    method : the released method
    seed : under which number the run goes; the authors tell none
    checkpoint : the released file
    index, pixels : the data set that it was trained on; without them `topdb extract` comes later
    folder : of the run's files
    device : where features are computed; None for the profile's
    method_folders : where methods lie beside the package's own

    Returns
    -------
    The content of `run.json`.

    Raises
    ------
    UserError
        The recipe is not the released one, the checkpoint is not of this method, these sizes or
        this data set, or the folder holds a training, whole or not.
    """
    if profile.recipe != "released":
        raise UserError(
            f"profile {profile_name} has the recipe '{profile.recipe}', and the authors' weights "
            "are of 'released': name a profile of that recipe."
        )
    started = time.perf_counter()
    imported = chosen(profile, dataset or "", method, method_folders)
    read = read_checkpoint(checkpoint, method, imported, profile, method_folders)
    if dataset:
        profile.dataset(dataset)
    name = dataset or (index.name if index else _trained_on(read.identities, profile))
    if index:
        if index.name != name:
            raise UserError(f"the index is of {index.name}, not of {name}: name the right one.")
        require_identities(read.identities, index, checkpoint)
    settings = profile.hardware.model_copy(update={"device": "cpu"})
    if pixels:
        settings = on_device(profile.hardware, device)
        prepare(settings.device, settings.threads)
    surroundings = describe(settings.device, settings.threads, imported.file)
    files = RunFiles(folder)
    _require_no_training(files)  # before it would be waited for
    with alone_in(folder):
        _require_no_training(files)
        files.record.unlink(missing_ok=True)
        files.features.unlink(missing_ok=True)  # of the weights that were here before
        prepared = time.perf_counter()
        extracted = None
        if index and pixels:
            extracted = extract_features(files.features, read.network, index, pixels, settings)
        done = time.perf_counter()
        write_history(files.history, [])
        save_weights(read.network, files.weights)
        content: dict[str, Any] = {
            "origin": AUTHORS,
            "checkpoint": {
                "file": checkpoint.name,
                "sha256": digest(checkpoint),
                "epoch": read.epoch,
                "rank1": read.rank1,
            },
            **parameters_of(
                Run(name or "", method, seed),
                profile_name,
                profile,
                imported,
                read.network.less,
            ),
            "code": imported_code(imported.file, imported.backbone),
            "dataset": name,
            "identities": read.identities,
            **data_of(index, name or "", profile),
            "start_digest": None,
            "weights_digest": digest(files.weights),
            "features_digest": digest(files.features) if extracted else None,
            "history_digest": digest(files.history),
            "snapshots_digest": None,
            "environment": surroundings,
            "seconds": {
                "prepare": round(prepared - started, 3),
                "train": 0.0,
                "extract": round(done - prepared, 3),
            },
            "identity": None,
            "resumed": [],
            "loss_limit": None,
            "diverged": None,
            "images_per_second": {
                "train": None,
                "extract": round(extracted / (done - prepared), 1) if extracted else None,
            },
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "peak_gpu_memory_mib": peak_gpu_memory_mib(settings.device),
        }
        write_record(files.record, content)
        return content


def _require_no_training(files: RunFiles) -> None:
    """Refuse a folder whose weights took a training, which nothing but another would bring back."""
    if files.record.is_file() and read_record(files.record).origin == TRAINED:
        raise UserError(
            f"{files.folder} holds a run that was trained: name another folder with --out, or "
            "delete it first."
        )
    if files.checkpoints.exists():
        raise UserError(
            f"{files.checkpoints} holds a training that has not come to its end: name another "
            "folder with --out, or delete it first."
        )


def _trained_on(identities: int, profile: Profile) -> str | None:
    """Return the profile's one data set that is published with so many training people, if any."""
    found = []
    for name, settings in profile.datasets.items():
        train = published(settings.layout).get("train")
        if train and train.people == identities:
            found.append(name)
    return found[0] if len(found) == 1 else None
