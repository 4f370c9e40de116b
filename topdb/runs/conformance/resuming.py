"""Whether a training that is interrupted after every step ends with the same bits."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from topdb.config import HardwareSettings
from topdb.engine.checkpoint import Checkpoints
from topdb.engine.loop import fit
from topdb.engine.progress import SIGNALS, Stop
from topdb.engine.progress import Moment as Shown
from topdb.engine.state import Epoch, Randomness
from topdb.errors import StoppedError
from topdb.methods.contract import Method
from topdb.runs.conformance.subject import Subject, draws, kept, labels, require

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
            looked_at=lambda rows: looked_at[torch.from_numpy(rows)],
            checkpoints=checkpoints,
            taken_up=checkpoints.take_up() if checkpoints else None,
            stop=stop,
            progress=interrupt,
        )
    return None


def _noise(count: int, size: tuple[int, int]) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=draws(size[0]))
