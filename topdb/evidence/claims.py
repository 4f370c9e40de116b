"""The claims: their parts, data set by data set, and what all parts together say."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from topdb.config import Profile, StatisticsSettings
from topdb.config.paper import Claim
from topdb.evidence.cells import Printed, printed_difference
from topdb.evidence.grounds import Grounds
from topdb.evidence.pairs import Interval, Pair, seeds_needed, test
from topdb.results.comparisons import ClaimComparison, ClaimPart
from topdb.results.runs import Cell
from topdb.results.scores import Scores
from topdb.statistics import (
    ClaimVerdict,
    Comparison,
    claim_verdict,
    holm,
    intersection_union,
)

UNDECLARED = "No family of paper.yaml declares it: it is shown, and not judged."


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
    family: Mapping[str, str],
) -> list[ClaimPart]:
    """Return a row a claim and data set, whether its runs are there or not."""
    sizes = Counter(family.values())
    parts = []
    for claim in claims:
        for pair in claimed(profile, [claim]):
            found = intervals[pair]
            name, result = test(settings, pair, scores, "greater")
            published = printed_difference(printed, pair.cell, pair.reference, pair.quantity)
            verdict = "for" if found.low > 0 else "against" if found.high < 0 else "open"
            parts.append(
                ClaimPart(
                    id=claim.id,
                    **pair.names,
                    **vars(found),
                    test=name,
                    p=result.p if result else math.nan,
                    smallest_possible_p=result.smallest_possible_p if result else math.nan,
                    verdict=verdict,
                    published=published,
                    seeds_to_see=seeds_needed(
                        settings,
                        pair,
                        scores,
                        published,
                        "greater",
                        sizes[family.get(claim.id, "")] or 1,
                    ),
                )
            )
    return parts


def judge_claims(
    profile: Profile,
    settings: StatisticsSettings,
    claims: Sequence[Claim],
    family: Mapping[str, str],
    parts: Sequence[ClaimPart],
    grounds: Grounds,
) -> Iterator[ClaimComparison]:
    """Yield a row a claim; Holm's method takes each family together.

    A claim that no family declares is exploratory: whatever its numbers, it does not hold.
    """
    planned = len(profile.seeds)
    own = {claim.id: [part for part in parts if part.id == claim.id] for claim in claims}
    complete = {part: min(part.seeds, part.reference_seeds) == planned for part in parts}
    p: dict[str, float] = {}
    floor: dict[str, float] = {}
    for claim in claims:
        whole = all(complete[part] for part in own[claim.id])
        p[claim.id] = intersection_union([x.p for x in own[claim.id]]) if whole else math.nan
        floor[claim.id] = intersection_union([x.smallest_possible_p for x in own[claim.id]])
    adjusted, smallest = _adjusted(p, family), _adjusted(floor, family)
    for claim in claims:
        compared = [
            Comparison(
                profile.title(part.dataset),
                part.low if complete[part] else math.nan,
                part.high if complete[part] else math.nan,
            )
            for part in own[claim.id]
        ]
        finding = claim_verdict(
            compared,
            adjusted_p=adjusted.get(claim.id, math.nan),
            smallest_adjusted_p=smallest.get(claim.id, math.nan),
            alpha=settings.alpha,
        )
        reason = finding.reason
        if finding.verdict == ClaimVerdict.OPEN:
            reason = _not_run(profile, claim) or reason
        verdict, declared = finding.verdict, claim.id in family
        if not declared:
            verdict, reason = ClaimVerdict.EXPLORATORY, UNDECLARED
        first = own[claim.id][0]
        pairs = claimed(profile, [claim])
        against = grounds.sentence(*(x for pair in pairs for x in (pair.cell, pair.reference)))
        if against and not grounds.rendered:
            reason += f" Not about the paper: {against[0].lower()}{against[1:]}"
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
            test=f"{first.test}; the largest p of the data sets"
            + ("; Holm over the family" if declared else ""),
            p=p[claim.id],
            adjusted_p=adjusted.get(claim.id, math.nan),
            smallest_possible_p=floor[claim.id],
            smallest_adjusted_p=smallest.get(claim.id, math.nan),
            verdict=verdict.value,
            withheld=against,
            reason=reason,
        )


def _adjusted(p: Mapping[str, float], family: Mapping[str, str]) -> dict[str, float]:
    """Adjust within each family; a member that is not judged here keeps its place."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(family.values()):
        members = [claim for claim, own in family.items() if own == name]
        adjusted = holm([p.get(claim, math.nan) for claim in members]).tolist()
        found |= dict(zip(members, adjusted, strict=True))
    return found


def _not_run(profile: Profile, claim: Claim) -> str:
    """What the claim is about and the profile has not, in one sentence; empty if nothing."""
    rankings = {claim.better_ranking, claim.worse_ranking} - {*profile.rankings}
    lacking = {
        *({claim.better_method, claim.worse_method} - {*profile.methods}),
        *(f"ranking {ranking}" for ranking in rankings),
        *({*claim.on(profile)} - {*profile.datasets}),
    }
    return f"The profile does not run {', '.join(sorted(lacking))}." if lacking else ""
