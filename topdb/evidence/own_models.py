"""Models of one's own compared: every pair, a table with places, and the answer in one sentence."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from topdb.evidence.matching import Matched, Scores, paired
from topdb.statistics import (
    checkpoint_difference,
    difference_interval,
    exact_label_permutation,
    exact_paired_permutation,
    holm,
    method_interval,
    people_interval,
    rank_sets,
    sign_flip,
    smallest_paired_p,
    smallest_possible_p,
    two_way_test,
)

CONFIDENCE, ALPHA = 0.95, 0.05
DRAWS = 10_000
MOST_SEEDS = 20
"""As many as are looked at for what would be enough."""
SEEDS, CHECKPOINTS = "people and seeds", "people"
SCOPE = "these checkpoints, not these methods"


@dataclass(frozen=True)
class ModelLine:
    """A model's number of one metric, in percent."""

    name: str
    quantity: str
    runs: int
    mean: float
    sd: float
    """Between runs; NaN of one run."""
    low: float
    high: float
    over: str
    """What the interval is over: `people and seeds`, or of one run `people`."""
    first: int
    last: int
    """The places that it may have; all models' sets hold the true ones at once."""


@dataclass(frozen=True)
class PairLine:
    """A model minus another by one metric, in percentage points; the higher by the first metric."""

    name: str
    reference: str
    quantity: str
    runs: int
    reference_runs: int
    paired: bool
    """Whether both are the same networks, scored in two ways."""
    over: str
    """As of a model; `people` where one of both has one run."""
    estimate: float
    low: float
    high: float
    p: float
    """Two-sided, over what the interval is over."""
    adjusted_p: float
    """By Holm's method over all pairs of the metric."""
    test: str
    permutation_p: float
    """Exact, over runs alone; NaN where one of both has one run."""
    adjusted_permutation_p: float
    smallest_permutation_p: float
    """What it cannot go below, with so many runs."""
    verdict: str
    """`higher` or `lower` where interval and adjusted p agree, else `undecided`."""
    won: int
    lost: int
    """Queries of which the first has the higher, or the lower, score."""


@dataclass(frozen=True)
class QueryLine:
    """A query's score, in percent, by the two models that the answer is about, NaN without two."""

    row: int
    path: str
    person: int
    matches: int
    score: float
    reference_score: float

    @property
    def difference(self) -> float:
        """What the first has more, in percentage points."""
        return self.score - self.reference_score


@dataclass(frozen=True, eq=False)
class Compared:
    """All that is said of some models."""

    sentence: str
    quantities: tuple[str, ...]
    """The first is the one that decides on the order."""
    models: tuple[ModelLine, ...]
    pairs: tuple[PairLine, ...]
    """Both metric by metric; the best first."""
    queries: tuple[QueryLine, ...]
    """Of the first pair, by difference; of a model alone by its score. The best come first."""
    people: int
    notes: tuple[str, ...]
    matched: Matched

    def of(self, quantity: str) -> tuple[ModelLine, ...]:
        """Return the models' lines of a metric."""
        return tuple(each for each in self.models if each.quantity == quantity)

    def pairs_of(self, quantity: str) -> tuple[PairLine, ...]:
        """Return the pairs' lines of a metric."""
        return tuple(each for each in self.pairs if each.quantity == quantity)


def compare_models(matched: Matched, quantities: Sequence[str], *, seed: int = 0) -> Compared:
    """Compare all models with each other.

    Parameters
    ----------
    quantities : metrics that `matched` holds; the first one decides on order and answer
    seed : of the bootstrap and of flips; equal scores and seeds give equal numbers
    """
    main = quantities[0]
    means = {each.name: float(np.nanmean(each.by_query[main])) for each in matched.models}
    ordered = sorted(matched.models, key=lambda each: -means[each.name])
    pairs: list[PairLine] = []
    models: list[ModelLine] = []
    for quantity in quantities:
        found = list(_pairs(matched, ordered, quantity, seed))
        above = np.full((len(ordered), len(ordered)), math.nan)
        for (one, other), (_, p_above, p_below) in zip(
            combinations(range(len(ordered)), 2), found, strict=True
        ):
            above[one, other], above[other, one] = p_above, p_below
        pairs += _adjusted([line for line, _, _ in found])
        models += _models(matched, ordered, quantity, rank_sets(above, confidence=CONFIDENCE))
    evaluated = matched.people[~np.isnan(ordered[0].by_query[main][0])]
    return Compared(
        sentence=_sentence(main, models, pairs),
        quantities=tuple(quantities),
        models=tuple(models),
        pairs=tuple(pairs),
        queries=tuple(_queries(matched, ordered, main)),
        people=len(np.unique(evaluated)),
        notes=matched.notes,
        matched=matched,
    )


