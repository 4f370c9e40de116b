"""Exact tests: labels permuted, pairs, signs flipped over people."""

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.statistics.checks import Alternative, at_least, finite_values, known_alternative
from topdb.statistics.pigeonhole import person_sums

MOST_EXACT = 200_000
TIE = 1e-12
BLOCK = 20_000


@dataclass(frozen=True)
class PermutationTest:
    """A test of the null hypothesis that the label of a run does not matter.

    statistic: mean of a minus mean of b, in the caller's unit
    p: p value, never 0
    permutations: labellings that were counted
    smallest_possible_p: the p value of the clearest separation that this number of seeds can show
    exact: whether the labellings are all there are, rather than a random sample of them
    """

    statistic: float
    p: float
    permutations: int
    smallest_possible_p: float
    exact: bool


def exact_label_permutation(
    a: ArrayLike,
    b: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    rng: np.random.Generator | None = None,
    draws: int = 100_000,
) -> PermutationTest:
    """Test the difference of two methods' means over all labellings of their unpaired seeds.

    a, b: (n,) and (m,) one score a seed, in one unit of the caller's choice
    alternative: `two-sided`; `greater` where the claim is a > b; `less` where it is a < b
    rng: needed only where there are more than 200,000 labellings
    draws: labellings drawn at random in that case

    The two-sided p is twice the smaller tail, at most 1. Differences that are equal but for
    rounding (1e-12 of the largest value) count as ties, hence the observed labelling always counts
    itself. A sampled p is (b + 1) / (m + 1).

    Source: Fisher (1935), "The design of experiments"; Phipson and Smyth (2010), "Permutation
    p-values should never be zero", for the sampled case.
    Raises ValueError for an empty side, missing values, or a sample without a generator.
    """
    first = finite_values("a", a, at_least=1)
    second = finite_values("b", b, at_least=1)
    smallest = smallest_possible_p(len(first), len(second), alternative)
    values = np.concatenate([first, second])
    # A shift changes no comparison of labellings, and sums of small numbers round less.
    centred = values - values.mean()
    size = len(first)
    tie = TIE * size * float(np.max(np.abs(values)))
    observed = float(centred[:size].sum())
    labellings = comb(len(values), size)
    exact = labellings <= MOST_EXACT
    if exact:
        sums = centred[_all_choices(len(values), size)].sum(axis=1)
        above, below = tails(sums, observed, tie)
        counted = labellings
    else:
        if rng is None:
            raise ValueError(
                f"rng is missing, and {labellings} labellings are too many to count: give a numpy "
                "Generator."
            )
        above, below = _sampled_tails(
            centred, size, observed, tie, rng, at_least("draws", draws, 1)
        )
        above, below, counted = above + 1, below + 1, draws + 1
        smallest = max(smallest, (2 if alternative == "two-sided" else 1) / counted)
    tail = {"greater": above, "less": below, "two-sided": 2 * min(above, below)}[alternative]
    return PermutationTest(
        statistic=float(first.mean() - second.mean()),
        p=min(1.0, tail / counted),
        permutations=counted if exact else draws,
        smallest_possible_p=smallest,
        exact=exact,
    )


def smallest_possible_p(a: int, b: int, alternative: Alternative = "two-sided") -> float:
    """The p value of the exact test where every seed of one method beats every seed of the other.

    a, b: numbers of seeds of the two methods, at least 1 each

    5 + 5 seeds reach 2 / 252 = 0.008 two-sided; 3 + 3 cannot go below 2 / 20 = 0.10.
    Raises ValueError for fewer than one seed and for an unknown alternative.
    """
    known_alternative(alternative)
    labellings = comb(at_least("seeds of a", a, 1) + at_least("seeds of b", b, 1), a)
    return min(1.0, (2 if alternative == "two-sided" else 1) / labellings)


def _all_choices(of: int, size: int) -> NDArray[np.int64]:
    """Every choice of `size` among `of` places: (choices, size) int64."""
    flat = chain.from_iterable(combinations(range(of), size))
    return np.fromiter(flat, np.int64, count=comb(of, size) * size).reshape(-1, size)


