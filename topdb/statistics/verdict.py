"""From numbers to a word: whether a cell reproduces. Claims are judged by family (`families`).

Decision table of a cell, read from the top; the interval is that of our mean minus the published
number, 90 % where alpha is 0.05; the prediction interval is the 95 % one of one more run of ours.

    runs                  interval                 published number          verdict
    some missing, or < 2  any                      any                       INCOMPLETE
    all                   inside -delta to +delta  any                       REPRODUCED
    all                   above +delta             not one more run of ours  EXCEEDS
    all                   below -delta             not one more run of ours  BELOW
    all                   above or below           could be one more run     INCONCLUSIVE
    all                   contains an end          any                       INCONCLUSIVE
"""

from dataclasses import dataclass
from enum import StrEnum

from numpy.typing import ArrayLike

from topdb.statistics.checks import at_least, finite_values
from topdb.statistics.equivalence import (
    Equivalence,
    Headline,
    PredictionInterval,
    against_published,
    headline,
    prediction_interval,
)
from topdb.statistics.power import seeds_to_exclude, seeds_to_settle


class CellVerdict(StrEnum):
    """What our runs say of one published number."""

    REPRODUCED = "REPRODUCED"
    EXCEEDS = "EXCEEDS"
    BELOW = "BELOW"
    INCONCLUSIVE = "INCONCLUSIVE"
    INCOMPLETE = "INCOMPLETE"


class ClaimVerdict(StrEnum):
    """What our runs say of one published claim."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    OPEN = "OPEN"
    EXPLORATORY = "EXPLORATORY"
    """Of a claim that was not declared beforehand, which is not judged."""


@dataclass(frozen=True)
class CellFinding:
    """The verdict of a cell and what it rests on, in the caller's unit.

    verdict: by the decision table of this module
    reason: the verdict in one sentence
    headline: our runs; None without any run
    equivalence, prediction: None with fewer than two runs
    seeds_to_settle: for INCONCLUSIVE, seeds with which a new study would give the cell another
    verdict, if our mean and deviation stay; None where no number of our seeds up to 1,000 would
    """

    verdict: CellVerdict
    reason: str
    headline: Headline | None
    equivalence: Equivalence | None
    prediction: PredictionInterval | None
    seeds_to_settle: int | None


def cell_verdict(
    values: ArrayLike,
    published: float,
    *,
    seeds: int,
    delta: float,
    rounding: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> CellFinding:
    """Judge one cell by the runs that are there.

    values: (n,) one score a finished seed, in the unit of published, delta and rounding
    seeds: runs that were declared, at least 2
    delta: margin of equivalence, fixed beforehand
    rounding: half a unit of the published number's last digit
    alpha: level of the two one-sided tests
    power: with which seeds_to_settle would do

    REPRODUCED needs evidence of equality; it is never inferred from a failure to find a
    difference, and a higher number is not a pass. EXCEEDS and BELOW need more than a mean beyond
    the margin: the published number is one run, and must be one that ours would hardly give.
    Raises ValueError for missing or infinite values, and a margin that is not above 0.
    """
    at_least("seeds", seeds, 2)
    scores = finite_values("values", values, at_least=0)
    n = len(scores)
    if n < 2:
        return CellFinding(
            verdict=CellVerdict.INCOMPLETE,
            reason=f"{n} of {seeds} runs are there.",
            headline=headline(scores) if n else None,
            equivalence=None,
            prediction=None,
            seeds_to_settle=None,
        )
    equivalence = against_published(scores, published, delta=delta, alpha=alpha)
    prediction = prediction_interval(scores, rounding=rounding)
    summary = headline(scores)
    more_seeds = None
    possible = prediction.contains(published)
    beyond = equivalence.low > delta or equivalence.high < -delta
    if n < seeds:
        verdict, reason = CellVerdict.INCOMPLETE, f"{n} of {seeds} runs are there."
    elif equivalence.equivalent:
        verdict = CellVerdict.REPRODUCED
        reason = "The interval of the difference lies inside the margin."
    elif beyond and not possible:
        verdict = CellVerdict.EXCEEDS if equivalence.low > delta else CellVerdict.BELOW
        side = "above" if equivalence.low > delta else "below"
        reason = f"The interval of the difference lies {side} the margin."
    else:
        verdict = CellVerdict.INCONCLUSIVE
        more_seeds, settled = _settled_by(equivalence, summary.sd, rounding, alpha, power)
        reason = (
            "Our mean lies beyond the margin, but the published run could be one of ours"
            if beyond
            else "The interval of the difference contains an end of the margin"
        )
        reason += f": {settled} would settle it."
    return CellFinding(verdict, reason, summary, equivalence, prediction, more_seeds)


def _settled_by(
    equivalence: Equivalence, sd: float, rounding: float, alpha: float, power: float
) -> tuple[int | None, str]:
    """Return the seeds that would settle an inconclusive cell, and in words what would."""
    difference, delta = equivalence.difference, equivalence.delta
    needed = [seeds_to_settle(difference, sd, delta=delta, alpha=alpha, power=power)]
    if abs(difference) > delta:  # for EXCEEDS and BELOW the published run must be none of ours
        needed.append(seeds_to_exclude(difference, sd, rounding=rounding, power=power))
        if needed[1] is None:
            return None, "more runs of the original"
    known = [seeds for seeds in needed if seeds is not None]
    if len(known) < len(needed):
        return None, "no feasible number of seeds"
    return max(known), f"a new study of {max(known)} seeds"
