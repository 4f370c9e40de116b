"""Baseline: the global stream and a stream that loses a random block of rows.

Batch DropBlock network (Dai et al., ICCV 2019).
"""

from typing import ClassVar

from topdb.methods.contract import Recipe
from topdb.methods.parts.streams import StreamNetwork, Streams, recipe


class Baseline(StreamNetwork):
    """Baseline, as a choice of streams."""

    title = "Baseline"
    recipes: ClassVar[dict[str, Recipe]] = {
        "released": recipe(Streams(drop="random", regularization=False, bottlenecks=1, neck=False)),
        "described": recipe(Streams(drop="random", regularization=False, neck_shift=False)),
    }
