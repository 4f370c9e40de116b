"""Claims of one family judged together: HOLDS and FAILS each at a level of the whole family.

Decision table of a claim "a is better than b on each of these data sets", read from the top:

    evidence                                                            verdict
    adjusted p against it <= alpha                                      FAILS
    some runs missing                                                   OPEN
    a part is barred (a run collapsed)                                  OPEN
    all intervals wholly above 0, and adjusted p for it <= alpha        HOLDS
    otherwise                                                           OPEN
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from topdb.statistics.checks import open_share
from topdb.statistics.multiplicity import ADJUSTMENTS, intersection_union, union_intersection
from topdb.statistics.pigeonhole import DifferenceInterval
from topdb.statistics.verdict import ClaimVerdict


@dataclass(frozen=True)
class ClaimPartEvidence:
    """One data set's part in a claim that a is better than b, in the caller's unit.

    name: what the part is called in a sentence, for instance the data set
    low, high: ends of `difference_interval`; NaN where runs are missing
    p_above: p for the claim, by `claim_part_p`; NaN where runs are missing
    p_below: p against the claim, `TwoWayTest.p_below`; NaN where runs are missing
    smallest_p_above: the smallest p_above that so many seeds can give
    p_two_way: `TwoWayTest.p_above` alone, for `confident`: few paired seeds cannot reach that level
    by permutation; NaN is p_above
    barred: why the part can be no part of a claim that holds, for instance "one of 5 runs
    collapsed"; empty where nothing is in the way
    """

    name: str
    low: float
    high: float
    p_above: float
    p_below: float
    smallest_p_above: float = 0.0
    p_two_way: float = float("nan")
    barred: str = ""


@dataclass(frozen=True)
class FamilyFinding:
    """The verdict of one claim of a family, and what it rests on.

    p_for, p_against: the claim's own p values in both directions
    adjusted_p_for, adjusted_p_against: the same over the family; NaN where runs are missing
    smallest_adjusted_p: what adjusted_p_for could be at least with these seeds
    """

    verdict: ClaimVerdict
    reason: str
    p_for: float
    p_against: float
    adjusted_p_for: float
    adjusted_p_against: float
    smallest_adjusted_p: float


def claim_part_p(p_over_seeds: float, p_above: float) -> float:
    """The p of one data set's part in a claim: seeds alone, and seeds and people, must agree.

    p_over_seeds: one-sided p of `exact_label_permutation` or `exact_paired_permutation`
    p_above: `TwoWayTest.p_above` of the same runs
    returns: the larger; NaN where either is missing

    The permutation test is exact over seeds for these people. The two-way t test counts people as
    a sample too. The larger of two valid p values is valid (Berger, 1982), and each keeps the
    level where the other's assumption gives way: few seeds that are not normal, and people whose
    noise dominates.
    """
    return float(np.maximum(p_over_seeds, p_above))


def judge_family(
    claims: Mapping[str, Sequence[ClaimPartEvidence] | None],
    *,
    alpha: float = 0.05,
    alpha_against: float | None = None,
    confident: float | None = None,
    adjust: str = "hommel",
) -> dict[str, FamilyFinding]:
    """Judge all claims of a declared family at once.

    claims: the parts of each claim, one a data set; None for a claim of the family that is not
    judged here, which keeps its place in it and gets no finding
    alpha: chance of any false HOLDS in the family
    alpha_against: chance of any false FAILS in the family; None is alpha
    confident: None, where each part's low and high belong to the level that is wanted; else a
    one-sided level that each part's p_two_way must reach besides (0.025 is the 95 % interval's),
    for a look at more seeds than were planned (`alpha_at_look`)
    adjust: `holm`, which assumes nothing, or `hommel`, never less powerful, for claims that
    depend positively (see there)

    HOLDS is false where a is not better on some data set. A claim's p for it is the largest of its
    parts' (Berger, 1982), adjusted over the family. FAILS is false where a is better by at least
    the smallest advantage that counts, 0 if none is declared, on every data set. A claim's p
    against it is the smallest of its parts' times their number, adjusted over the family by the
    same method. (The smallest advantage enters by `two_way_test`.) Each direction has its level:
    any false HOLDS in at most alpha of studies, any false FAILS in at most alpha_against. Where
    all claims are true, or none is, any false verdict of either kind comes in at most alpha.

    Source: Holm (1979), Hommel (1988), Berger (1982); see `multiplicity`.
    Raises ValueError for an unknown adjustment, a claim without parts, and p outside [0, 1].
    """
    open_share("alpha", alpha)
    against_level = open_share("alpha_against", alpha if alpha_against is None else alpha_against)
    if adjust not in ADJUSTMENTS:
        raise ValueError(f"adjust is {adjust!r}: give one of {', '.join(ADJUSTMENTS)}.")
    nan = float("nan")
    judged = {name: parts for name, parts in claims.items() if parts is not None}
    p_for = {name: intersection_union([x.p_above for x in own]) for name, own in judged.items()}
    p_against = {name: union_intersection([x.p_below for x in own]) for name, own in judged.items()}
    floor = {
        name: intersection_union([x.smallest_p_above for x in own]) for name, own in judged.items()
    }

    def adjusted(p: Mapping[str, float]) -> dict[str, float]:
        values = ADJUSTMENTS[adjust]([p.get(name, nan) for name in claims])
        return dict(zip(claims, values.tolist(), strict=True))

    all_for, all_against, all_floor = adjusted(p_for), adjusted(p_against), adjusted(floor)
    found = {}
    for name, parts in judged.items():
        verdict, reason = _verdict(
            parts,
            p_for=all_for[name],
            p_against=all_against[name],
            floor=all_floor[name],
            alpha=alpha,
            alpha_against=against_level,
            confident=confident,
        )
        found[name] = FamilyFinding(
            verdict=verdict,
            reason=reason,
            p_for=p_for[name],
            p_against=p_against[name],
            adjusted_p_for=all_for[name],
            adjusted_p_against=all_against[name],
            smallest_adjusted_p=all_floor[name],
        )
    return found


def _verdict(
    parts: Sequence[ClaimPartEvidence],
    *,
    p_for: float,
    p_against: float,
    floor: float,
    alpha: float,
    alpha_against: float,
    confident: float | None,
) -> tuple[ClaimVerdict, str]:
    missing = [
        part.name
        for part in parts
        if (np.isnan(part.low) or np.isnan(part.high)) and not part.barred
    ]
    unsure = [part.name for part in parts if not part.low > 0]
    unclear = [
        part.name
        for part in parts
        if confident is not None
        and not (part.p_above if np.isnan(part.p_two_way) else part.p_two_way) <= confident
    ]
    barred = [f"{part.name}: {part.barred}" for part in parts if part.barred]
    if p_against <= alpha_against:
        clearest = min(part.p_below for part in parts if not np.isnan(part.p_below))
        # Those whose own p, adjusted as the clearest one's was, is small enough.
        rate = p_against / clearest if clearest > 0 else 0.0
        on = [part.name for part in parts if part.p_below * rate <= alpha_against]
        reason = f"The claimed advantage is excluded on {', '.join(on)}."
        return ClaimVerdict.FAILS, reason
    if missing:
        return ClaimVerdict.OPEN, f"Runs are missing on {', '.join(missing)}."
    if barred:
        return ClaimVerdict.OPEN, f"{'; '.join(barred)}."
    if unsure:
        return ClaimVerdict.OPEN, f"The interval contains 0 on {', '.join(unsure)}."
    if unclear and confident is not None:
        level = f"p is above the {confident:.2g} of this look"
        return ClaimVerdict.OPEN, f"The one-sided {level} on {', '.join(unclear)}."
    if p_for <= alpha:
        reason = "Every interval lies above 0, and the tests over seeds and over people agree."
        return ClaimVerdict.HOLDS, reason
    if floor > alpha:
        reason = f"So few seeds cannot give an adjusted p below {floor:.2g}."
        return ClaimVerdict.OPEN, reason
    return ClaimVerdict.OPEN, f"The adjusted p is {p_for:.2g}."


@dataclass(frozen=True)
class PooledDifference:
    """The mean of a difference over data sets, in the caller's unit.

    estimate: mean of the data sets' differences, each counted once
    low, high: its interval over new seeds and new people
    standard_error, degrees_of_freedom: of the estimate
    datasets: how many there are
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    datasets: int
    confidence: float


