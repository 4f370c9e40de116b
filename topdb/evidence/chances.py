"""Before the runs: the chance of each verdict of each claim and cell, by simulation."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from topdb.config import Params, Profile, StatisticsSettings
from topdb.config.paper import Paper
from topdb.evidence.cells import printed_difference, printed_values
from topdb.evidence.claims import claimed
from topdb.evidence.looks import look
from topdb.evidence.pairs import Pair
from topdb.results.planned import read_planned
from topdb.results.runs import cells
from topdb.results.scores import Scores, read_scores
from topdb.statistics import (
    CellPlan,
    ClaimPlan,
    PartPlan,
    Spread,
    design,
    measured_spread,
)

STUDIES = 4_000


def chances(
    params: Params,
    profile_name: str,
    results: Path,
    paper: Paper,
    stated: Sequence[float] = (),
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the design table, header first; the last one says what it rests on.

    Spreads are measured where both sides have two runs, and else `statistics.assumed`. Claims that
    no family declares have no row. `stated` are true differences to try, in percentage points.

    Raises
    ------
    UserError
        A file of the runs is broken.
    """
    profile, settings = params.selected(profile_name), params.statistics_of(profile_name)
    scores = read_scores(profile, results, params.metrics)
    seen = look(read_planned(results), profile.seeds)
    printed = printed_values(paper)
    family = paper.families()
    spreads: list[bool] = []
    claims = []
    for claim in paper.claims:
        if claim.id not in family or claim.quantity not in params.metrics:
            continue
        parts = []
        for pair in claimed(profile, [claim]):
            spread, people, known = _spread(settings, scores, pair)
            spreads.append(known)
            parts.append(
                PartPlan(
                    dataset=pair.cell.dataset,
                    measure=pair.quantity,
                    better=f"{pair.cell.method} {pair.cell.ranking}",
                    worse=f"{pair.reference.method} {pair.reference.ranking}",
                    published=printed_difference(printed, pair.cell, pair.reference, pair.quantity),
                    people=people,
                    spread=spread,
                    paired=pair.paired,
                )
            )
        claims.append(ClaimPlan(claim.id, family[claim.id], tuple(parts)))
    found = design(
        claims,
        list(_cells(profile, settings, scores, paper, params.metrics)),
        seeds=seen.seeds,
        stated=stated,
        alpha=seen.level(settings.alpha),
        smallest_advantage=settings.smallest_advantage,
        confidence=1.0 - 2.0 * seen.confident(settings),
        rounding=settings.rounding,
        studies=STUDIES,
        rng=np.random.default_rng(settings.seed),
    )
    yield from found.table()
    yield (
        f"{seen.seeds} seeds of each method, {found.simulations} simulated studies, standard error "
        f"at most {100 * found.error:.1f} points; spreads of {sum(spreads)} of {len(spreads)} "
        "parts of claims are measured, the others assumed.",
    )


def _spread(settings: StatisticsSettings, scores: Scores, pair: Pair) -> tuple[Spread, int, bool]:
    """Return a pair's spread, how many people it has, and whether both are measured."""
    own, reference = scores.get(pair.cell), scores.get(pair.reference)
    assumed = settings.assumed
    if own is None or reference is None or own.unsound or reference.unsound:
        guess = Spread(assumed.seed, assumed.seed, assumed.people, assumed.interaction)
        return guess, assumed.persons, False
    persons = len(np.unique(own.people[own.evaluated]))
    shared = tuple(seed for seed in own.seeds if seed in reference.seeds)
    first, second = (shared, shared) if pair.paired else (own.seeds, reference.seeds)
    if min(len(first), len(second)) < 2 or persons < 2:
        guess = Spread(assumed.seed, assumed.seed, assumed.people, assumed.interaction)
        return guess, max(persons, 2), False
    spread = measured_spread(
        own.of_seeds(first, pair.quantity),
        reference.of_seeds(second, pair.quantity),
        own.people,
        paired_seeds=pair.paired,
    )
    return spread, persons, True


def _cells(
    profile: Profile,
    settings: StatisticsSettings,
    scores: Scores,
    paper: Paper,
    metrics: Sequence[str],
) -> Iterator[CellPlan]:
    """Yield the cells that the paper prints."""
    printed = printed_values(paper)
    for cell in cells(profile) if not profile.rendered else ():
        own = scores.get(cell)
        for quantity in metrics:
            if (cell, quantity) in printed:
                known = own is not None and len(own.seeds) > 1 and not own.unsound
                sd = float(own.by_seed(quantity).std(ddof=1)) if own and known else None
                name = f"{cell.dataset}/{cell.method}/{cell.ranking} {quantity}"
                deviation = settings.assumed.seed if sd is None else sd
                yield CellPlan(name, deviation, paper.margin(cell.dataset))
