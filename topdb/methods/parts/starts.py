"""How new layers start."""

from math import sqrt

import torch
from torch import nn


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Give every layer of `module` its starting weights from the generator.

    Convolutions: He et al. (ICCV 2015), normal, fan out. Linear layers: normal with standard
    deviation 0.01. Batch normalisation: scale 1, shift 0. Biases: 0. These are the choices of the
    released code of Top-DB-Net and OSNet for what is not the backbone.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


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
