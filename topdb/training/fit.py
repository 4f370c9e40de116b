"""The training loop."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topdb.errors import UserError
from topdb.methods.parts.network import ReIDNetwork
from topdb.params import TrainingSettings
from topdb.training.losses import StreamLoss, stream_losses, total
from topdb.training.optimiser import Adam
from topdb.training.placement import Placement
from topdb.training.randomness import Randomness
from topdb.training.sampler import epoch_batches
from topdb.training.schedule import learning_rate
from topdb.training.transforms import augment


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch."""

    number: int
    """Counted from 1."""
    learning_rate: float
    """Of its last step."""
    images: int
    seconds: float
    losses: dict[str, float]
    """Mean over the epoch's steps, by name: `loss`, then `<stream>_cross_entropy`, ..."""

    def row(self) -> dict[str, float]:
        """Return it as a row of `history.csv`."""
        return {
            "epoch": self.number,
            "learning_rate": self.learning_rate,
            "images": self.images,
            "seconds": round(self.seconds, 6),
            **self.losses,
        }


def fit(
    network: ReIDNetwork,
    images: Tensor,
    labels: NDArray[np.int64],
    settings: TrainingSettings,
    randomness: Randomness,
    on_epoch: Callable[[Epoch], None],
) -> None:
    """Train a network in place.

    Parameters
    ----------
    network : its weights are the start
    images : (N, 3, height, width) uint8
    labels : (N,) class of each image
    settings : epochs, batches, schedule, optimiser, augmentation, device
    randomness : decides on batches, augmentation and dropped blocks
    on_epoch : called after each epoch

    Raises
    ------
    UserError
        There are too few people for a batch, or a loss is no longer a finite number.
    """
    place = Placement.of(settings)
    place.network(network)
    network.train()
    optimiser = Adam(network.parameters(), settings.betas, settings.weight_decay)
    sampling = randomness.numpy("sampler")
    augmenting = randomness.torch("augmentation")
    dropping = randomness.torch("drop")
    classes = torch.from_numpy(labels)

    for epoch in range(settings.epochs):
        start = time.perf_counter()
        batches = epoch_batches(
            labels, settings.people_per_batch, settings.images_per_person, sampling
        )
        recorded: list[Tensor] = []
        for step, batch in enumerate(batches):
            done = (step + 1) / len(batches)
            rate = learning_rate(settings.schedule, epoch, done, settings.epochs)
            positions = torch.from_numpy(batch)
            shown = place.tensor(images[positions])
            inputs = place.images(augment(shown, settings.augmentation, augmenting))
            targets = place.tensor(classes[positions])

            outputs = network(inputs, dropping)
            losses = stream_losses(outputs, targets, settings.margin, settings.label_smoothing)
            loss = total(losses)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step(rate)
            recorded.append(torch.stack([loss.detach(), *_detached(losses)]))

        values = torch.stack(recorded).cpu()
        names = ["loss", *_names(losses)]
        _require_finite(values, names, epoch + 1)
        on_epoch(
            Epoch(
                number=epoch + 1,
                learning_rate=rate,
                images=batches.size,
                seconds=time.perf_counter() - start,
                losses=dict(zip(names, values.double().mean(dim=0).tolist(), strict=True)),
            )
        )


def _detached(losses: list[StreamLoss]) -> list[Tensor]:
    return [part.detach() for loss in losses for part in (loss.cross_entropy, loss.triplet)]


def _names(losses: list[StreamLoss]) -> list[str]:
    return [f"{loss.name}_{part}" for loss in losses for part in ("cross_entropy", "triplet")]


def _require_finite(values: Tensor, names: list[str], epoch: int) -> None:
    """Find the first loss that is no number; `values` is (steps, names)."""
    broken = ~values.isfinite()
    if not broken.any():
        return
    step = int(broken.any(dim=1).int().argmax())
    streams = [name for name, bad in zip(names, broken[step], strict=True) if bad]
    named = streams[1] if len(streams) > 1 else streams[0]
    value = values[step][names.index(named)].item()
    raise UserError(
        f"the loss {named} became {'NaN' if math.isnan(value) else 'infinite'} in epoch {epoch}, "
        f"step {step + 1}: lower training.schedule.base in params.yaml, or look for broken images."
    )
