"""What a whole grid will cost here, from a few timed steps of each method."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from topdb.config import DatasetSettings, HardwareSettings, PretrainingSettings, Profile
from topdb.datasets.index import read_index
from topdb.datasets.layouts import published
from topdb.engine.batches import Placement
from topdb.engine.loop import fit
from topdb.engine.state import Epoch, Randomness
from topdb.methods import build
from topdb.methods.contract import Adam, Method, Milestones, Moment
from topdb.runs.extraction import extract
from topdb.runs.pretraining import PooledBackbone
from topdb.runs.pretraining import recipe as pretraining_recipe
from topdb.runs.record import chosen

_CPU_SECONDS = 8.0
"""What the timed steps of one method may take on a CPU, about; a batch is cut to fit."""
_FEWEST_PEOPLE = 2
_PEOPLE = 64
"""Classes of the timed networks: they hardly matter for a step's time."""
_HARMLESS = 1e-6
"""So small a learning rate that no loss on noise becomes infinite."""


@dataclass(frozen=True)
class Timing:
    """What one method costs on this machine."""

    name: str
    batch: int
    """Images in a whole batch."""
    passes: int
    """Over the training images."""
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
    steps: dict[str, int]
    """In a pass of each method: exact with an index, else about so many."""
    test_images: int


@dataclass(frozen=True)
class Estimate:
    """Everything that the command prints."""

    timings: tuple[Timing, ...]
    workloads: tuple[Workload, ...]
    unknown: tuple[str, ...]
    """Data sets whose size is not known."""
    pretraining_hours: float

    def run_hours(self, timing: Timing, workload: Workload, trained: bool) -> float:
        """Return the hours of one run: its training, if it is trained, and its extraction."""
        steps = timing.passes * workload.steps[timing.name] if trained else 0
        seconds = steps * timing.step_seconds + workload.test_images / timing.extraction_speed
        return seconds / 3600

    def crossing_hours(self, timing: Timing, profile: Profile) -> list[float]:
        """Return the hours of each test of a run on another data set, whose size is known."""
        sizes = {each.name: each.test_images for each in self.workloads}
        targets = [each.target for each in profile.crossings if each.target in sizes]
        return [sizes[target] / timing.extraction_speed / 3600 for target in targets]


def estimate(
    profile: Profile,
    device: str,
    steps: int | None,
    results: Path,
    method_folders: Sequence[Path] = (),
) -> Estimate:
    """Time every method of a profile on random images, by the loop that trains.

    Parameters
    ----------
    profile : the grid; its sizes, batches and options are the real ones
    device : cpu or cuda
    steps : timed steps of each method; default: one on a CPU, ten on a GPU
    results : where the indexes of the profile's data sets lie, if they are there
    method_folders : where methods lie beside the package's own
    """
    hardware = profile.hardware.model_copy(update={"device": device})
    steps = steps or (10 if device == "cuda" else 1)
    networks: dict[str, Method] = {}
    for name in profile.methods:
        method = chosen(profile, "", name, method_folders)
        networks[name] = build(method.method, method.recipe, _PEOPLE, profile.scale)
    timings = tuple(_time(name, each, hardware, steps) for name, each in networks.items())
    sized = {
        name: _workload(name, profile.datasets[name], networks, results)
        for name in profile.datasets
    }
    return Estimate(
        timings,
        tuple(workload for workload in sized.values() if workload),
        tuple(name for name, workload in sized.items() if workload is None),
        _pretraining_hours(profile, networks, hardware, steps, results),
    )


def _pretraining_hours(
    profile: Profile,
    networks: dict[str, Method],
    hardware: HardwareSettings,
    steps: int,
    results: Path,
) -> float:
    """Return the hours of the pretraining of every backbone that the profile's methods have."""
    start = profile.start
    if not isinstance(start, PretrainingSettings) or profile.weights:
        return 0.0
    hours = 0.0
    for name in sorted({profile.scale.backbone(each.backbone_name) for each in networks.values()}):
        size = next(iter(networks.values())).recipe.size
        recipe = pretraining_recipe(name, start, size)
        network = build(PooledBackbone, recipe, _PEOPLE, profile.scale)
        workload = _workload("pretraining", start.dataset, {name: network}, results)
        timing = _time(name, network, hardware, steps)
        if workload:
            hours += start.epochs * workload.steps[name] * timing.step_seconds / 3600
    return hours


