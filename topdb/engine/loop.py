"""The loop: one step, one epoch, a whole training. It names no method."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topdb.config import HardwareSettings
from topdb.engine.batches import Placement, loaded, precision
from topdb.engine.checkpoint import Checkpoint, Checkpoints
from topdb.engine.divergence import Divergence
from topdb.engine.progress import Moment as Shown
from topdb.engine.progress import Progress, Recorded, Stop, silent
from topdb.engine.state import Epoch, Optimisers, Position, Randomness, State, read, written
from topdb.errors import UserError
from topdb.methods.contract import Look, Losses, Method, Moment
from topdb.methods.parts.augmentation import augmented, normalise
from topdb.methods.parts.part_maps import augmented_together

Forward = Callable[..., dict[str, Tensor]]
"""forward(images, moment, generator, **needed), as a method's own."""


def forward_pass(method: Method, hardware: HardwareSettings) -> Forward:
    """Return the method's training pass as the parameters ask for it.

    With `compile` it is compiled when it is first called. With `autocast` convolutions and matrix
    products are computed in bfloat16; weights, and what the losses see, stay float32.
    """
    called: Forward = torch.compile(method) if hardware.compile else method
    if hardware.autocast == "off":
        return called
    device = torch.device(hardware.device).type

    def forward(
        images: Tensor, moment: Moment, generator: torch.Generator, **needed: Tensor
    ) -> dict[str, Tensor]:
        with torch.autocast(device, dtype=torch.bfloat16):
            outputs = called(images, moment, generator, **needed)
        return {
            name: each.float() if each.is_floating_point() else each
            for name, each in outputs.items()
        }

    return forward


def rates(method: Method, moment: Moment) -> dict[str, float]:
    """Return the learning rate of every group at a step."""
    recipe = method.recipe
    return {
        name: rule.rate
        if name in recipe.steady
        else recipe.schedule.rate(rule.rate, moment, recipe.epochs)
        for name, rule in recipe.rules.items()
    }


def train_step(
    method: Method,
    forward: Forward,
    optimisers: Optimisers,
    inputs: Tensor,
    people: Tensor,
    moment: Moment,
    drawing: torch.Generator,
    **needed: Tensor,
) -> tuple[Tensor, Losses]:
    """Move the weights once; return the summed loss and every loss by name.

    Parameters
    ----------
    method : whose losses they are
    forward : as `forward_pass` returns it
    optimisers : of the method's groups
    inputs : (B, 3, height, width) float32
    people : (B,) int64 classes
    moment : decides on rates and on what the method does
    drawing : decides on dropped blocks and whatever else a method draws
    needed : what the method needs beside images
    """
    outputs = forward(inputs, moment, drawing, **needed)
    losses = method.losses(outputs, people, moment, drawing)
    loss = torch.stack(list(losses.values())).sum()
    method.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if method.recipe.clip is not None:
        torch.nn.utils.clip_grad_norm_(optimisers.parameters, method.recipe.clip)
    optimisers.step(rates(method, moment))
    return loss, losses


Images = Callable[[NDArray[np.int64]], Tensor]
"""Returns the images (n, 3, height, width) uint8 of rows (n,) of the training split."""
Draw = Callable[[NDArray[np.int64], Moment, np.random.Generator, Look], Sequence[NDArray[np.int64]]]
"""Draws the batches of a pass, as a method's `batches` does."""


