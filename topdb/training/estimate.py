"""What a whole grid will cost here, from a few timed steps of each method."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from topdb.datasets.index import read_index
from topdb.datasets.layouts import published
from topdb.methods import build
from topdb.methods.parts.network import ReIDNetwork, initialise
from topdb.params import (
    DatasetSettings,
    NetworkSettings,
    PretrainingSettings,
    Profile,
    StepSchedule,
    TrainingSettings,
)
from topdb.training.features import extract
from topdb.training.fit import fit
from topdb.training.losses import stream_losses, total
from topdb.training.placement import Placement
from topdb.training.pretraining import PooledBackbone
from topdb.training.randomness import Randomness
from topdb.training.sampler import epoch_batches
from topdb.training.state import Epoch

_CPU_SECONDS = 8.0
"""What the timed steps of one method may take on a CPU, about; a batch is cut to fit."""
_FEWEST_PEOPLE = 2
_PEOPLE = 64
"""Classes of the timed networks, or those of a batch: they hardly matter for a step's time."""
_HARMLESS = StepSchedule(kind="steps", base=1e-6, warmup_epochs=1, stair_epochs=1, milestones=())
"""So small a rate that no loss on noise becomes infinite."""


@dataclass(frozen=True)
class Timing:
    """What one network costs on this machine."""

    name: str
    step_seconds: float
    """Of a training step of a whole batch."""
    timed_images: int
    """Images in the steps that were timed; fewer than a batch's where time is extrapolated."""
    memory_bytes: int
    """Of a training step: measured on a GPU; on a CPU counted, without scratch space."""
    extraction_speed: float
    """Images a second."""


@dataclass(frozen=True)
class Workload:
    """How much one data set asks for."""

    name: str
    source: str
    """Where the numbers are from: the index, the drawing's settings, or the publication."""
    train_images: int
    steps: int
    """In an epoch: exact with an index, else at most so many."""
    test_images: int


@dataclass(frozen=True)
class Estimate:
    """Everything that the command prints."""

    timings: tuple[Timing, ...]
    workloads: tuple[Workload, ...]
    unknown: tuple[str, ...]
    """Data sets whose size is not known."""
    pretraining_hours: float

    def run_hours(self, timing: Timing, workload: Workload, epochs: int) -> float:
        """Return the hours of one run: its training and the extraction of its features."""
        training = epochs * workload.steps * timing.step_seconds
        return (training + workload.test_images / timing.extraction_speed) / 3600


def estimate(profile: Profile, device: str, steps: int | None, results: Path) -> Estimate:
    """Time every method of a profile on random images, by the loop that trains.

    Parameters
    ----------
    profile : the grid; its network sizes, batches and options are the real ones
    device : cpu or cuda
    steps : timed steps of each method; default: one on a CPU, ten on a GPU
    results : where the indexes of the profile's data sets lie, if they are there
    """
    settings = profile.training.model_copy(update={"device": device, "schedule": _HARMLESS})
    steps = steps or (10 if device == "cuda" else 1)
    people = max(_PEOPLE, settings.people_per_batch)
    timings = tuple(
        _time(
            method,
            build(method, profile.network, people, profile.recipe),
            profile.network,
            settings,
            steps,
        )
        for method in profile.methods
    )
    sized = {
        name: _workload(name, dataset, profile.training, results)
        for name, dataset in profile.all_datasets().items()
    }
    hours = 0.0
    start = profile.start
    if isinstance(start, PretrainingSettings) and not profile.weights:
        network = PooledBackbone(profile.network.backbone, people)
        timing = _time("pretraining", network, profile.network, settings, steps)
        first = sized["pretraining"]
        hours = start.epochs * first.steps * timing.step_seconds / 3600 if first else 0.0
    found = {name: sized[name] for name in profile.datasets}
    return Estimate(
        timings,
        tuple(workload for workload in found.values() if workload),
        tuple(name for name, workload in found.items() if workload is None),
        hours,
    )