def _time(name: str, network: Method, hardware: HardwareSettings, steps: int) -> Timing:
    network.initialise(torch.Generator().manual_seed(0))
    people, images = network.recipe.people, network.recipe.images
    if hardware.device == "cuda":
        torch.cuda.empty_cache()  # what the method before had reserved counts otherwise
        torch.cuda.reset_peak_memory_stats()
        seconds = _step_seconds(network, hardware, people, steps)
        memory = torch.cuda.max_memory_reserved()
    else:
        wanted, people = people, min(_FEWEST_PEOPLE, people)
        seconds = _step_seconds(network, hardware, people, 1)
        affordable = int(people * _CPU_SECONDS / (seconds * (steps + 1)))
        if affordable > people or steps > 1:
            people = min(wanted, max(people, affordable))
            seconds = _step_seconds(network, hardware, people, steps)
        memory = _counted_memory(network, hardware)
    return Timing(
        name,
        network.recipe.people * images,
        network.recipe.whole_passes,
        seconds * network.recipe.people / people,
        people * images,
        memory,
        _extraction_speed(network, hardware),
    )


def _step_seconds(network: Method, hardware: HardwareSettings, people: int, steps: int) -> float:
    """Train two passes of so many steps on noise; return the second's seconds a step."""
    own = network.recipe
    rules = {
        group: replace(rule, rate=_HARMLESS * (1 if isinstance(rule, Adam) else 1e-3))
        for group, rule in own.rules.items()
    }
    network.recipe = replace(
        own, people=people, rules=rules, schedule=Milestones(), epochs=2, passes=None
    )
    labels = np.repeat(np.arange(people), steps * own.images)
    # The same whole batches in every pass, whatever the method would draw.
    order = np.argsort(np.arange(len(labels)) % steps, kind="stable").reshape(steps, -1)
    epochs: list[Epoch] = []
    try:
        fit(
            network,
            _noise(len(labels), own.resize or own.size),
            labels,
            hardware,
            Randomness("estimate", "noise", 0),
            epochs.append,
            parts=_noise(len(labels), own.resize or own.size) % 25 if network.needs else None,
            draw=lambda *_: list(order),
        )
    finally:
        network.recipe = own
    return epochs[-1].seconds / steps


