"""Two cells of one data set side by side: interval, and tests over seeds and over people."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from topdb.config import Profile, Ranking, StatisticsSettings
from topdb.results.runs import Cell, cells
from topdb.results.scores import CellScores, Scores
from topdb.statistics import (
    PermutationTest,
    TwoWayTest,
    difference_interval,
    exact_label_permutation,
    exact_paired_permutation,
    two_way_test,
)
from topdb.statistics.checks import Alternative

EXACT = "exact label permutation over unpaired seeds"
SAMPLED = "label permutation over unpaired seeds, labellings sampled"
PAIRED = "exact sign flips over paired seeds"
SAMPLED_PAIRED = "sign flips over paired seeds, sampled"
SIDES = {"two-sided": "two-sided", "greater": "one-sided"}


@dataclass(frozen=True)
class Pair:
    """A cell, and the cell whose scores are subtracted from its own."""

    cell: Cell
    reference: Cell
    quantity: str

    @property
    def paired(self) -> bool:
        """Whether both are the same trained networks, ranked in two ways."""
        first, second = self.cell, self.reference
        return (first.dataset, first.method) == (second.dataset, second.method)

    @property
    def names(self) -> dict[str, Any]:
        """The fields of a row that say which pair it is about."""
        return {
            "dataset": self.cell.dataset,
            "method": self.cell.method,
            "ranking": self.cell.ranking,
            "reference": self.reference.method,
            "reference_ranking": self.reference.ranking,
            "quantity": self.quantity,
        }


def to_reference(
    profile: Profile, settings: StatisticsSettings, ranking: Ranking, metrics: Sequence[str]
) -> Iterator[Pair]:
    """Yield every other method beside the reference method: a ranking's family of comparisons.

    It is declared by the profile, whether runs are there or not.
    """
    if settings.reference_method not in profile.methods:
        return
    for cell in cells(profile):
        if cell.ranking == ranking and cell.method != settings.reference_method:
            for quantity in metrics:
                yield Pair(cell, replace(cell, method=settings.reference_method), quantity)


@dataclass(frozen=True)
class Interval:
    """The difference of a pair over its finished runs, in percentage points; NaN is missing."""

    seeds: int
    reference_seeds: int
    confidence: float
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    seed_share: float = math.nan
    people_share: float = math.nan
    interaction_share: float = math.nan
    standard_error: float = math.nan
    degrees_of_freedom: float = math.nan


def interval(settings: StatisticsSettings, pair: Pair, scores: Scores) -> Interval:
    """Return the difference of a pair; its interval needs two runs of each.

    Raises
    ------
    UserError
        All queries are of one person.
    """
    own, reference = _matched(pair, scores)
    seeds = len(own[1]) if own else 0
    reference_seeds = len(reference[1]) if reference else 0
    nothing = Interval(seeds, reference_seeds, confidence=settings.confidence)
    if own is None or reference is None or not seeds or not reference_seeds:
        return nothing
    if own[0].unsound or reference[0].unsound:
        return nothing
    first = own[0].of_seeds(own[1], pair.quantity)
    second = reference[0].of_seeds(reference[1], pair.quantity)
    if min(seeds, reference_seeds) < 2:
        return replace(nothing, estimate=float(np.nanmean(first) - np.nanmean(second)))
    own[0].require_people(pair.cell.dataset)
    found = difference_interval(
        first,
        second,
        own[0].people,
        confidence=settings.confidence,
        draws=settings.draws,
        paired_seeds=pair.paired,
        rng=generator(settings, pair),
    )
    freedom = found.degrees_of_freedom
    return replace(
        nothing,
        **vars(found) | {"degrees_of_freedom": math.nan if math.isinf(freedom) else freedom},
    )


def two_way(settings: StatisticsSettings, pair: Pair, scores: Scores) -> TwoWayTest | None:
    """Test the pair over seeds and people at once; None where either has fewer than two runs."""
    own, reference = _matched(pair, scores)
    if own is None or reference is None or min(len(own[1]), len(reference[1])) < 2:
        return None
    if own[0].unsound or reference[0].unsound:
        return None
    own[0].require_people(pair.cell.dataset)
    return two_way_test(
        own[0].of_seeds(own[1], pair.quantity),
        reference[0].of_seeds(reference[1], pair.quantity),
        own[0].people,
        smallest_advantage=settings.smallest_advantage,
        paired_seeds=pair.paired,
    )


def test(
    settings: StatisticsSettings, pair: Pair, scores: Scores, alternative: Alternative
) -> tuple[str, PermutationTest | None]:
    """Test the pair over seeds; return the test's name and result, None without runs of both."""
    own, reference = _matched(pair, scores)
    name = f"{PAIRED if pair.paired else EXACT}, {SIDES[alternative]}"
    if own is None or reference is None or not own[1] or not reference[1]:
        return name, None
    if own[0].unsound or reference[0].unsound:
        return name, None
    first = np.nanmean(own[0].of_seeds(own[1], pair.quantity), axis=1)
    second = np.nanmean(reference[0].of_seeds(reference[1], pair.quantity), axis=1)
    rng = generator(settings, pair)
    if pair.paired:
        found = exact_paired_permutation(first, second, alternative=alternative, rng=rng)
        names = PAIRED, SAMPLED_PAIRED
    else:
        found = exact_label_permutation(first, second, alternative=alternative, rng=rng)
        names = EXACT, SAMPLED
    return f"{names[0] if found.exact else names[1]}, {SIDES[alternative]}", found


def generator(settings: StatisticsSettings, pair: Pair) -> np.random.Generator:
    """Return the pair's own generator: its draws do not depend on what else is compared."""
    name = "\0".join((*_names(pair.cell), *_names(pair.reference), pair.quantity))
    return np.random.default_rng(
        [settings.seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])]
    )


def _names(cell: Cell) -> tuple[str, str, str]:
    return cell.dataset, cell.method, cell.ranking


_Side = tuple[CellScores, tuple[int, ...]] | None


def _matched(pair: Pair, scores: Scores) -> tuple[_Side, _Side]:
    """Each side's scores with the seeds that count: all, or where paired those of both."""
    own, reference = scores.get(pair.cell), scores.get(pair.reference)
    own_seeds = own.seeds if own else ()
    reference_seeds = reference.seeds if reference else ()
    if pair.paired:
        both = tuple(seed for seed in own_seeds if seed in reference_seeds)
        own_seeds = reference_seeds = both
    return (
        (own, own_seeds) if own else None,
        (reference, reference_seeds) if reference else None,
    )
