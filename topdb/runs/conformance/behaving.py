"""Checks of what a method does: its batches, losses, features, and trainings that go on."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from topdb.config import HardwareSettings
from topdb.engine.checkpoint import Checkpoints
from topdb.engine.loop import fit, forward_pass
from topdb.engine.progress import SIGNALS, Stop
from topdb.engine.progress import Moment as Shown
from topdb.engine.state import Epoch, Randomness
from topdb.errors import StoppedError
from topdb.methods.contract import Method, Moment
from topdb.runs.conformance.subject import (
    Rows,
    Subject,
    drawn,
    draws,
    images,
    kept,
    labels,
    losses_of,
    moments,
    nothing_drawn,
    outputs_of,
    part_maps,
    require,
    same,
)


def batches(subject: Subject) -> None:
    """Ask for rows that there are, drawn from the generator alone."""
    network = subject.built()
    before = kept(network)
    count = len(labels())
    different = False
    for moment in moments(network):
        rngs = [np.random.default_rng(seed) for seed in (0, 0, 1)]
        with nothing_drawn("batches()"):
            first, second, third = (drawn(network, moment, rng) for rng in rngs)
        require(bool(first), "batches() returns none: draw at least one.")
        for batch in first:
            require(
                isinstance(batch, np.ndarray)
                and batch.dtype == np.int64
                and batch.ndim == 1
                and len(batch) > 0
                and bool(((batch >= 0) & (batch < count)).all()),
                "batches() returns rows that there are not: return int64 positions in `people`.",
            )
        require(
            _equal(first, second) and rngs[0].bit_generator.state == rngs[1].bit_generator.state,
            "batches() are others for the same generator: draw from it alone.",
        )
        different |= not _equal(first, third)
    require(different, "batches() are the same for another generator: draw from it.")
    require(same(before, kept(network)), "batches() changes the network's state: leave it.")


def _equal(one: list[Rows], other: list[Rows]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


_TAKEN = {"epoch", "learning_rate", "images", "seconds", "loss"}
"""Columns of `history.csv` that are no loss of a method's."""

_EVERY = 4
"""Of the moments, those at which a training pass is made twice."""


def losses(subject: Subject) -> None:
    """Ask for finite losses of the same names at every moment."""
    network = subject.built()
    names = None
    for moment in moments(network):
        outputs, people = outputs_of(network, moment)
        require(
            isinstance(outputs, dict)
            and all(isinstance(each, Tensor) for each in outputs.values()),
            "forward() returns no dict of tensors.",
        )
        with nothing_drawn("losses()"):
            found = network.losses(outputs, people, moment, draws(1))
        require(bool(found), "losses() returns none: return at least one.")
        require(
            names in (None, list(found)),
            "losses() returns other names at another moment: return the same in every step, zero "
            "where one does not count.",
        )
        names = list(found)
        for name, value in found.items():
            require(
                value.shape == () and value.dtype == torch.float32 and bool(value.isfinite()),
                f"the loss {name} is {tuple(value.shape)} {value.dtype}: return a finite float32 "
                "without shape.",
            )
    taken = sorted(_TAKEN & set(names or ()))
    require(not taken, f"a loss may not be called {taken[:1]}: history.csv has such a column.")
    require(
        all(name.isprintable() and not set(name) & set(", \t\"'") for name in names or ()),
        "a loss's name holds a space, comma or quote: it is a column of history.csv.",
    )


def everything_learns(subject: Subject) -> None:
    """Ask that gradients reach what groups list, sooner or later, and nothing else."""
    network = subject.built()
    reached: set[str] = set()
    for moment in moments(network):
        found = losses_of(network, moment)
        network.zero_grad()
        total = torch.stack(list(found.values())).sum()
        require(total.requires_grad, f"no loss has a gradient in epoch {moment.epoch:g}.")
        total.backward()  # type: ignore[no-untyped-call]
        reached |= {name for name, each in network.named_parameters() if each.grad is not None}
    grouped = {id(each) for group in network.groups().values() for each in group}
    trained = {name for name, each in network.named_parameters() if id(each) in grouped}
    left = sorted(trained - reached)
    require(not left, f"{left[:1]} is in a group and gets no gradient at any moment: leave it out.")
    lost = sorted(reached - trained)
    require(
        not lost,
        f"{lost[:1]} gets a gradient and is in no group: put it into one, or switch its "
        "requires_grad off.",
    )