def _time(
    name: str,
    network: ReIDNetwork,
    sizes: NetworkSettings,
    settings: TrainingSettings,
    steps: int,
) -> Timing:
    initialise(network, torch.Generator().manual_seed(0))
    people = settings.people_per_batch
    if settings.device == "cuda":
        torch.cuda.empty_cache()  # what the method before had reserved counts otherwise
        torch.cuda.reset_peak_memory_stats()
        seconds = _step_seconds(network, sizes, settings, people, steps)
        memory = torch.cuda.max_memory_reserved()
    else:
        people = min(_FEWEST_PEOPLE, people)
        seconds = _step_seconds(network, sizes, settings, people, 1)
        affordable = int(people * _CPU_SECONDS / (seconds * (steps + 1)))
        if affordable > people or steps > 1:
            people = min(settings.people_per_batch, max(people, affordable))
            seconds = _step_seconds(network, sizes, settings, people, steps)
        memory = _counted_memory(network, sizes, settings)
    scale = settings.people_per_batch / people
    return Timing(
        name,
        seconds * scale,
        people * settings.images_per_person,
        memory,
        _extraction_speed(network, sizes, settings),
    )


def _step_seconds(
    network: ReIDNetwork,
    sizes: NetworkSettings,
    settings: TrainingSettings,
    people: int,
    steps: int,
) -> float:
    """Train two epochs of so many steps; return the second's seconds a step."""
    labels = np.repeat(np.arange(people), steps * settings.images_per_person)
    epochs: list[Epoch] = []
    fit(
        network,
        _noise(len(labels), sizes),
        labels,
        settings.model_copy(update={"epochs": 2, "people_per_batch": people}),
        Randomness("estimate", "noise", 0),
        epochs.append,
    )
    return epochs[-1].seconds / steps


def _counted_memory(
    network: ReIDNetwork, sizes: NetworkSettings, settings: TrainingSettings
) -> int:
    """Count the bytes of a training step of a whole batch.

    Weights, gradients, and Adam's two moments; and what the forward pass keeps for the backward
    pass, counted on a few images and scaled to the batch.
    """
    few = _FEWEST_PEOPLE * settings.images_per_person
    place = Placement.of(settings)
    place.network(network)
    weights = {each.data_ptr() for each in network.state_dict().values()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.train()
    images = place.images(_noise(few, sizes).float() / 255.0)
    labels = torch.arange(_FEWEST_PEOPLE).repeat_interleave(settings.images_per_person)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = network(images, torch.Generator().manual_seed(0))
        total(stream_losses(outputs, labels, settings.margin, settings.label_smoothing))
    parameters = sum(each.numel() * each.element_size() for each in network.parameters())
    batch = settings.people_per_batch * settings.images_per_person
    return 4 * parameters + sum(kept.values()) * batch // few


def _extraction_speed(
    network: ReIDNetwork, sizes: NetworkSettings, settings: TrainingSettings
) -> float:
    """Return images a second of `extract`, after a first pass that is not timed."""
    count = 4 * settings.extraction_batch if settings.device == "cuda" else 16
    images = _noise(count, sizes)
    extract(network, images[:16], settings)
    started = time.perf_counter()
    extract(network, images, settings)
    return count / (time.perf_counter() - started)


def _noise(count: int, sizes: NetworkSettings) -> Tensor:
    shape = (count, 3, sizes.height, sizes.width)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def _workload(
    name: str, dataset: DatasetSettings, settings: TrainingSettings, results: Path
) -> Workload | None:
    """Return a data set's size from the best source that there is; None where there is none."""
    batch = settings.people_per_batch * settings.images_per_person
    path = results / name / "index.parquet"
    if path.is_file():
        index = read_index(path)
        train = index.split("train")
        steps = len(
            epoch_batches(
                train.labels,
                settings.people_per_batch,
                settings.images_per_person,
                np.random.default_rng(0),
            )
        )
        tested = len(index.split("query")) + len(index.split("gallery"))
        return Workload(name, "index", len(train), steps, tested)
    drawn = dataset.render
    if drawn:
        tested = drawn.query_images + drawn.gallery_images + drawn.distractors
        steps = drawn.train_images // batch
        return Workload(name, "settings", drawn.train_images, steps, tested)
    images = {split: each.images for split, each in published(dataset.layout).items()}
    train_images, query_images = images.get("train"), images.get("query")
    gallery_images = images.get("gallery")
    if train_images is None or query_images is None or gallery_images is None:
        return None
    tested = query_images + gallery_images
    return Workload(name, "published", train_images, train_images // batch, tested)
