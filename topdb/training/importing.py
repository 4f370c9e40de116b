"""A run made of the authors' released weights instead of training."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from topdb.datasets.index import Index
from topdb.datasets.layouts import published
from topdb.datasets.pixels import Pixels
from topdb.errors import UserError
from topdb.files import digest, read_json, write_csv, write_json
from topdb.params import HardwareSettings, Profile
from topdb.training.alone import alone_in
from topdb.training.environment import (
    describe,
    has_gpu,
    peak_gpu_memory_mib,
    peak_memory_mib,
    prepare,
)
from topdb.training.features import write_features
from topdb.training.released import read_checkpoint
from topdb.training.run import TRAINED, Run, chosen, parameters_of, save_weights
from topdb.training.run_files import RunFiles

AUTHORS = "authors' weights"
"""The `origin` of a run that was imported."""

_NO_EPOCHS = ("epoch", "learning_rate", "images", "seconds", "loss")


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
    files = RunFiles(folder)
    _require_no_training(files)  # before it would be waited for
    with alone_in(folder):
        _require_no_training(files)
        files.record.unlink(missing_ok=True)
        files.features.unlink(missing_ok=True)  # of the weights that were here before
        prepared = time.perf_counter()
        extracted = None
        if index and pixels:
            extracted = write_features(files.features, read.network, index, pixels, settings)
        done = time.perf_counter()
        write_csv(files.history, _NO_EPOCHS, [])
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
                Run(profile_name, name or "", method, seed), profile, imported, read.network.less
            ),
            "dataset": name,
            "identities": read.identities,
            "index_digest": index.digest if index else None,
            "start_digest": None,
            "weights_digest": digest(files.weights),
            "features_digest": digest(files.features) if extracted else None,
            "environment": describe(settings.device, settings.threads),
            "seconds": {
                "prepare": round(prepared - started, 3),
                "train": 0.0,
                "extract": round(done - prepared, 3),
            },
            "identity": None,
            "resumed": [],
            "images_per_second": {
                "train": None,
                "extract": round(extracted / (done - prepared), 1) if extracted else None,
            },
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "peak_gpu_memory_mib": peak_gpu_memory_mib(settings.device),
            "mlflow_run_id": None,
        }
        write_json(files.record, content)
        return content


def _require_no_training(files: RunFiles) -> None:
    """Refuse a folder whose weights took a training, which nothing but another would bring back."""
    if files.record.is_file() and read_json(files.record).get("origin", TRAINED) == TRAINED:
        raise UserError(
            f"{files.folder} holds a run that was trained: name another folder with --out, or "
            "delete it first."
        )
    if files.checkpoints.exists():
        raise UserError(
            f"{files.checkpoints} holds a training that has not come to its end: name another "
            "folder with --out, or delete it first."
        )


def on_device(
    settings: HardwareSettings, device: Literal["cpu", "cuda"] | None
) -> HardwareSettings:
    """Return the settings with another device, where one is named.

    Raises
    ------
    UserError
        None is named, the settings' own is a GPU, and there is none here.
    """
    if device is None and settings.device == "cuda" and not has_gpu():
        raise UserError(
            "features are to be extracted on cuda, and torch finds no GPU here: name --device cpu."
        )
    return settings.model_copy(update={"device": device or settings.device})


def require_identities(identities: int, index: Index, weights: Path) -> None:
    """Raise a UserError where an index trains on another number of people than weights know."""
    people = index.split("train").counts.people
    if people != identities:
        raise UserError(
            f"{weights} tells {identities} people apart, and the training split of {index.name} "
            f"shows {people}: name the data set that it was trained on."
        )


def _trained_on(identities: int, profile: Profile) -> str | None:
    """Return the profile's one data set that is published with so many training people, if any."""
    found = []
    for name, settings in profile.datasets.items():
        train = published(settings.layout).get("train")
        if train and train.people == identities:
            found.append(name)
    return found[0] if len(found) == 1 else None