def begin_is_pure(subject: Subject) -> None:
    """Ask that the moment alone decides on what trains, and its epoch as a whole."""
    network = subject.built()
    listed = moments(network)
    before = kept(network)

    def state(moment: Moment) -> list[bool]:
        with nothing_drawn("begin()"):
            network.begin(moment)
        modes = [module.training for module in network.modules()]
        return modes + [each.requires_grad for each in network.parameters()]

    forwards = [state(moment) for moment in listed]
    network.eval()
    for moment, expected in zip(reversed(listed), reversed(forwards), strict=True):
        require(
            state(moment) == expected,
            "begin() depends on what it was called with before: let the moment alone decide.",
        )
    for whole in range(network.recipe.epochs):
        first, later = (state(Moment(whole, whole + share)) for share in (0.0, 0.99))
        require(
            first == later,
            "begin() decides otherwise within an epoch of the recipe: a training that goes on "
            "there calls it anew, so let whole epochs decide (moment.whole).",
        )
    require(same(before, kept(network)), "begin() changes the network's state: leave it as it is.")


def generators(subject: Subject) -> None:
    """Ask that the generators decide on starting weights and on a training pass."""
    torch.manual_seed(1)
    first = subject.built(1)
    torch.manual_seed(2)
    second = subject.built(1)
    require(
        same(kept(first), kept(second)),
        "initialise() gives other weights for the same generator, or leaves some as torch drew "
        "them: draw all of them from it.",
    )
    require(
        not same(kept(first), kept(subject.built(2))),
        "initialise() gives the same weights for another generator: draw from it.",
    )
    with nothing_drawn("initialise()"):
        first.initialise(draws(3))
    for moment in moments(first)[::_EVERY]:
        with nothing_drawn("a training pass", from_torch=False):
            one, other = (losses_of(_copied(subject, second), moment) for _ in range(2))
        require(
            same(one, other),
            "a training pass gives other losses for the same generators: draw from them alone.",
        )


def autocast(subject: Subject) -> None:
    """Ask that the training pass can be computed in bfloat16."""
    network = subject.built()
    forward = forward_pass(network, HardwareSettings(autocast="bf16"))
    moment = Moment(0, 0.0)
    # What draws batches and images calls the network itself; here it is called by `forward`.
    seen: list[tuple[Any, Any]] = []
    handle = network.register_forward_pre_hook(
        lambda _, given, named: seen.append((given, named)), with_kwargs=True
    )
    outputs, people = outputs_of(network, moment)
    handle.remove()
    given, named = seen[0]
    outputs = forward(*given, **named)
    for name, value in network.losses(outputs, people, moment, draws(1)).items():
        require(
            value.dtype == torch.float32 and bool(value.isfinite()),
            f"under autocast the loss {name} is {value.dtype}, or no finite number.",
        )


def _copied(subject: Subject, network: Method) -> Method:
    """Return a network with the weights and buffers of another: a pass changes some of them."""
    found = subject.built()
    found.load_state_dict(kept(network))
    return found


_FEW = 4


