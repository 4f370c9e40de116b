"""Top-DB-Net without its drop stream: tested with the regularization stream instead."""

from typing import ClassVar

from topdb.methods.contract import Recipe
from topdb.methods.parts.streams import StreamNetwork, Streams, recipe


class NoDrop(StreamNetwork):
    """no-drop Top-DB-Net, as a choice of streams."""

    title = "no-drop Top-DB-Net"
    recipes: ClassVar[dict[str, Recipe]] = {
        "released": recipe(Streams(drop=None, regularization=True)),
        "described": recipe(Streams(drop=None, regularization=True, neck_shift=False)),
    }