def fit(
    network: Method,
    images: Tensor,
    labels: NDArray[np.int64],
    hardware: HardwareSettings,
    randomness: Randomness,
    on_epoch: Callable[[Epoch], None],
    *,
    parts: Tensor | None = None,
    looked_at: Images | None = None,
    draw: Draw | None = None,
    checkpoints: Checkpoints | None = None,
    taken_up: Checkpoint | None = None,
    stop: Stop | None = None,
    progress: Progress = silent,
    divergence: Divergence | None = None,
) -> list[Epoch]:
    """Train a method in place, by its own recipe; return what happened in each pass.

    Parameters
    ----------
    network : its weights are the start
    images : (N, 3, height, width) uint8, at the recipe's `resize` or `size`
    labels : (N,) class of each image
    hardware : device, memory layout, precision
    randomness : decides on batches, augmentation, dropped blocks and dropout
    on_epoch : called after each pass that ends here; not for those of `taken_up`
    parts : (N, 3, height, width) uint8, their part maps, for a method that needs them
    looked_at : images at the input size, where those for training have another
    draw : draws the batches of a pass in place of the method's own `batches`
    checkpoints : where to write them, as often as the parameters say
    taken_up : the checkpoint to go on from; the weights are then bit for bit what they would
        have been without the interruption
    stop : asked after each step; on a request a checkpoint is written and training ends
    progress : told after each step
    divergence : looks at each epoch's losses; where it keeps what diverges, a training ends early
        whose losses or weights are no finite numbers

    Raises
    ------
    UserError
        There are too few people or images for a batch, the training diverges and that is no
        result, or a checkpoint cannot be written.
    StoppedError
        `stop` asked for it.
    """
    place, recipe = Placement.of(hardware), network.recipe
    place.network(network)
    network.train()
    state = State.begin(network, Optimisers(network, hardware.fused), randomness)
    divergence, people_to_know = divergence or Divergence(), int(labels.max()) + 1
    position, recorded = Position(), Recorded(1)
    if taken_up:
        position, recorded = _restore(state, taken_up)
        for done in position.history:
            divergence.look(done.number, done.losses, position.untrained, people_to_know)
    forward, draw = forward_pass(network, hardware), draw or network.batches
    classes = torch.from_numpy(labels)
    stop = stop or Stop()
    passes = recipe.whole_passes
    speed = recipe.epochs / passes
    look = _looking(network, looked_at or (lambda rows: images[torch.from_numpy(rows)]), hardware)

    def load(batch: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor | None]:
        positions = torch.from_numpy(batch)
        maps = None if parts is None else place.pinned(parts[positions])
        return place.pinned(images[positions]), place.pinned(classes[positions]), maps

    def pause() -> None:
        """Write a checkpoint where one is due, and end where somebody asked for it."""
        # Asked once: a request that comes after this look waits for the next one.
        asked = stop.asked
        saved = False
        if checkpoints and (asked or checkpoints.due(last=position.epoch == passes)):
            saved = _save(checkpoints, state, position, recorded, must=divergence.fails)
        if asked:
            stop.end(str(position), saved=saved)

    devices = [torch.cuda.current_device()] if place.device.type == "cuda" else []
    with (
        precision(hardware),
        # Dropout draws from torch's own generator, which belongs to somebody else.
        torch.random.fork_rng(devices),
        stop.after_the_step(),
    ):
        while position.epoch < passes:
            number, began = position.epoch, time.perf_counter() - position.seconds
            if position.step == 0:
                opening = Moment(number, number * speed, number * speed)
                state.batches = list(draw(labels, opening, state.sampling, look))
                if not state.batches:
                    raise UserError(
                        "the method drew no batch: the training split is too small for its recipe "
                        "(lower scale.people in params.yaml or add images)."
                    )
            batches, begun = state.batches, -1
            for shown, people, maps in loaded(batches[position.step :], load, hardware.workers):
                step, steps = position.step, len(batches)
                moment = Moment(
                    number,
                    (number + step / steps) * speed,
                    (number + (step + 1) / steps) * speed,
                )
                if any(position.clock < each <= moment.epoch for each in recipe.fresh):
                    state.optimisers.forget()
                if moment.whole != begun:
                    network.begin(moment)
                    begun = moment.whole
                torch.manual_seed(randomness.step(number, step))
                moved, needed = place.tensor(shown), {}
                by = recipe.augmentation, state.augmenting, moment
                if maps is None:
                    moved = augmented(moved, *by)
                else:
                    moved, needed["parts"] = augmented_together(moved, place.tensor(maps), *by)
                loss, losses = train_step(
                    network,
                    forward,
                    state.optimisers,
                    place.images(moved),
                    place.tensor(people),
                    moment,
                    state.drawing,
                    **needed,
                )
                recorded.add(loss, losses)
                broken = False
                if (step + 1) % hardware.log_every == 0 or step + 1 == steps:
                    if divergence.fails:
                        recorded.require_finite()
                    broken = not recorded.finite
                size, seen = len(people), recorded.latest
                progress(Shown(number + 1, passes, step + 1, steps, size, seen))
                position.step, position.clock = step + 1, moment.epoch
                position.seconds = time.perf_counter() - began
                if broken:
                    break
                if step + 1 < steps:
                    pause()

            rate = next(iter(rates(network, moment).values()))
            count = sum(map(len, batches[: position.step]))
            done = Epoch(number + 1, rate, count, position.seconds, recorded.means())
            untrained = position.untrained if number else recorded.first
            divergence.look(number + 1, done.losses, untrained, people_to_know)
            on_epoch(done)
            position = Position(
                number + 1,
                history=[*position.history, done],
                clock=position.clock,
                untrained=untrained,
            )
            recorded, state.batches = Recorded(number + 2), []
            if divergence.ended:
                return position.history
            pause()
    for name, values in network.state_dict().items():
        if _broken(values):  # by the last step, after which no loss was computed
            divergence.mark(position.epoch, name, math.nan)
    if stop.asked:  # after the last look, and before requests were raised at once again
        pause()
    return position.history


