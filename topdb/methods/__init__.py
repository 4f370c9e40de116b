"""The methods: one file each, found by its name.

To add a method, drop a file into this folder, or into a folder that `method_folders` in
params.yaml names. `my_method.py` becomes the method `my-method`; it defines one class that keeps
the contract of `topdb.methods.contract.Method` (docs/methods.md takes you through one). The
conformance test in `tests/methods` then runs on it. No list is edited.
"""

from topdb.config.scale import FULL, ScaleSettings
from topdb.methods.contract.method import Method
from topdb.methods.contract.recipe import Recipe
from topdb.methods.contract.resolving import find


def build(
    method: type[Method], recipe: Recipe, identities: int, scale: ScaleSettings = FULL
) -> Method:
    """Build a method for `identities` training people, weights not yet initialised.

    Raises
    ------
    UserError
        It cannot be trained by this recipe at this scale.
    """
    return method(recipe, scale, identities)


__all__ = ["build", "find"]