def embedding(subject: Subject) -> None:
    """Ask for test features of each image, whatever is around it."""
    network = subject.built()
    losses_of(network, Moment(0, 0.0))  # moves the batch statistics away from their start
    network.eval()
    before = kept(network)
    shown = images(network, _FEW)
    with torch.inference_mode(), nothing_drawn("embed()"):
        together = network.embed(shown)
        alone = torch.cat([network.embed(image[None]) for image in shown])
    require(
        together.ndim in (2, 3) and len(together) == _FEW,
        f"embed() returns {tuple(together.shape)} for {_FEW} images: return ({_FEW}, D) or "
        f"({_FEW}, parts, D).",
    )
    require(
        together.dtype == torch.float32 and bool(together.isfinite().all()),
        f"embed() returns {together.dtype}, or no finite numbers: return float32.",
    )
    require(bool(together.std(dim=0).max() > 0), "embed() returns the same for different images.")
    largest = together.abs().max()
    require(
        bool(((together - alone).abs() <= 1e-4 * largest + 1e-6).all()),
        "embed() of an image depends on the batch around it: leave batch statistics alone.",
    )
    require(same(before, kept(network)), "embed() changes the network's state: leave it as it is.")


def figures(subject: Subject) -> None:
    """Ask for a map, and for a mask that fits it."""
    network = subject.built().eval()
    before = kept(network)
    with torch.inference_mode(), nothing_drawn("feature_map() or drop_mask()"):
        features = network.feature_map(images(network, _FEW))
        mask = network.drop_mask(features, draws())
    require(
        features.ndim == 4 and len(features) == _FEW,
        f"feature_map() returns {tuple(features.shape)} for {_FEW} images: return "
        f"({_FEW}, C, H, W).",
    )
    if mask is not None:
        require(
            mask.expand_as(features).shape == features.shape
            and bool(((mask == 0.0) | (mask == 1.0)).all()),
            "drop_mask() is no mask of the map: return zeros and ones that broadcast to it.",
        )
    require(same(before, kept(network)), "feature_map() changes the network's state: leave it.")


_SHORT = {"epochs": 3, "people": 4}
"""Passes over batches of four people: a few steps."""
_MOST = 100
"""Parts of a training; more means that it does not go on."""


def resumes(subject: Subject) -> None:
    """Train some steps, at one go and then with an interruption after each."""
    short = subject.scale.model_copy(update=_SHORT)
    subject = Subject(subject.name, subject.method, subject.side, subject.file, short)
    whole = subject.built()
    expected = _trained(whole, None)
    with TemporaryDirectory() as folder:
        found = None
        for _ in range(_MOST):
            network = subject.built()
            found = _trained(network, Path(folder))
            if found is not None:
                break
    require(found is not None, "its training does not go on after interruptions.")
    assert found is not None
    assert expected is not None
    ours = kept(network)
    for name, value in kept(whole).items():
        require(
            torch.equal(value, ours[name]),
            f"{name} ends otherwise after interruptions: what has to survive one is a parameter "
            "or a buffer, and what is drawn comes from the generators.",
        )
    require(
        [each.losses for each in found] == [each.losses for each in expected],
        "its losses are others after interruptions.",
    )


def _trained(network: Method, folder: Path | None) -> list[Epoch] | None:
    """Train on random images; with a folder for checkpoints, one step. None if it has to go on."""
    recipe = network.recipe
    people = labels()
    shown = _noise(len(people), recipe.resize or recipe.size)
    looked_at = _noise(len(people), recipe.size)
    stop = Stop()
    checkpoints = Checkpoints(folder, {}, 1e9, "here") if folder else None

    def interrupt(moment: Shown) -> None:
        if checkpoints:
            stop.receive(SIGNALS[0], None)

    with suppress(StoppedError):
        return fit(
            network,
            shown,
            people,
            HardwareSettings(),
            Randomness("check", "method", 0),
            lambda epoch: None,
            parts=part_maps(len(people), recipe.resize or recipe.size)
            if "parts" in network.needs
            else None,
            looked_at=lambda rows: looked_at[torch.from_numpy(rows)],
            checkpoints=checkpoints,
            taken_up=checkpoints.take_up() if checkpoints else None,
            stop=stop,
            progress=interrupt,
        )
    return None


def _noise(count: int, size: tuple[int, int]) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=draws(size[0]))