def label_choices(seeds: int, most: int) -> NDArray[np.float64] | None:
    """Every labelling of seeds + seeds runs: (labellings, runs), 1 where a run is called a.

    None where there are more than `most`.
    """
    if comb(2 * seeds, seeds) > most:
        return None
    choices = _all_choices(2 * seeds, seeds)
    labels = np.zeros((len(choices), 2 * seeds))
    np.put_along_axis(labels, choices, 1.0, axis=1)
    return labels


def tails(sums: NDArray[np.float64], observed: float, tie: float) -> tuple[int, int]:
    """How many sums are at least, and how many at most, the observed one."""
    return (
        int(np.count_nonzero(sums >= observed - tie)),
        int(np.count_nonzero(sums <= observed + tie)),
    )


def _sampled_tails(
    values: NDArray[np.float64],
    size: int,
    observed: float,
    tie: float,
    rng: np.random.Generator,
    draws: int,
) -> tuple[int, int]:
    above = below = 0
    for start in range(0, draws, BLOCK):
        rows = np.tile(values, (min(BLOCK, draws - start), 1))
        more, less = tails(rng.permuted(rows, axis=1)[:, :size].sum(axis=1), observed, tie)
        above, below = above + more, below + less
    return above, below


def exact_paired_permutation(
    a: ArrayLike,
    b: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    rng: np.random.Generator | None = None,
    draws: int = 100_000,
) -> PermutationTest:
    """Test the difference of two treatments of the same seeds over all exchanges within seeds.

    a, b: (n,) one score a seed, in one unit of the caller's choice; entry i of both is the same
    trained network, for instance ranked with and without re-ranking
    alternative: `two-sided`; `greater` where the claim is a > b; `less` where it is a < b
    rng: needed only where there are more than 200,000 exchanges, from 18 seeds
    draws: exchanges drawn at random in that case

    Under the null hypothesis it does not matter which of a seed's two scores is called a. All 2^n
    exchanges are counted, so that the p value is exact and never 0. Five seeds reach 1 / 32 = 0.03
    one-sided, whatever the data sets' size. A sampled p is (b + 1) / (m + 1).

    Source: Fisher (1935), "The design of experiments", chapter 3; Phipson and Smyth (2010),
    "Permutation p-values should never be zero", for the sampled case.
    Raises ValueError for sides of different or no length, missing values, or a sample without a
    generator.
    """
    known_alternative(alternative)
    first = finite_values("a", a, at_least=1)
    second = finite_values("b", b, at_least=1)
    if len(first) != len(second):
        raise ValueError(
            f"a has {len(first)} seeds and b {len(second)}, which cannot be paired: give the same "
            "runs in the same order."
        )
    difference = first - second
    observed = float(difference.sum())
    tie = TIE * float(np.abs(first).sum() + np.abs(second).sum())
    exchanges = 2 ** len(first)
    exact = exchanges <= MOST_EXACT
    smallest = smallest_paired_p(len(first), alternative)
    if exact:
        above, below = tails(sign_choices(len(difference)) @ difference, observed, tie)
        counted = exchanges
    else:
        if rng is None:
            raise ValueError(
                f"rng is missing, and {exchanges} exchanges are too many to count: give a numpy "
                "Generator."
            )
        above, below = _sampled(difference, observed, tie, rng, at_least("draws", draws, 1))
        above, below, counted = above + 1, below + 1, draws + 1
        smallest = max(smallest, (2 if alternative == "two-sided" else 1) / counted)
    tail = {"greater": above, "less": below, "two-sided": 2 * min(above, below)}[alternative]
    return PermutationTest(
        statistic=float(difference.mean()),
        p=min(1.0, tail / counted),
        permutations=counted if exact else draws,
        smallest_possible_p=smallest,
        exact=exact,
    )


