"""One training step: forward pass, losses, backward pass, update. Nothing in it waits for a GPU."""

from collections.abc import Callable

import torch
from torch import Tensor

from topdb.methods.contract import Losses, Method, Moment
from topdb.params import HardwareSettings
from topdb.training.optimiser import Optimisers

Forward = Callable[[Tensor, Moment, torch.Generator], dict[str, Tensor]]


def forward_pass(method: Method, hardware: HardwareSettings) -> Forward:
    """Return the method's training pass as the parameters ask for it.

    With `compile` it is compiled when it is first called. With `autocast` convolutions and matrix
    products are computed in bfloat16; weights, and what the losses see, stay float32.
    """
    called: Forward = torch.compile(method) if hardware.compile else method
    if hardware.autocast == "off":
        return called
    device = torch.device(hardware.device).type

    def forward(images: Tensor, moment: Moment, generator: torch.Generator) -> dict[str, Tensor]:
        with torch.autocast(device, dtype=torch.bfloat16):
            outputs = called(images, moment, generator)
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
    """
    outputs = forward(inputs, moment, drawing)
    losses = method.losses(outputs, people, moment, drawing)
    loss = torch.stack(list(losses.values())).sum()
    optimisers.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if method.recipe.clip is not None:
        torch.nn.utils.clip_grad_norm_(optimisers.parameters, method.recipe.clip)
    optimisers.step(rates(method, moment))
    return loss, losses