def position_of(checkpoint: Checkpoint) -> Position:
    """Return where the training stands that a checkpoint holds."""
    return read(checkpoint.content["position"])


def _looking(network: Method, images: Images, hardware: HardwareSettings) -> Look:
    """Return what gives a method the features of training rows by the weights of this moment."""
    place = Placement.of(hardware)

    def look(
        rows: NDArray[np.int64], embed: Callable[[Tensor], Tensor] | None = None
    ) -> NDArray[np.float32]:
        network.eval()
        found = []
        with torch.inference_mode():
            for first in range(0, len(rows), hardware.extraction_batch):
                chunk = images(rows[first : first + hardware.extraction_batch])
                shown = place.images(normalise(place.tensor(place.pinned(chunk))))
                found.append((embed or network.embed)(shown).float().cpu())
        features: NDArray[np.float32] = torch.cat(found).numpy()
        return features

    return look


def _save(
    checkpoints: Checkpoints, state: State, position: Position, recorded: Recorded, *, must: bool
) -> bool:
    """Write a checkpoint, of finite numbers alone; return whether it was, unless it must be."""
    tensors = state.tensors() | {"losses": recorded.values()}
    for name, values in tensors.items():
        if _broken(values):
            if not must:
                return False
            raise UserError(
                f"{name} is no longer finite after {position}: lower the learning rate (`changes` "
                "or `scale.rate` in params.yaml), or look for broken images."
            )
    content = {
        "position": written(position),
        "losses": recorded.names,
        "sampler": state.sampler(),
    }
    checkpoints.save(position.name, tensors, content)
    return True


def _broken(values: Tensor) -> bool:
    """Whether a value is not finite; the extremes tell without a mask as large as the values."""
    if not (values.is_floating_point() and values.numel()):
        return False
    smallest, largest = values.aminmax()
    return not (smallest.isfinite() and largest.isfinite())


def _restore(state: State, checkpoint: Checkpoint) -> tuple[Position, Recorded]:
    """Set the state, and return where it stands and the losses of the epoch in progress."""
    position, tensors = position_of(checkpoint), checkpoint.tensors
    state.restore(tensors, checkpoint.content["sampler"])
    recorded = Recorded(position.epoch + 1, checkpoint.content["losses"], tensors["losses"])
    return position, recorded
