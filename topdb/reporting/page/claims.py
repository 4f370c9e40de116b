"""The claims as a small forest plot: an interval a data set, on one axis that all of them share."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from topdb.reporting.documents import ClaimLine
from topdb.reporting.page.embedding import minus
from topdb.results.comparisons import ClaimComparison, ClaimPart

STEPS = (1.0, 2.0, 5.0)
TICKS = 5
"""As many intervals between ticks as an axis has at most."""
REACH = 3.0
"""How many times the largest estimate the axis reaches: a longer interval ends in an arrow."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, percentage points; 0 is always on it."""

    low: float
    high: float
    ticks: tuple[tuple[float, str, bool], ...]
    """Where each stands, in percent of the width, what it says, and whether it does so on a narrow
    screen too."""

    def at(self, value: float) -> float:
        """Return where a value stands, in percent of the width, held within the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(100.0 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Bar:
    """An interval on the axis, in percent of its width."""

    name: str
    """Of the data set, as a reader calls it."""
    text: str
    """Estimate and interval; a dash without runs."""
    sign: str
    """`for` where the interval lies above 0, `against` where below, else `open`."""
    at: float | None
    low: float | None
    high: float | None
    """None where there is none."""
    beyond_low: bool = False
    beyond_high: bool = False
    """Whether the interval goes on beyond the axis."""


@dataclass(frozen=True)
class ClaimRow:
    """A claim with an interval a data set."""

    id: str
    """The name of the claim's details."""
    claim: ClaimComparison
    bars: tuple[Bar, ...]
    parts: tuple[tuple[str, ClaimPart], ...]
    """With the titles of their data sets."""
    own_axis: Axis
    own_bars: tuple[Bar, ...]
    """The same on an axis of the claim's own, where it stands alone."""

    @property
    def floor(self) -> float | None:
        """What its adjusted p cannot go below, where that is more than its level."""
        floor = self.claim.smallest_adjusted_p
        return floor if floor > self.claim.alpha else None


def claim_rows(lines: Sequence[ClaimLine]) -> tuple[tuple[ClaimRow, ...], Axis]:
    """Return the claims, and the axis of all of their intervals."""
    axis = axis_of(part for line in lines for part in line.parts)
    return tuple(_row(line, axis) for line in lines), axis


def _row(line: ClaimLine, axis: Axis) -> ClaimRow:
    parts = tuple(zip(line.datasets, line.parts, strict=True))
    own = axis_of(line.parts)
    return ClaimRow(
        id=f"claim-{line.claim.id}",
        claim=line.claim,
        bars=tuple(bar(title, part, axis) for title, part in parts),
        parts=parts,
        own_axis=own,
        own_bars=tuple(bar(title, part, own) for title, part in parts),
    )


def axis_of(parts: Iterable[ClaimPart]) -> Axis:
    """Return an axis that shows 0, every estimate, and the intervals unless they are far longer."""
    known = [each for each in parts if math.isfinite(each.estimate)]
    estimates = [0.0, *(each.estimate for each in known)]
    ends = [end for each in known for end in (each.low, each.high) if math.isfinite(end)]
    reach = REACH * max(1.0, *map(abs, estimates))
    low = min(*estimates, max(min([*ends, 0.0]), -reach), -0.5)
    high = max(*estimates, min(max([*ends, 0.0]), reach), 0.5)
    step = _step(high - low)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    turns = range(round(low / step), round(high / step) + 1)
    axis = Axis(low, high, ())
    ticks = (
        (axis.at(step * turn), minus(f"{step * turn:+g}") if turn else "0", not turn % 2)
        for turn in turns
    )
    return Axis(low, high, tuple(ticks))


def _step(span: float) -> float:
    """Return the smallest round step that makes few enough ticks."""
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    return next(
        scale * step
        for scale in (power, 10.0 * power)
        for step in STEPS
        if span / (scale * step) <= TICKS
    )


def bar(title: str, part: ClaimPart, axis: Axis) -> Bar:
    """Return a part's interval where it stands on the axis."""
    if not math.isfinite(part.estimate):
        return Bar(title, "–", "open", None, None, None)
    text = minus(f"{part.estimate:+.1f}")
    if not (math.isfinite(part.low) and math.isfinite(part.high)):
        return Bar(title, text, part.verdict, axis.at(part.estimate), None, None)
    return Bar(
        name=title,
        text=f"{text} {minus(f'[{part.low:+.1f}, {part.high:+.1f}]')}",
        sign=part.verdict,
        at=axis.at(part.estimate),
        low=axis.at(part.low),
        high=axis.at(part.high),
        beyond_low=part.low < axis.low,
        beyond_high=part.high > axis.high,
    )
