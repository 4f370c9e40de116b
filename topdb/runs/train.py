"""Trainings from their inputs to their files, one after the other."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topdb.config import HardwareSettings, ImagenetSettings, Params, Profile
from topdb.config.variables import deciding
from topdb.datasets.index import Index, Pixels, read_index
from topdb.engine.batches import resized, resized_parts
from topdb.engine.checkpoint import Checkpoints, plain_digest
from topdb.engine.divergence import Divergence
from topdb.engine.loop import fit, position_of
from topdb.engine.progress import Stop, stopping, watching
from topdb.engine.start import load_backbone, load_imagenet
from topdb.engine.state import Epoch, Randomness
from topdb.errors import StoppedError, UserError
from topdb.files import digest, replacing
from topdb.methods import build
from topdb.methods.contract.resolving import plain
from topdb.results.records import TRAINED, read_record, write_history, write_record
from topdb.results.runs import Run, RunFiles, give_back
from topdb.runs.environment import (
    describe,
    device_name,
    peak_gpu_memory_mib,
    peak_memory_mib,
    prepare,
    vectors,
)
from topdb.runs.extraction import extract_features
from topdb.runs.record import (
    Chosen,
    alone_in,
    chosen,
    data_of,
    parameters_of,
    save_weights,
)
from topdb.runs.watching import look_at


def train_runs(
    params: Params,
    profile: str,
    dataset: str,
    method: str,
    seeds: Sequence[int],
    index_path: Path,
    pixels_path: Path,
    backbone: Path | None,
    folders: Sequence[Path],
    logs: Sequence[Path] = (),
) -> None:
    """Train runs of one method on one data set, one after the other, into a folder each.

    A run that is whole already is left alone, so that a kill loses none that was finished. With
    `logs`, what each run says on standard error goes to its own file.

    Raises
    ------
    UserError
        A file is missing or broken, people are too few, a loss is no finite number, a checkpoint
        cannot be written, or another process trains the same run.
    StoppedError
        SIGTERM or SIGINT came; what can be taken up later is saved.
    """
    settings = params.selected(profile)
    index = read_index(index_path)
    if index.name != dataset:
        raise UserError(
            f"{index_path} is the index of {index.name}, not of {dataset}: name the right one."
        )
    pixels = Pixels.open(pixels_path, index)
    prepare(settings.hardware.device, settings.hardware.threads)
    # Once, since edits that come while a run trains are not of the next one, whose code is loaded.
    trained = chosen(settings, dataset, method, params.method_folders)
    hardware = settings.hardware
    surroundings = describe(hardware.device, hardware.threads, trained.file)
    with stopping() as stop:
        for place, (seed, folder) in enumerate(zip(seeds, folders, strict=True)):
            run = Run(dataset, method, seed)
            with said_to(logs[place] if logs else None):
                train_run(
                    run,
                    profile,
                    settings,
                    index,
                    pixels,
                    backbone,
                    folder,
                    stop=stop,
                    keep_spare=len(seeds) > 1,
                    trained=trained,
                    surroundings=surroundings,
                )


@contextmanager
def said_to(log: Path | None) -> Iterator[None]:
    """Send standard error to a file; an error, whose sentence comes later, is written to it too."""
    if log is None:
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream, redirect_stderr(stream):
        try:
            yield
        except (UserError, StoppedError) as error:
            print(f"topdb: {error}", file=stream)
            raise


def identity(
    run: Run,
    profile: Profile,
    trained: Chosen,
    index_digest: str,
    start_digest: str | None,
    needed: Mapping[str, str],
) -> dict[str, Any]:
    """Return, as plain data, what a checkpoint has to share with the run that takes it up.

    The machine is not among it: a job that is put back in the queue goes on wherever it lands.
    Another kind of processor rounds otherwise, though; `run.json` names every place. Variables that
    choose other kernels go where the job goes, and are. `needed` has the digest of what the method
    needs beside images.
    """
    return {
        "dataset": run.dataset,
        "method": run.method,
        "seed": run.seed,
        "recipe": plain(trained.recipe),
        "scale": profile.scale.model_dump(mode="json"),
        "hardware": profile.hardware.model_dump(
            mode="json", exclude=HardwareSettings.WITHOUT_EFFECT | {"extraction_batch"}
        ),
        "index_digest": index_digest,
        "start_digest": start_digest,
        "code": trained.code,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "variables": deciding(),
        **needed,
    }


def train_run(
    run: Run,
    profile_name: str,
    profile: Profile,
    index: Index,
    pixels: Pixels,
    backbone: Path | None,
    folder: Path,
    stop: Stop | None = None,
    method_folders: Sequence[Path] = (),
    keep_spare: bool = False,
    trained: Chosen | None = None,
    surroundings: Mapping[str, Any] | None = None,
) -> None:
    """Train, extract features, and write the four files of the run; a chosen one's snapshots too.

    A run that was interrupted goes on from its newest checkpoint, and ends with the bits that it
    would have had. When the run is whole, its checkpoints give way to a spare of its files, from
    which they come back if they are deleted before the run is evaluated.

    Parameters
    ----------
    run : which one
    profile_name, profile : all parameters
    index, pixels : the data set
    backbone : the pretrained backbone's weights, where the profile pretrains
    folder : of the run's files
    stop : asked after each step whether to end
    method_folders : where methods lie beside the package's own
    keep_spare : whether even a short run leaves a spare, as where its job goes on with others
    trained, surroundings : the method and `describe`, of a process that knows them already

    Raises
    ------
    UserError
        The start's weights do not fit, people are too few, a loss is no finite number, or a
        checkpoint cannot be written.
    StoppedError
        `stop` asked for it.
    """
    hardware = profile.hardware
    trained = trained or chosen(profile, run.dataset, run.method, method_folders)
    around = surroundings or describe(hardware.device, hardware.threads, trained.file)
    started_from = _start_file(profile, trained.backbone, backbone)
    # A missing file is told by whoever loads it, with what to do.
    there = started_from is not None and started_from.is_file()
    start_digest = digest(started_from) if started_from and there else None
    needs_parts = "parts" in trained.method.needs
    if needs_parts and not index.has_parts:
        raise UserError(
            f"{run.method} trains on part maps, and data set {run.dataset} has none: name their "
            f"folder as datasets.{run.dataset}.parts in params.yaml and run `topdb index` again, "
            "or leave the method out."
        )
    needed = {"parts_digest": index.parts_digest} if needs_parts else {}
    decisive = identity(run, profile, trained, index.digest, start_digest, needed)
    with alone_in(folder) as waited:
        files = RunFiles(folder)
        watched = profile.watch.includes(run.dataset, run.method, run.seed)
        if watched == files.snapshots.is_file() and _is_whole(files, decisive):
            by = "the other process did this run" if waited else "nothing is left to do"
            print(f"topdb: {folder} is whole: {by}.", file=sys.stderr)
            return
        spare = RunFiles(Checkpoints.spare(folder, decisive))
        if watched == spare.snapshots.is_file() and _is_whole(spare, decisive):
            give_back(spare.folder, files)
            print(f"topdb: {folder} was whole: its files are there again.", file=sys.stderr)
            return
        files.record.unlink(missing_ok=True)
        with _shown_at(Checkpoints.history(folder, decisive)) as show:
            _train(
                run,
                trained,
                profile_name,
                profile,
                index,
                pixels,
                started_from,
                decisive,
                around,
                files,
                show,
                stop,
                keep_spare,
            )


def _is_whole(files: RunFiles, decisive: dict[str, Any]) -> bool:
    """Whether the run's files stand, and are what this process would write."""
    try:
        record = read_record(files.record)
        return (
            record.content.get("identity") == plain_digest(decisive)
            and record.weights_digest == digest(files.weights)
            and record.features_digest == digest(files.features)
            and record.history_digest in (None, digest(files.history))
        )
    except (OSError, UserError):
        return False


