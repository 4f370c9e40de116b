"""The seeds of a grid beside those that were planned, and the level that is left for a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from topdb.config import StatisticsSettings
from topdb.statistics import alpha_at_look, extended

FEWEST = 2
"""Seeds with which there is a verdict at all; whoever planned one has not looked at any."""
LONGEST = 4
"""A grid may grow to so many times its planned seeds."""


@dataclass(frozen=True)
class Look:
    """What is looked at now, and what had been planned.

    Every grid may grow, so that the planned look gets four fifths of the level, and later ones
    share the rest.
    """

    planned: tuple[int, ...]
    now: tuple[int, ...]
    recorded: bool = True
    """Whether the planned seeds were recorded, rather than taken from the profile."""

    @property
    def replaced(self) -> tuple[int, ...]:
        """Planned seeds that the profile has no more."""
        return tuple(seed for seed in self.planned if seed not in self.now)

    @property
    def seeds(self) -> int:
        """Seeds that a verdict needs: none of the planned ones is dropped by a shorter list."""
        return max(len(self.planned), len(self.now))

    @property
    def note(self) -> str:
        """What stands beside a verdict: whether the grid grew, and which seeds were replaced."""
        notes = [extended(len(self.now), len(self.planned))] if len(self.planned) > 1 else []
        if self.replaced:
            listed = ", ".join(map(str, self.replaced))
            notes.append(f"without planned seed{'s' * (len(self.replaced) > 1)} {listed}")
        return "; ".join(each for each in notes if each)

    @property
    def closed(self) -> str:
        """Why no verdict can be given; empty where one can."""
        planned = max(FEWEST, len(self.planned))
        if self._seen <= LONGEST * planned:
            return ""
        return (
            f"A grid of {planned} planned seeds ends at {LONGEST * planned}, and this one has "
            f"{self._seen}: plan a new one, with new seeds alone."
        )

    def level(self, alpha: float) -> float:
        """Return the level of this look's tests, of an alpha over all looks."""
        planned = max(FEWEST, len(self.planned))
        most = LONGEST * planned
        return alpha_at_look(min(max(self._seen, planned), most), planned=planned, alpha=alpha)

    def confident(self, settings: StatisticsSettings) -> float:
        """Return the one-sided level that people and seeds together have to reach on a data set."""
        return self.level((1.0 - settings.confidence) / 2.0)

    @property
    def _seen(self) -> int:
        """Seeds that were looked at, the replaced ones among them."""
        return len({*self.planned, *self.now})


def look(planned: Sequence[int] | None, now: Sequence[int]) -> Look:
    """Return the look at a profile's seeds; `planned` is None where nobody recorded any."""
    return Look(tuple(now if planned is None else planned), tuple(now), planned is not None)
