"""PyTorch's own starting weights, from a generator that one can name."""

from math import sqrt

import torch
from torch import nn


def default_start(module: nn.Module, generator: torch.Generator) -> None:
    """Draw weights of convolutions and linear layers as PyTorch does where it builds them.

    Uniform between plus and minus 1 / sqrt(inputs of one output), weights and biases alike.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = 1.0 / sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
