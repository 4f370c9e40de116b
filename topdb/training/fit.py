"""The training loop."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topdb.errors import UserError
from topdb.methods.parts.network import ReIDNetwork
from topdb.params import TrainingSettings
from topdb.training.batches import loaded
from topdb.training.checkpoint import Checkpoint, Checkpoints
from topdb.training.optimiser import Adam
from topdb.training.placement import Placement
from topdb.training.precision import precision
from topdb.training.progress import Moment, Progress, silent
from topdb.training.randomness import Randomness
from topdb.training.recording import Recorded
from topdb.training.sampler import epoch_batches
from topdb.training.schedule import learning_rate
from topdb.training.state import Epoch, Position, State, read, written
from topdb.training.step import forward_pass, train_step
from topdb.training.stopping import Stop
from topdb.training.transforms import augment


def fit(
    network: ReIDNetwork,
    images: Tensor,
    labels: NDArray[np.int64],
    settings: TrainingSettings,
    randomness: Randomness,
    on_epoch: Callable[[Epoch], None],
    checkpoints: Checkpoints | None = None,
    taken_up: Checkpoint | None = None,
    stop: Stop | None = None,
    progress: Progress = silent,
) -> list[Epoch]:
    """Train a network in place; return what happened in each epoch.

    Parameters
    ----------
    network : its weights are the start
    images : (N, 3, height, width) uint8
    labels : (N,) class of each image
    settings : epochs, batches, schedule, optimiser, augmentation, device
    randomness : decides on batches, augmentation and dropped blocks
    on_epoch : called after each epoch that ends here; not for those of `taken_up`
    checkpoints : where to write them, as often as the parameters say
    taken_up : the checkpoint to go on from; the weights are then bit for bit what they would
        have been without the interruption
    stop : asked after each step; on a request a checkpoint is written and training ends
    progress : told after each step

    Raises
    ------
    UserError
        There are too few people for a batch, a loss is no longer a finite number, or a
        checkpoint cannot be written.
    StoppedError
        `stop` asked for it.
    """
    place = Placement.of(settings)
    place.network(network)
    network.train()
    optimiser = Adam(network.parameters(), settings.betas, settings.weight_decay, settings.fused)
    state = State.begin(network, optimiser, randomness)
    position, recorded = Position(), Recorded(1)
    if taken_up:
        position, recorded = _restore(state, taken_up)
    forward = forward_pass(network, settings)
    classes = torch.from_numpy(labels)
    stop = stop or Stop()

    def load(batch: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        positions = torch.from_numpy(batch)
        return place.pinned(images[positions]), place.pinned(classes[positions])

    def pause(sampler: dict[str, Any]) -> None:
        """Write a checkpoint where one is due, and end where somebody asked for it."""
        # Asked once: a request that comes after this look waits for the next one.
        asked = stop.asked
        if checkpoints and (asked or checkpoints.due(last=position.epoch == settings.epochs)):
            _save(checkpoints, state, position, recorded, sampler)
        if asked:
            stop.end(str(position), saved=checkpoints is not None)

    with precision(settings), stop.after_the_step():
        while position.epoch < settings.epochs:
            epoch, began = position.epoch, time.perf_counter() - position.seconds
            sampler = dict(state.sampling.bit_generator.state)
            batches = epoch_batches(
                labels, settings.people_per_batch, settings.images_per_person, state.sampling
            )
            todo = batches[position.step :]
            for shown, targets in loaded(todo, load, settings.workers):
                step = position.step + 1
                rate = learning_rate(settings.schedule, epoch, step / len(batches), settings.epochs)
                moved = augment(place.tensor(shown), settings.augmentation, state.augmenting)
                loss, losses = train_step(
                    forward,
                    optimiser,
                    place.images(moved),
                    place.tensor(targets),
                    rate,
                    settings,
                    state.dropping,
                )
                recorded.add(loss, losses)
                if step % settings.log_every == 0 or step == len(batches):
                    recorded.values()
                size, loss_seen = len(targets), recorded.latest
                progress(Moment(epoch + 1, settings.epochs, step, len(batches), size, loss_seen))
                position.step, position.seconds = step, time.perf_counter() - began
                if step < len(batches):
                    pause(sampler)

            done = Epoch(epoch + 1, rate, batches.size, position.seconds, recorded.means())
            on_epoch(done)
            position = Position(epoch + 1, history=[*position.history, done])
            recorded = Recorded(epoch + 2)
            pause(dict(state.sampling.bit_generator.state))
    if stop.asked:  # after the last look, and before requests were raised at once again
        pause(dict(state.sampling.bit_generator.state))
    return position.history


def position_of(checkpoint: Checkpoint) -> Position:
    """Return where the training stands that a checkpoint holds."""
    return read(checkpoint.content["position"])


def _save(
    checkpoints: Checkpoints,
    state: State,
    position: Position,
    recorded: Recorded,
    sampler: dict[str, Any],
) -> None:
    """Write a checkpoint, of finite numbers alone."""
    tensors = state.tensors() | {"losses": recorded.values()}
    for name, values in tensors.items():
        if values.is_floating_point() and values.numel() and not _finite(values):
            raise UserError(
                f"{name} is no longer finite after {position}: lower training.schedule.base in "
                "params.yaml, or look for broken images."
            )
    content = {"position": written(position), "losses": recorded.names, "sampler": sampler}
    checkpoints.save(position.name, tensors, content)


def _finite(values: Tensor) -> bool:
    """Whether all values are; the extremes tell without a mask as large as the values."""
    smallest, largest = values.aminmax()
    return bool(smallest.isfinite() and largest.isfinite())


def _restore(state: State, checkpoint: Checkpoint) -> tuple[Position, Recorded]:
    """Set the state, and return where it stands and the losses of the epoch in progress."""
    position, tensors = position_of(checkpoint), checkpoint.tensors
    state.restore(tensors, checkpoint.content["sampler"])
    recorded = Recorded(position.epoch + 1, checkpoint.content["losses"], tensors["losses"])
    return position, recorded
