"""Runs of checkpoints that others trained, and features of runs that are there."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from topdb.code import imported_code
from topdb.config import Profile
from topdb.datasets.index import Index, Pixels
from topdb.datasets.layouts import published
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.records import AUTHORS, TRAINED, read_record, write_history, write_record
from topdb.results.runs import Run, RunFiles
from topdb.runs.environment import describe, peak_gpu_memory_mib, peak_memory_mib, prepare
from topdb.runs.extraction import extract_features, on_device, require_identities
from topdb.runs.record import (
    alone_in,
    chosen,
    data_of,
    parameters_of,
    save_weights,
)
from topdb.runs.released import read_checkpoint


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
