"""From numbers to a word: whether a cell reproduces, whether a claim holds.

Decision table of a cell, read from the top; the interval is that of our mean minus the published
number, 90 % where alpha is 0.05; the prediction interval is the 95 % one of one more run of ours.

    runs                  interval                 published number          verdict
    some missing, or < 2  any                      any                       INCOMPLETE
    all                   inside -delta to +delta  any                       REPRODUCED
    all                   above +delta             not one more run of ours  EXCEEDS
    all                   below -delta             not one more run of ours  BELOW
    all                   above or below           could be one more run     INCONCLUSIVE
    all                   contains an end          any                       INCONCLUSIVE

Decision table of a claim "a is better than b on each of these data sets", read from the top; the
intervals are those of a minus b.

    intervals                               adjusted p   verdict
    one wholly below the smallest advantage any          FAILS
    some missing                            any          OPEN
    all wholly above 0                      <= alpha     HOLDS
    otherwise                               any          OPEN
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from topdb.statistics.checks import at_least, finite_values, open_share
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
    seeds_to_settle: for INCONCLUSIVE, seeds with which the cell would have another verdict, if our
    mean and deviation stay; None where no number of our seeds up to 1,000 would
    """

    verdict: CellVerdict
    reason: str
    headline: Headline | None
    equivalence: Equivalence | None
    prediction: PredictionInterval | None
    seeds_to_settle: int | None


@dataclass(frozen=True)
class Comparison:
    """One data set's part in a claim: the interval of a minus b, in the caller's unit.

    name: what the part is called in a sentence, for instance the data set
    low, high: ends of `difference_interval`; NaN where runs are missing
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class ClaimFinding:
    """The verdict of a claim, and the verdict in one sentence."""

    verdict: ClaimVerdict
    reason: str


def cell_verdict(
    values: ArrayLike,
    published: float,
    *,
    seeds: int,
    delta: float,
    rounding: float,
    alpha: float = 0.05,
) -> CellFinding:
    """Judge one cell by the runs that are there.

    values: (n,) one score a finished seed, in the unit of published, delta and rounding
    seeds: runs that were declared, at least 2
    delta: margin of equivalence, fixed beforehand
    rounding: half a unit of the published number's last digit
    alpha: level of the two one-sided tests

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
        more_seeds, settled = _settled_by(equivalence, summary.sd, rounding, alpha)
        reason = (
            "Our mean lies beyond the margin, but the published run could be one of ours"
            if beyond
            else "The interval of the difference contains an end of the margin"
        )
        reason += f": {settled} would settle it."
    return CellFinding(verdict, reason, summary, equivalence, prediction, more_seeds)


def _settled_by(
    equivalence: Equivalence, sd: float, rounding: float, alpha: float
) -> tuple[int | None, str]:
    """Return the seeds that would settle an inconclusive cell, and in words what would."""
    difference, delta = equivalence.difference, equivalence.delta
    needed = [seeds_to_settle(difference, sd, delta=delta, alpha=alpha)]
    if abs(difference) > delta:  # for EXCEEDS and BELOW the published run must be none of ours
        needed.append(seeds_to_exclude(difference, sd, rounding=rounding))
        if needed[1] is None:
            return None, "more runs of the original"
    known = [seeds for seeds in needed if seeds is not None]
    if len(known) < len(needed):
        return None, "no feasible number of seeds"
    return max(known), f"{max(known)} seeds"


def claim_verdict(
    parts: Sequence[Comparison],
    *,
    adjusted_p: float,
    smallest_adjusted_p: float = 0.0,
    alpha: float = 0.05,
    smallest_advantage: float = 0.0,
) -> ClaimFinding:
    """Judge the claim that a is better than b in each of its parts.

    parts: one interval a data set, at least one
    adjusted_p: p of the whole claim, the largest of its parts' (`intersection_union`), adjusted
    over the declared family of claims (`holm`); NaN where runs are missing
    smallest_adjusted_p: the smallest value that adjusted_p could take with these seeds, to say so
    where it is above alpha
    smallest_advantage: smallest difference worth the word better, at least 0, fixed beforehand,
    in the unit of the parts

    The test asks whether other seeds would say the same, the interval whether other people would
    too; a claim holds by both. It fails by evidence against it, never by a large p.
    Raises ValueError for no parts, a p outside [0, 1], and a negative smallest advantage.
    """
    open_share("alpha", alpha)
    if not parts:
        raise ValueError("parts is empty: give the comparison of at least one data set.")
    if adjusted_p < 0 or adjusted_p > 1:
        raise ValueError(f"adjusted_p is {adjusted_p}: give a p value, or NaN where runs are gone.")
    if not smallest_advantage >= 0:
        raise ValueError(
            f"smallest_advantage is {smallest_advantage}: give 0, or the smallest difference that "
            "counts."
        )
    against = [part.name for part in parts if part.high < smallest_advantage]
    missing = [part.name for part in parts if np.isnan(part.low) or np.isnan(part.high)]
    undecided = [part.name for part in parts if not part.low > 0]
    if against:
        verdict = ClaimVerdict.FAILS
        reason = f"The interval excludes the claimed advantage on {', '.join(against)}."
    elif missing:
        verdict, reason = ClaimVerdict.OPEN, f"Runs are missing on {', '.join(missing)}."
    elif undecided:
        verdict = ClaimVerdict.OPEN
        reason = f"The interval contains 0 on {', '.join(undecided)}."
    elif adjusted_p <= alpha:
        verdict = ClaimVerdict.HOLDS
        reason = "Every interval lies above 0, and the test over seeds agrees."
    elif smallest_adjusted_p > alpha:
        verdict = ClaimVerdict.OPEN
        reason = f"So few seeds cannot give an adjusted p below {smallest_adjusted_p:.2g}."
    else:
        verdict, reason = ClaimVerdict.OPEN, f"The adjusted p is {adjusted_p:.2g}."
    return ClaimFinding(verdict, reason)
