"""The networks: one file a method, found by its name.

To add a method, drop a file into this folder. `my_method.py` becomes the method `my-method`; it
defines one function::

    def build(network: NetworkSettings, identities: int, recipe: Recipe) -> ReIDNetwork

and returns a module that keeps the contract of `topdb.methods.parts.network.ReIDNetwork`. The
conformance test in `tests/methods` then runs on it. No list is edited.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from topdb.params import NetworkSettings, Recipe

if TYPE_CHECKING:
    from topdb.methods.parts.network import ReIDNetwork


def build(method: str, network: NetworkSettings, identities: int, recipe: Recipe) -> "ReIDNetwork":
    """Build a method's network for `identities` training people, weights not yet initialised."""
    module = import_module(f"topdb.methods.{method.replace('-', '_')}")
    built: ReIDNetwork = module.build(network, identities, recipe)
    return built