def _counted_memory(network: Method, hardware: HardwareSettings) -> int:
    """Count the bytes of a training step of a whole batch.

    Weights, gradients, and two moments; and what the forward pass keeps for the backward pass,
    counted on a few images and scaled to the batch.
    """
    recipe = network.recipe
    few = _FEWEST_PEOPLE * recipe.images
    place = Placement.of(hardware)
    place.network(network)
    weights = {each.data_ptr() for each in network.state_dict().values()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    moment, drawing = Moment(0, 0.0), torch.Generator().manual_seed(0)
    network.train()
    network.begin(moment)
    images = place.images(_noise(few, recipe.size).float() / 255.0)
    people = torch.arange(_FEWEST_PEOPLE).repeat_interleave(recipe.images)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        needed = {"parts": _noise(few, recipe.size) % 25} if network.needs else {}
        network.losses(network(images, moment, drawing, **needed), people, moment, drawing)
    parameters = sum(each.numel() * each.element_size() for each in network.parameters())
    return 4 * parameters + sum(kept.values()) * recipe.people * recipe.images // few


def _extraction_speed(network: Method, hardware: HardwareSettings) -> float:
    """Return images a second of `extract`, after a first pass that is not timed."""
    count = 4 * hardware.extraction_batch if hardware.device == "cuda" else 16
    images = _noise(count, network.recipe.size)
    extract(network, images[:16], hardware)
    started = time.perf_counter()
    extract(network, images, hardware)
    return count / (time.perf_counter() - started)


def _noise(count: int, size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator)


def _steps(network: Method, labels: NDArray[np.int64]) -> int:
    """Count the batches of a pass; what a method looks at is noise, which decides on no number."""

    def look(
        rows: NDArray[np.int64], embed: Callable[[Tensor], Tensor] | None = None
    ) -> NDArray[np.float32]:
        network.eval()
        with torch.inference_mode():
            shape = (embed or network.embed)(torch.rand(2, 3, *network.recipe.size)).shape[1:]
        found: NDArray[np.float32] = np.random.default_rng(0).random(
            (len(rows), *shape), dtype=np.float32
        )
        return found

    network.cpu()
    return len(network.batches(labels, Moment(0, 0.0), np.random.default_rng(0), look))


def _workload(
    name: str, dataset: DatasetSettings, networks: dict[str, Method], results: Path
) -> Workload | None:
    """Return a data set's size from the best source that there is; None where there is none."""
    path = results / name / "index.parquet"
    if path.is_file():
        index = read_index(path)
        train = index.split("train")
        tested = len(index.split("query")) + len(index.split("gallery"))
        labels, source = train.labels, "index"
    elif dataset.render:
        drawn = dataset.render
        tested = drawn.query_images + drawn.gallery_images + drawn.distractors
        labels, source = np.arange(drawn.train_images) % drawn.train_people, "settings"
    else:
        counts = published(dataset.layout)
        train_images, people = (
            (counts["train"].images, counts["train"].people) if "train" in counts else (None, None)
        )
        sizes = [
            counts[split].images if split in counts else None for split in ("query", "gallery")
        ]
        if train_images is None or people is None or sizes[0] is None or sizes[1] is None:
            return None
        tested = sizes[0] + sizes[1]
        labels, source = np.arange(train_images) % people, "published"
    steps = {method: _steps(each, labels) for method, each in networks.items()}
    return Workload(name, source, len(labels), steps, tested)


_GIB = 2**30


def lines(found: Estimate, profile: Profile, name: str, machine: str, device: str) -> Iterator[str]:
    """Yield an estimate as text for people; `device`, cpu or cuda, is whose time it is."""
    yield f"Profile {name} on {machine}."
    yield ""
    yield (
        f"{'method':14}{'batch':>6}{'passes':>8}{'s/step':>9}{'images/s':>10}{'memory':>11}"
        f"{'extraction':>13}  timed images"
    )
    for each in found.timings:
        note = "" if each.timed_images == each.batch else f", extrapolated to {each.batch}"
        yield (
            f"{each.name:14}{each.batch:6}{each.passes:8}{each.step_seconds:9.3g}"
            f"{each.batch / each.step_seconds:10.1f}{each.memory_bytes / _GIB:7.2f} GiB"
            f"{each.extraction_speed:11.1f}/s  {each.timed_images}{note}"
        )
    yield ""
    trained = not profile.weights
    names = [workload.name for workload in found.workloads]
    yield f"{'time of a run':14}" + "".join(f"{each:>18}" for each in names)
    grid = found.pretraining_hours
    for each in found.timings:
        hours = [found.run_hours(each, workload, trained) for workload in found.workloads]
        grid += (sum(hours) + sum(found.crossing_hours(each, profile))) * len(profile.seeds)
        yield f"{each.name:14}" + "".join(f"{_span(hour):>18}" for hour in hours)
    sources = ", ".join(f"{each.name} {each.source}" for each in found.workloads)
    yield f"Sizes of the data sets: {sources}." if sources else "No data set has a known size."
    yield ""
    runs = len(found.workloads) * len(profile.methods) * len(profile.seeds)
    if profile.weights:
        parts = "extraction alone, since weights are imported"
    else:
        parts = "training and extraction"
        parts += ", and the pretraining" if found.pretraining_hours else ""
    tests = sum(len(found.crossing_hours(each, profile)) for each in found.timings)
    if tests:
        parts += f", and {tests * len(profile.seeds)} extractions on other data sets"
    whose = "of one GPU" if device == "cuda" else "of one process"
    yield f"The whole grid: {runs} runs, {_span(grid)} {whose} ({parts})."
    if found.unknown:
        unknown = ", ".join(found.unknown)
        yield f"Not counted, since only `topdb index` will tell their size: {unknown}."


def _span(hours: float) -> str:
    """Write a time in the unit that suits it."""
    if hours < 1 / 60:
        return f"{3600 * hours:.2g} s"
    if hours < 1:
        return f"{60 * hours:.1f} min"
    return f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"
