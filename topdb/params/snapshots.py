"""Parameters of the snapshots that training keeps for the figures."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from topdb.params.base import Settings
from topdb.params.names import MethodName, Name


class SnapshotSettings(Settings):
    """Which trainings are looked at while they go on, at which epochs, by which query images.

    Only the chosen runs depend on these settings: other choices train no other run again.
    """

    dataset: Name | None = None
    """Default: the profile's first data set."""
    methods: tuple[MethodName, ...] | None = None
    """Default: baseline and top-db-net, where the profile runs them; none: no snapshots."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Default: the profile's first seed."""
    queries: PositiveInt = 4
    """How many query images, of people spread evenly over the data set."""
    query_paths: tuple[str, ...] = ()
    """These query images instead, by their paths in the data set's index."""
    epochs: tuple[PositiveInt, ...] | None = None
    """Epochs, counted from 1, after which a snapshot is taken; default: first, middle, last."""

    @model_validator(mode="after")
    def _check(self) -> "SnapshotSettings":
        if self.epochs is not None and list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError("epochs have to rise")
        if len(set(self.query_paths)) < len(self.query_paths):
            raise ValueError("query_paths names an image twice; name each once")
        return self


@dataclass(frozen=True)
class Watch:
    """The snapshots of one profile, with every default filled in."""

    dataset: str
    methods: tuple[str, ...]
    seed: int
    queries: int
    query_paths: tuple[str, ...]
    epochs: tuple[int, ...] | None
    """None: the first, the middle and the last of the training."""

    def of(self, passes: int) -> tuple[int, ...]:
        """Return the epochs, counted from 1, of a training of so many passes."""
        middle = (passes + 1) // 2
        return tuple(sorted({1, middle, passes})) if self.epochs is None else self.epochs

    def includes(self, dataset: str, method: str, seed: int) -> bool:
        """Return whether a run is one of those that are looked at."""
        return dataset == self.dataset and method in self.methods and seed == self.seed
