"""Dropping a part of a feature map: the most activated rows (Top DropBlock), or a random block.

A mask has the value 0 where the map is dropped and 1 where it is kept. All functions work on the
device of the features, without a loop over images.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from topdb.errors import UserError

RowScore = Literal["mean", "normalised-max"]
"""How a row of the activation map becomes one number.

`mean`: the average over the width (the paper's text). `normalised-max`: the largest value of the
L2-normalised map (the authors' code).
"""


def dropped_rows(rows: int, ratio: float) -> int:
    """Return how many of `rows` rows a drop ratio stands for, rounded half to even.

    Raises
    ------
    UserError
        That is none of them, or all: the drop stream would learn as if it were not there.
    """
    dropped = round(ratio * rows)
    if not 0 < dropped < rows:
        raise UserError(
            f"drop_ratio is {ratio:g}, which drops {'every one' if dropped else 'none'} of the "
            f"{rows} rows of the feature map: name a share that is at least one row, and "
            "leaves one."
        )
    return dropped


def activation_map(features: Tensor, power: float) -> Tensor:
    """Return A = sum over channels of |F|^p.

    Source: Quispe & Pedrini (ICPR 2020), equation of the activation map. `features` is
    (B, C, H, W); the map is (B, H, W).
    """
    powers = features.square() if power == 2.0 else features.abs().pow(power)
    return powers.sum(dim=1)


def row_scores(features: Tensor, power: float, score: RowScore) -> Tensor:
    """Return one score for each row, (B, H), of feature maps (B, C, H, W)."""
    activation = activation_map(features, power)
    if score == "mean":
        return activation.mean(dim=2)
    return normalize(activation.flatten(1), dim=1).view_as(activation).amax(dim=2)


def top_drop_mask(features: Tensor, ratio: float, power: float, score: RowScore) -> Tensor:
    """Mask the most activated rows of each image on its own.

    Parameters
    ----------
    features : (B, C, H, W)
    ratio : share of the H rows to drop, rounded to whole rows
    power : p of the activation map
    score : how a row is scored

    Returns
    -------
    (B, 1, H, 1), without gradient: the choice of rows is not differentiated.
    """
    with torch.no_grad():
        scores = row_scores(features, power, score)
        top = scores.topk(dropped_rows(features.shape[2], ratio), dim=1).indices
        mask = torch.ones_like(scores).scatter_(1, top, 0.0)
    return mask[:, None, :, None]


def random_drop_mask(features: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    """Mask one block of neighbouring rows, the same for the whole batch.

    Source: Batch DropBlock (Dai et al., ICCV 2019), with blocks as wide as the map.
    `features` is (B, C, H, W); the mask is (1, 1, H, 1). The generator lives on the CPU, so that
    drawing never waits for a GPU.
    """
    rows = features.shape[2]
    block = dropped_rows(rows, ratio)
    start = int(torch.randint(rows - block + 1, (), generator=generator))
    mask = features.new_ones(1, 1, rows, 1)
    mask[:, :, start : start + block] = 0.0
    return mask


def rectangle_drop_mask(
    features: Tensor,
    heights: tuple[float, float],
    widths: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Mask one rectangle of random size at a random place, the same for the whole batch.

    Source: DropBlock+ of SONA (Xia et al., ICCV 2019), whose text says that the size varies.

    Parameters
    ----------
    features : (B, C, H, W), of at least two places
    heights, widths : shares of H and of W, drawn uniformly between these and rounded to whole
        places, at least one; a rectangle as large as the map is a row, or in a single row a
        column, smaller
    generator : on the CPU

    Returns
    -------
    (1, 1, H, W)
    """
    rows, columns = features.shape[2:]
    tall, wide, down, right = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    height = max(1, round(rows * (heights[0] + (heights[1] - heights[0]) * tall)))
    width = max(1, round(columns * (widths[0] + (widths[1] - widths[0]) * wide)))
    if (height, width) == (rows, columns):
        height, width = (height - 1, width) if rows > 1 else (height, width - 1)
    top, left = int(down * (rows - height + 1)), int(right * (columns - width + 1))
    mask = features.new_ones(1, 1, rows, columns)
    mask[:, :, top : top + height, left : left + width] = 0.0
    return mask
