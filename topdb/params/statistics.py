"""Parameters of the evidence: margins, levels, families. All are fixed before the runs."""

from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator

from topdb.params.base import Settings
from topdb.params.names import MethodName, Name

DEFAULT = "default"


class StatisticsSettings(Settings):
    """How cells are compared with each other and with the paper."""

    reference_method: MethodName = "baseline"
    """Every other method is compared with this one."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the interval of a difference between two methods."""
    draws: Annotated[int, Field(ge=1000)] = 10_000
    """Bootstrap draws of an interval, and sign flips over people."""
    seed: int = 0
    delta: dict[Name, PositiveFloat] = Field(default={DEFAULT: 1.0})
    """Largest difference to a published number that still counts as the same, in percentage
    points of mAP and of R1 alike: by data set, and `default` for all others."""
    rounding: Annotated[float, Field(ge=0.0)] = 0.05
    """Half a unit of the published numbers' last digit, in percentage points."""
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """Level of the tests of cells (each) and of claims (within each family)."""
    power: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    """With which the seeds that are said to be needed would do."""
    families: dict[str, tuple[str, ...]] = Field(default={})
    """Claims, by their id, that Holm's method takes together; those that are in none of the
    families form one together."""

    @field_validator("delta")
    @classmethod
    def _check_delta(cls, delta: dict[str, float]) -> dict[str, float]:
        if DEFAULT not in delta:
            raise ValueError(f"name the margin of all other data sets under '{DEFAULT}'")
        return delta

    @field_validator("families")
    @classmethod
    def _check_families(cls, families: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        listed = [claim for family in families.values() for claim in family]
        twice = sorted({claim for claim in listed if listed.count(claim) > 1})
        if twice:
            raise ValueError(f"the claim {twice[0]} is listed twice; name each claim once")
        return families

    def margin(self, dataset: str) -> float:
        """Return the data set's delta."""
        return self.delta.get(dataset, self.delta[DEFAULT])