def pooled_difference(
    differences: Sequence[DifferenceInterval],
    *,
    same_people: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> PooledDifference:
    """The mean difference over data sets, beside a claim that needs each of them.

    differences: one a data set
    same_people: a word a data set, the same one for data sets whose query people are the same
    (CUHK03 labeled and detected); None where all are different people

    The data sets are these, not a sample of data sets: the interval says nothing of a fifth one.
    Trainings are independent between data sets, and so are people, but for those that share a
    word: their people's parts of the error are added as if they agreed in full, which errs towards
    a wide interval. Degrees of freedom are Satterthwaite's (1946) of the sum. An estimate above 0
    does not say that the claim holds on each.

    Raises ValueError for no data set, and for as many words as there are not data sets.
    """
    open_share("confidence", confidence)
    if not differences:
        raise ValueError("differences is empty: give the difference of at least one data set.")
    words = [str(place) for place in range(len(differences))]
    if same_people is not None:
        words = list(same_people)
    if len(words) != len(differences):
        raise ValueError(
            f"same_people has {len(words)} words for {len(differences)} data sets: give one each."
        )
    count = len(differences)
    errors = np.array([each.standard_error for each in differences])
    shares = np.nan_to_num([each.people_share for each in differences])
    people: NDArray[np.float64] = np.sqrt(shares) * errors
    extra = sum(
        people[[own == word for own in words]].sum() ** 2
        - (people[[own == word for own in words]] ** 2).sum()
        for word in dict.fromkeys(words)
    )
    own = errors**2
    variance = float(own.sum() + extra) / count**2
    freedoms = np.array([each.degrees_of_freedom for each in differences])
    spread = float(sum(v**2 / f for v, f in zip(own, freedoms, strict=True) if v > 0))
    freedom = float(own.sum()) ** 2 / spread if spread > 0 else float("inf")
    estimate = float(np.mean([each.estimate for each in differences]))
    error = float(np.sqrt(variance))
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error if error > 0 else 0.0
    return PooledDifference(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        standard_error=error,
        degrees_of_freedom=freedom,
        datasets=count,
        confidence=confidence,
    )
