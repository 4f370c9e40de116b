"""Top-DB-Net: global, Top DropBlock and regularization streams (Quispe & Pedrini, ICPR 2020)."""

from typing import ClassVar

from topdb.methods.contract import Recipe
from topdb.methods.parts.streams import StreamNetwork, Streams, recipe


class TopDBNet(StreamNetwork):
    """Top-DB-Net, as a choice of streams."""

    title = "Top-DB-Net"
    recipes: ClassVar[dict[str, Recipe]] = {
        "released": recipe(Streams(drop="top", regularization=True)),
        "described": recipe(
            Streams(drop="top", regularization=True, neck_shift=False, row_score="mean")
        ),
    }
