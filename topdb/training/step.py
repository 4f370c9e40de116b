"""One training step: forward pass, losses, backward pass, update. Nothing in it waits for a GPU."""

from collections.abc import Callable

import torch
from torch import Tensor

from topdb.methods.parts.network import ReIDNetwork, StreamOutput
from topdb.params import TrainingSettings
from topdb.training.losses import StreamLoss, stream_losses, total
from topdb.training.optimiser import Adam

Forward = Callable[[Tensor, torch.Generator], list[StreamOutput]]


def forward_pass(network: ReIDNetwork, settings: TrainingSettings) -> Forward:
    """Return the network's training pass as the parameters ask for it.

    With `compile` it is compiled when it is first called. With `autocast` convolutions and matrix
    products are computed in bfloat16; weights, and what the losses see, stay float32.
    """
    called: Forward = torch.compile(network) if settings.compile else network
    if settings.autocast == "off":
        return called
    device = torch.device(settings.device).type

    def forward(images: Tensor, generator: torch.Generator) -> list[StreamOutput]:
        with torch.autocast(device, dtype=torch.bfloat16):
            outputs = called(images, generator)
        return [
            StreamOutput(each.name, each.features.float(), each.logits.float()) for each in outputs
        ]

    return forward


def train_step(
    forward: Forward,
    optimiser: Adam,
    inputs: Tensor,
    targets: Tensor,
    learning_rate: float,
    settings: TrainingSettings,
    dropping: torch.Generator,
) -> tuple[Tensor, list[StreamLoss]]:
    """Move the weights once; return the summed loss and both losses of each stream.

    Parameters
    ----------
    forward : as `forward_pass` returns it
    optimiser : of the network's parameters
    inputs : (B, 3, height, width) float32
    targets : (B,) int64 classes
    learning_rate : of this step
    settings : margin and label smoothing
    dropping : decides on dropped blocks
    """
    outputs = forward(inputs, dropping)
    losses = stream_losses(outputs, targets, settings.margin, settings.label_smoothing)
    loss = total(losses)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step(learning_rate)
    return loss, losses
