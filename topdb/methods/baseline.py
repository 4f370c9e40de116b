"""Baseline: the global stream and a stream that loses a random block of rows.

Batch DropBlock network (Dai et al., ICCV 2019).
"""

from topdb.methods.parts.streams import StreamNetwork, Streams
from topdb.params import NetworkSettings, Recipe


def streams(recipe: Recipe) -> Streams:
    """Return the streams that the recipe gives this method."""
    if recipe == "released":
        return Streams(drop="random", regularization=False, bottlenecks=1, neck=False)
    return Streams(drop="random", regularization=False, neck_shift=False)


def build(network: NetworkSettings, identities: int, recipe: Recipe) -> StreamNetwork:
    """Build the network for `identities` training people."""
    return StreamNetwork(network, identities, streams(recipe))