def _models(
    matched: Matched, ordered: Sequence[Scores], quantity: str, places: Sequence[tuple[int, int]]
) -> Iterator[ModelLine]:
    for each, (first, last) in zip(ordered, places, strict=True):
        scores = each.by_query[quantity]
        over = SEEDS if each.runs > 1 else CHECKPOINTS
        if each.runs > 1:
            found = method_interval(scores, matched.people, whole=100.0, confidence=CONFIDENCE)
        else:
            found = people_interval(scores[0], matched.people, whole=100.0, confidence=CONFIDENCE)
        by_run = np.nanmean(scores, axis=1)
        sd = float(by_run.std(ddof=1)) if each.runs > 1 else math.nan
        ends = found.low, found.high
        yield ModelLine(
            each.name, quantity, each.runs, found.estimate, sd, *ends, over, first, last
        )


def _pairs(
    matched: Matched, ordered: Sequence[Scores], quantity: str, seed: int
) -> Iterator[tuple[PairLine, float, float]]:
    """Yield every pair, not adjusted, with the one-sided p of higher and of lower."""
    for one, other in combinations(ordered, 2):
        a, b = one.by_query[quantity], other.by_query[quantity]
        same = paired(one, other)
        if same is not None:
            b = b[same]
        rng = _generator(seed, one, other, quantity)
        nothing = math.nan
        if min(one.runs, other.runs) > 1:
            known = {"paired_seeds": same is not None}
            interval = difference_interval(
                a, b, matched.people, confidence=CONFIDENCE, draws=DRAWS, rng=rng, **known
            )
            ends = interval.estimate, interval.low, interval.high
            tested = two_way_test(a, b, matched.people, **known)
            above, below = tested.p_above, tested.p_below
            p, over, test = min(1.0, 2 * min(above, below)), SEEDS, "t over people and seeds"
            of_runs = np.nanmean(a, axis=1), np.nanmean(b, axis=1)
            permuted = exact_paired_permutation if same else exact_label_permutation
            exact = permuted(*of_runs, rng=rng)
            permutation_p, smallest = exact.p, exact.smallest_possible_p
        else:
            mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
            fixed = checkpoint_difference(mean_a, mean_b, matched.people, confidence=CONFIDENCE)
            ends = fixed.estimate, fixed.low, fixed.high
            above, below = fixed.p_above, fixed.p_below
            p = sign_flip(mean_a, mean_b, matched.people, draws=DRAWS, rng=rng).p
            over, test = CHECKPOINTS, f"sign flips over people: {SCOPE}"
            permutation_p = smallest = nothing
        gain = a.mean(axis=0) - b.mean(axis=0)
        line = PairLine(
            name=one.name,
            reference=other.name,
            quantity=quantity,
            runs=one.runs,
            reference_runs=other.runs,
            paired=same is not None,
            over=over,
            estimate=ends[0],
            low=ends[1],
            high=ends[2],
            p=p,
            adjusted_p=nothing,
            test=test,
            permutation_p=permutation_p,
            adjusted_permutation_p=nothing,
            smallest_permutation_p=smallest,
            verdict="undecided",
            won=int((gain > 0).sum()),
            lost=int((gain < 0).sum()),
        )
        yield line, above, below


def _adjusted(lines: Sequence[PairLine]) -> Iterator[PairLine]:
    over_all = holm([each.p for each in lines]).tolist()
    of_runs = holm([each.permutation_p for each in lines]).tolist()
    for each, p, exact in zip(lines, over_all, of_runs, strict=True):
        verdict = "undecided"
        if p <= ALPHA:
            verdict = "higher" if each.low > 0 else "lower" if each.high < 0 else "undecided"
        changes = {"adjusted_p": p, "adjusted_permutation_p": exact, "verdict": verdict}
        yield PairLine(**vars(each) | changes)


