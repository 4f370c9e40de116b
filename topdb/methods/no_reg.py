"""Top-DB-Net without its regularization stream."""

from typing import ClassVar

from topdb.methods.contract import Recipe
from topdb.methods.parts.streams import StreamNetwork, Streams, recipe


class NoReg(StreamNetwork):
    """no-reg Top-DB-Net, as a choice of streams."""

    title = "no-reg Top-DB-Net"
    recipes: ClassVar[dict[str, Recipe]] = {
        "released": recipe(Streams(drop="random", regularization=False)),
        "described": recipe(
            Streams(drop="top", regularization=False, neck_shift=False, row_score="mean")
        ),
    }
