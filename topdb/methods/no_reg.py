"""Top-DB-Net without its regularization stream."""

from topdb.methods.parts.streams import StreamNetwork, Streams
from topdb.params import NetworkSettings, Recipe


def streams(recipe: Recipe) -> Streams:
    """Return the streams that the recipe gives this method."""
    if recipe == "released":
        return Streams(drop="random", regularization=False)
    return Streams(drop="top", regularization=False, neck_shift=False, row_score="mean")


def build(network: NetworkSettings, identities: int, recipe: Recipe) -> StreamNetwork:
    """Build the network for `identities` training people."""
    return StreamNetwork(network, identities, streams(recipe))