def _queries(matched: Matched, ordered: Sequence[Scores], quantity: str) -> Iterator[QueryLine]:
    """Yield the queries of the first two models, those won by most first, and of many matches."""
    first, *others = (each.by_query[quantity].mean(axis=0) for each in ordered[:2])
    second: NDArray[np.float64] = others[0] if others else np.full_like(first, math.nan)
    key = first - second if others else first
    for row in np.lexsort((np.arange(len(key)), -matched.matches, -key)):
        if not np.isnan(key[row]):
            yield QueryLine(
                int(row),
                matched.paths[row],
                int(matched.people[row]),
                int(matched.matches[row]),
                float(first[row]),
                float(second[row]),
            )


def _generator(seed: int, one: Scores, other: Scores, quantity: str) -> np.random.Generator:
    """Return a pair's own generator: its draws depend on no name and on no other model."""
    told = "\0".join((*sorted(one.digests), *sorted(other.digests), quantity))
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(told.encode()).digest()[:8])])


def _sentence(quantity: str, models: Sequence[ModelLine], pairs: Sequence[PairLine]) -> str:
    lines = [each for each in models if each.quantity == quantity]
    own = [each for each in pairs if each.quantity == quantity]
    if not own:
        only = lines[0]
        return (
            f"{only.name} has {only.mean:.1f} {quantity} [{only.low:.1f}, {only.high:.1f}] over "
            f"{only.over}."
        )
    if len(lines) == 2:
        return f"{_of_pair(own[0], named=False)}{_floor(own)}."
    best = [each for each in lines if each.first == 1]
    if len(best) == 1:
        one = f"{best[0].name} is first of {len(lines)} by {quantity}; the next: {_of_pair(own[0])}"
    else:
        tied = ", ".join(each.name for each in best[:-1])
        one = (
            f"{tied} and {best[-1].name} cannot be told apart as first of {len(lines)} by "
            f"{quantity}; {_of_pair(own[0])}"
        )
    return f"{one}{_floor(own)}."


def _of_pair(pair: PairLine, *, named: bool = True) -> str:
    """Say what a pair's difference is; named: whether the other model must be named."""
    estimate, low, high = (_points(each) for each in (pair.estimate, pair.low, pair.high))
    if pair.verdict == "undecided":
        told = (
            f"{pair.name} and {pair.reference} cannot be told apart: {pair.name} has {estimate} "
            f"{pair.quantity} more [{low}, {high}] over {pair.over}"
        )
    else:
        than = f" than {pair.reference}" if named else ""
        told = (
            f"{pair.name} is higher{than} by {estimate} {pair.quantity} [{low}, {high}] over "
            f"{pair.over}"
        )
    if pair.over == CHECKPOINTS:
        return f"{told}, p {_p(pair.p)}: {SCOPE}"
    return told


def _points(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}"  # no minus before a zero


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"


def _floor(pairs: Sequence[PairLine]) -> str:
    """Say what so few runs cannot show, and how many could."""
    known = [each for each in pairs if not math.isnan(each.smallest_permutation_p)]
    if not known:
        return ""
    count = len(pairs)
    least = max(known, key=lambda each: each.smallest_permutation_p)
    floor = min(1.0, count * least.smallest_permutation_p)
    if floor <= ALPHA:
        return ""
    runs = max(least.runs, least.reference_runs)
    enough = [n for n in range(runs, MOST_SEEDS + 1) if count * _smallest_p(least, n) <= ALPHA]
    after = f" after Holm over {count} pairs" if count > 1 else ""
    more = f": run {enough[0]} + {enough[0]}" if enough else ""
    return (
        f"; with {least.runs} + {least.reference_runs} seeds no permutation test can go below "
        f"p = {floor:.2f}{after}{more}"
    )


def _smallest_p(pair: PairLine, runs: int) -> float:
    return smallest_paired_p(runs) if pair.paired else smallest_possible_p(runs, runs)
