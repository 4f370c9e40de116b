"""Do two treatments of the same runs differ? An exact sign-flip test over paired seeds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.statistics.checks import Alternative, at_least, finite_values, known_alternative
from topdb.statistics.permutation import BLOCK, MOST_EXACT, TIE, PermutationTest, tails


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
        above, below = tails(_signs(len(difference)) @ difference, observed, tie)
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


def _signs(n: int) -> NDArray[np.float64]:
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
