"""The claims: their parts, data set by data set, and what all parts together say."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from topdb.config import Profile, StatisticsSettings
from topdb.config.paper import Claim
from topdb.evidence.cells import Printed, printed_difference
from topdb.evidence.grounds import Grounds
from topdb.evidence.instability import Marks
from topdb.evidence.looks import Look
from topdb.evidence.pairs import Interval, Pair, test, two_way
from topdb.results.comparisons import ClaimComparison, ClaimPart
from topdb.results.runs import Cell
from topdb.results.scores import Scores
from topdb.statistics import (
    ClaimPartEvidence,
    ClaimVerdict,
    DifferenceInterval,
    FamilyFinding,
    claim_part_p,
    intersection_union,
    judge_family,
    pooled_difference,
)

UNDECLARED = "No family of paper.yaml declares it: it is shown, and not judged."
People = Mapping[str, str]
"""By data set, a word for its query people: the same where they are the same people."""


def claimed(profile: Profile, claims: Sequence[Claim]) -> Iterator[Pair]:
    """Yield the pairs that the claims are about, claim by claim, data set by data set."""
    for claim in claims:
        for dataset in claim.on(profile):
            yield Pair(
                Cell(dataset, claim.better_method, claim.better_ranking),
                Cell(dataset, claim.worse_method, claim.worse_ranking),
                claim.quantity,
            )


def parts_of_claims(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    intervals: Mapping[Pair, Interval],
    printed: Printed,
    claims: Sequence[Claim],
    marks: Marks,
) -> list[ClaimPart]:
    """Return a row a claim and data set, whether its runs are there or not."""
    parts = []
    for claim in claims:
        for pair in claimed(profile, [claim]):
            found = intervals[pair]
            name, over_seeds = test(settings, pair, scores, "greater")
            both = two_way(settings, pair, scores)
            p = over_seeds.p if over_seeds else math.nan
            parts.append(
                ClaimPart(
                    id=claim.id,
                    **pair.names,
                    **vars(found),
                    test=f"{name}, and a two-way t test over seeds and people",
                    p=claim_part_p(p, both.p_above if both else math.nan),
                    p_over_seeds=p,
                    p_two_way=both.p_above if both else math.nan,
                    p_against=both.p_below if both else math.nan,
                    smallest_possible_p=over_seeds.smallest_possible_p if over_seeds else math.nan,
                    unstable=_unstable(pair, marks),
                    verdict="for" if found.low > 0 else "against" if found.high < 0 else "open",
                    published=printed_difference(printed, pair.cell, pair.reference, pair.quantity),
                )
            )
    return parts


def _unstable(pair: Pair, marks: Marks) -> str:
    """Say which runs of either side are unlike the others of their cell."""
    sides = {cell: marks.get((cell, pair.quantity), "") for cell in (pair.cell, pair.reference)}
    return "; ".join(
        f"{mark} ({cell.method} {cell.ranking})" for cell, mark in sides.items() if mark
    )


def judge_claims(
    profile: Profile,
    settings: StatisticsSettings,
    claims: Sequence[Claim],
    family: Mapping[str, str],
    parts: Sequence[ClaimPart],
    grounds: Grounds,
    look: Look,
    people: People,
) -> Iterator[ClaimComparison]:
    """Yield a row a claim; each family is judged together, for and against.

    A claim that no family declares is exploratory: whatever its numbers, it does not hold.
    """
    own = {claim.id: [part for part in parts if part.id == claim.id] for claim in claims}
    alpha = look.level(settings.alpha)
    findings: dict[str, FamilyFinding] = {}
    families = [
        [each for each in family if family[each] == name] for name in dict.fromkeys(family.values())
    ]
    families += [[claim.id] for claim in claims if claim.id not in family]
    for members in families:
        judged = {
            claim: [_evidence(profile, part, look) for part in own[claim]] if claim in own else None
            for claim in members
        }
        findings |= judge_family(judged, alpha=alpha, confident=look.confident(settings))
    for claim in claims:
        finding = findings[claim.id]
        verdict, reason = finding.verdict, finding.reason
        if look.closed:
            verdict, reason = ClaimVerdict.OPEN, look.closed
        elif verdict == ClaimVerdict.OPEN:
            reason = _not_run(profile, claim) or reason
        declared = claim.id in family
        if not declared:
            verdict, reason = ClaimVerdict.EXPLORATORY, UNDECLARED
            finding = replace(
                finding,
                adjusted_p_for=math.nan,
                adjusted_p_against=math.nan,
                smallest_adjusted_p=math.nan,
            )
        pairs = claimed(profile, [claim])
        against = grounds.sentence(*(x for pair in pairs for x in (pair.cell, pair.reference)))
        if against and not grounds.rendered:
            reason += f" Not about the paper: {against[0].lower()}{against[1:]}"
        floor = intersection_union([part.smallest_possible_p for part in own[claim.id]])
        yield ClaimComparison(
            id=claim.id,
            title=claim.title,
            source=claim.source,
            family=family.get(claim.id, ""),
            method=claim.better_method,
            ranking=claim.better_ranking,
            reference=claim.worse_method,
            reference_ranking=claim.worse_ranking,
            quantity=claim.quantity,
            datasets=" ".join(part.dataset for part in own[claim.id]),
            test=f"{own[claim.id][0].test}; the largest p of the data sets"
            + ("; Hommel over the family" if declared else ""),
            p=finding.p_for,
            adjusted_p=finding.adjusted_p_for,
            p_against=finding.p_against,
            adjusted_p_against=finding.adjusted_p_against,
            smallest_possible_p=floor,
            smallest_adjusted_p=finding.smallest_adjusted_p,
            alpha=alpha,
            **_pooled(own[claim.id], settings.confidence, look, people),
            verdict=verdict.value,
            withheld=against,
            reason=reason,
            extended=look.note,
        )


def _whole(part: ClaimPart, look: Look) -> bool:
    return min(part.seeds, part.reference_seeds) == look.seeds > 1


def _evidence(profile: Profile, part: ClaimPart, look: Look) -> ClaimPartEvidence:
    """Return what a part says; nothing where runs are missing."""
    title = profile.title(part.dataset)
    if not _whole(part, look):
        nan = math.nan
        floor = part.smallest_possible_p
        return ClaimPartEvidence(title, nan, nan, nan, nan, floor, barred=part.unstable)
    return ClaimPartEvidence(
        title,
        low=part.low,
        high=part.high,
        p_above=part.p,
        p_below=part.p_against,
        smallest_p_above=part.smallest_possible_p,
        p_two_way=part.p_two_way,
        barred=part.unstable,
    )


def _pooled(
    parts: Sequence[ClaimPart], confidence: float, look: Look, people: People
) -> dict[str, Any]:
    """Return the fields of the mean difference over the data sets of a claim that needs several."""
    found = dict.fromkeys(("estimate", "low", "high"), math.nan) | {"confidence": confidence}
    if len(parts) < 2 or not all(_whole(part, look) for part in parts):
        return found
    names = [each.name for each in fields(DifferenceInterval)]
    pooled = pooled_difference(
        [DifferenceInterval(**{name: getattr(part, name) for name in names}) for part in parts],
        same_people=[people[part.dataset] for part in parts],
        confidence=confidence,
    )
    return found | {name: getattr(pooled, name) for name in ("estimate", "low", "high")}


def _not_run(profile: Profile, claim: Claim) -> str:
    """What the claim is about and the profile has not, in one sentence; empty if nothing."""
    rankings = {claim.better_ranking, claim.worse_ranking} - {*profile.rankings}
    lacking = {
        *({claim.better_method, claim.worse_method} - {*profile.methods}),
        *(f"ranking {ranking}" for ranking in rankings),
        *({*claim.on(profile)} - {*profile.datasets}),
    }
    return f"The profile does not run {', '.join(sorted(lacking))}." if lacking else ""