def smallest_paired_p(seeds: int, alternative: Alternative = "two-sided") -> float:
    """The p value where every seed agrees on the side: 1 / 2^n one-sided, twice that two-sided.

    Raises ValueError for fewer than one seed and for an unknown alternative.
    """
    known_alternative(alternative)
    sides = 2 if alternative == "two-sided" else 1
    return float(min(1.0, sides / 2 ** at_least("seeds", seeds, 1)))


def sign_choices(n: int) -> NDArray[np.float64]:
    """Every assignment of signs to n seeds: (2^n, n), each entry 1 or -1."""
    numbers = np.arange(2**n)[:, np.newaxis]
    return np.where((numbers >> np.arange(n)) & 1, -1.0, 1.0)


def _sampled(
    difference: NDArray[np.float64],
    observed: float,
    tie: float,
    rng: np.random.Generator,
    draws: int,
) -> tuple[int, int]:
    above = below = 0
    for start in range(0, draws, BLOCK):
        shape = (min(BLOCK, draws - start), len(difference))
        signs = 2.0 * rng.integers(0, 2, size=shape) - 1.0
        more, less = tails(signs @ difference, observed, tie)
        above, below = above + more, below + less
    return above, below


SCOPE = "these checkpoints, not these methods"
SIGN_BLOCK = 1_000


@dataclass(frozen=True)
class SignFlipTest:
    """A test of whether two given checkpoints differ on more than these people.

    statistic: mAP of a minus mAP of b, in the caller's unit
    p: (b + 1) / (m + 1), never 0
    flips: m, the sign assignments drawn
    people: number of people whose signs were flipped
    scope: what the answer is about, to be printed beside it
    """

    statistic: float
    p: float
    flips: int
    people: int
    scope: str = SCOPE


def sign_flip(
    ap_a: ArrayLike,
    ap_b: ArrayLike,
    people: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    draws: int = 10_000,
    rng: np.random.Generator,
) -> SignFlipTest:
    """Test the difference of two checkpoints' mAP by flipping the sign of each person's part.

    ap_a, ap_b: (queries,) average precision of one run of each; NaN where a query has no match
    people: (queries,) integers, the person of each query
    alternative: `two-sided`; `greater` where the claim is a > b; `less` where it is a < b
    draws: sign assignments

    All queries of a person flip together, since they succeed and fail together. The null
    hypothesis is that each person's difference is symmetric about 0. The seeds of training are
    held fixed, hence the answer is about these checkpoints and not about the methods.

    Source: Fisher (1935), "The design of experiments", chapter 3; Smucker, Allan and Carterette
    (2007), "A comparison of statistical significance tests for information retrieval evaluation";
    Phipson and Smyth (2010) for p.
    Raises ValueError as `person_sums` does, and for an unknown alternative.
    """
    known_alternative(alternative)
    at_least("draws", draws, 1)
    sums = person_sums(
        {
            "ap_a": np.asarray(ap_a, dtype=np.float64)[np.newaxis],
            "ap_b": np.asarray(ap_b, dtype=np.float64)[np.newaxis],
        },
        people,
    )
    counts = sums["ap_a"].counts
    difference = (sums["ap_a"].sums[0] - sums["ap_b"].sums[0]) / counts.sum()
    observed = float(difference.sum())
    tie = TIE * float(np.abs(sums["ap_a"].sums).sum() + np.abs(sums["ap_b"].sums).sum())
    tie /= float(counts.sum())
    as_clear = 0
    for start in range(0, draws, SIGN_BLOCK):
        shape = (min(SIGN_BLOCK, draws - start), len(difference))
        kept = rng.integers(0, 2, size=shape, dtype=np.int8).astype(np.float64)
        flipped = 2.0 * (kept @ difference) - observed
        clearness, seen = {
            "two-sided": (np.abs(flipped), abs(observed)),
            "greater": (flipped, observed),
            "less": (-flipped, -observed),
        }[alternative]
        as_clear += int(np.count_nonzero(clearness >= seen - tie))
    return SignFlipTest(
        statistic=observed,
        p=(as_clear + 1) / (draws + 1),
        flips=draws,
        people=len(difference),
    )
