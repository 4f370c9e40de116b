"""Auto-ReID's searched cells (Quan et al., ICCV 2019) in a ResNet's frame.

The cells are published (`topdb.methods.parts.cells`), the frame is not: stem, widths and the
number of cells were chosen here. Nobody published ImageNet weights of it.
"""

from collections.abc import Sequence

from torch import nn

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.cells import Cells
from topdb.methods.parts.stages import Stages

_WIDTH = 64
"""Channels of the stem and of a node of the first stage; four stages give 2048 channels."""
_STRIDE = 32


def build(scale: ScaleSettings, cells: Sequence[int] = (1, 1, 2, 1)) -> Stages:
    """Build the network without pooling and classifier; its widths follow the scale.

    Parameters
    ----------
    cells : normal cells of each stage
    """
    width = scale.channels(_WIDTH)
    layers = {
        "conv1": nn.Conv2d(3, width, 7, 2, padding=3, bias=False),
        "bn1": nn.BatchNorm2d(width),
        "relu": nn.ReLU(inplace=True),
        "maxpool": nn.MaxPool2d(3, 2, padding=1),
        "cells": Cells(width, width, cells),
    }
    return Stages(
        layers,
        ends={"stem": "maxpool", "cells": "cells"},
        channels={"stem": width, "cells": 4 * (width << 3)},
        strides={"stem": 4, "cells": _STRIDE},
    )
