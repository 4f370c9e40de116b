"""Maps of several depths of a backbone, and their sizes."""

import torch

from topdb.errors import UserError
from topdb.methods.parts.stages import Stages


def last_stages(backbone: Stages, count: int) -> tuple[str, ...]:
    """Return the last `count` stages that have layers of their own; fewer if there are fewer."""
    found: dict[str, str] = {}
    for stage, end in backbone.ends.items():
        found.setdefault(end, stage)  # an empty stage ends where the one before ends
    return tuple(found.values())[-count:]


def map_rows(
    backbone: Stages, stages: tuple[str, ...], size: tuple[int, int], method: str
) -> list[int]:
    """Return the rows of the maps of some stages, named in order, for images of a size.

    A narrow blank image shows them, so that sizes which strides do not divide are exact too.

    Parameters
    ----------
    size : height and width in pixels
    method : whose images they are

    Raises
    ------
    UserError
        The images are smaller than one place of the last map.
    """
    height, width = size
    stride = backbone.stage_strides[stages[-1]]
    if min(size) < stride:
        raise UserError(
            f"{method}'s images are {height}x{width}, and one place of the last map stands for "
            f"{stride} pixels: set scale.size or changes.{method}.size in params.yaml to larger "
            "ones."
        )
    training = backbone.training
    with torch.no_grad():
        maps = backbone.eval().taps(torch.zeros(1, 3, height, min(width, 2 * stride)), stages)
    backbone.train(training)
    return [each.shape[2] for each in maps]