def _train(
    run: Run,
    method: Chosen,
    profile_name: str,
    profile: Profile,
    index: Index,
    pixels: Pixels,
    started_from: Path | None,
    decisive: dict[str, Any],
    around: Mapping[str, Any],
    files: RunFiles,
    show: Callable[[Sequence[Epoch]], None],
    stop: Stop | None,
    keep_spare: bool,
) -> None:
    started = time.perf_counter()
    divergence = Divergence(profile.divergence)
    people = index.split("train")
    randomness = Randomness(run.dataset, run.method, run.seed)
    recipe = method.recipe
    network = build(method.method, recipe, people.counts.people, profile.scale)
    network.initialise(randomness.torch("weights"))
    if started_from:
        if isinstance(profile.start, ImagenetSettings):
            load_imagenet(network, method.backbone, started_from)
        else:
            load_backbone(network, started_from)
    size = recipe.resize or recipe.size
    images = resized(pixels, people.rows, size, recipe.interpolation)
    parts = resized_parts(pixels, people.rows, size) if "parts" in network.needs else None
    checkpoints = Checkpoints(
        files.folder,
        decisive,
        profile.hardware.checkpoint_seconds,
        f"{device_name(profile.hardware.device)}, {vectors()}",
    )
    snapshots = checkpoints.companion(files.snapshots.name)
    look = look_at(snapshots, run, profile, index, pixels, recipe.whole_passes)
    taken_up = checkpoints.take_up()
    ready = time.perf_counter()
    so_far: list[Epoch] = []

    def record(epoch: Epoch) -> None:
        look(epoch.number, network)
        so_far.append(epoch)
        show(so_far)

    if taken_up:
        before = position_of(taken_up)
        print(f"topdb: going on after {before}, from a checkpoint.", file=sys.stderr)
        so_far += before.history
        show(so_far)
    with watching(f"{run.dataset} {run.method} {run.seed}") as progress:
        epochs = fit(
            network,
            images,
            people.labels,
            profile.hardware,
            randomness,
            record,
            parts=parts,
            looked_at=lambda rows: resized(
                pixels, people.rows[rows], recipe.size, recipe.interpolation
            ),
            checkpoints=checkpoints,
            taken_up=taken_up,
            stop=stop,
            progress=progress,
            divergence=divergence,
        )
    del images, parts  # gigabytes at the paper's size
    if divergence.found:
        print(
            f"topdb: {run.dataset}/{run.method}/seed-{run.seed} diverged, for {divergence.found}: "
            "the run is kept and marked.",
            file=sys.stderr,
        )
    for number in range(len(epochs) + 1, recipe.whole_passes + 1):
        look(number, network)  # what was never trained looks as it was left
    trained = time.perf_counter()
    extracted = extract_features(
        files.features, network, index, pixels, profile.hardware, divergence.found
    )
    done = time.perf_counter()

    write_history(files.history, [epoch.row() for epoch in epochs])
    save_weights(network, files.weights)
    _keep(snapshots, files.snapshots)
    training_seconds = sum(epoch.seconds for epoch in epochs)
    content: dict[str, Any] = {
        "origin": TRAINED,
        **parameters_of(run, profile_name, profile, method, network.less),
        **data_of(index, run.dataset, profile),
        "identities": people.counts.people,
        "start_digest": decisive["start_digest"],
        "identity": plain_digest(decisive),
        "weights_digest": digest(files.weights),
        "features_digest": digest(files.features),
        "history_digest": digest(files.history),
        "snapshots_digest": digest(files.snapshots) if files.snapshots.is_file() else None,
        "environment": around,
        "resumed": checkpoints.resumed,
        "loss_limit": divergence.limit,
        "diverged": divergence.found.content() if divergence.found else None,
        "seconds": {
            "prepare": round(ready - started, 3),
            "train": round(training_seconds, 3),
            "extract": round(done - trained, 3),
        },
        "images_per_second": {
            "train": round(sum(epoch.images for epoch in epochs) / training_seconds, 1),
            "extract": round(extracted / (done - trained), 1),
        },
        "peak_memory_mib": round(peak_memory_mib(), 1),
        "peak_gpu_memory_mib": peak_gpu_memory_mib(profile.hardware.device),
    }
    write_record(files.record, content)
    checkpoints.finish(files, keep_spare)


@contextmanager
def _shown_at(path: Path) -> Iterator[Callable[[Sequence[Epoch]], None]]:
    """Yield what writes the epochs so far to a file, which stands there while the training runs.

    Others watch a training by it. One who cannot write it trains all the same.
    """

    def show(epochs: Sequence[Epoch]) -> None:
        with suppress(OSError):
            write_history(path, [epoch.row() for epoch in epochs])

    show([])
    try:
        yield show
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()  # only where it is empty


def _keep(snapshots: Path, path: Path) -> None:
    """Copy what was looked at to where the workflow expects it; nothing, where nothing was.

    Until then it lies beside the checkpoints: what the workflow expects, it clears away before it
    starts a killed training again.
    """
    if snapshots.is_file():
        with replacing(path) as partial:
            shutil.copyfile(snapshots, partial)
    else:
        path.unlink(missing_ok=True)


def _start_file(profile: Profile, backbone: str, pretrained: Path | None) -> Path | None:
    """Return the file that the backbone's weights come from; None for random weights."""
    if isinstance(profile.start, ImagenetSettings):
        return profile.start.found(backbone)
    return pretrained if profile.start else None
