"""Top-DB-Net without its drop stream: tested with the regularization stream instead."""

from topdb.methods.parts.streams import StreamNetwork, Streams
from topdb.params import NetworkSettings, Recipe


def streams(recipe: Recipe) -> Streams:
    """Return the streams that the recipe gives this method."""
    return Streams(drop=None, regularization=True, neck_shift=recipe == "released")


def build(network: NetworkSettings, identities: int, recipe: Recipe) -> StreamNetwork:
    """Build the network for `identities` training people."""
    return StreamNetwork(network, identities, streams(recipe))
