"""The contract between a method and everything else: see `method.py` and `recipe.py`."""

from topdb.methods.contract.method import Losses, Method
from topdb.methods.contract.recipe import (
    SGD,
    Adam,
    Cosine,
    Look,
    Milestones,
    Moment,
    Names,
    Recipe,
    Schedule,
    Stairs,
    Transform,
)

__all__ = [
    "SGD",
    "Adam",
    "Cosine",
    "Look",
    "Losses",
    "Method",
    "Milestones",
    "Moment",
    "Names",
    "Recipe",
    "Schedule",
    "Stairs",
    "Transform",
]
