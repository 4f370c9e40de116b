"""Do two treatments of the same runs differ? An exact sign-flip test over paired seeds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.statistics.checks import Alternative, at_least, finite_values, known_alternative
from topdb.statistics.permutation import MOST_EXACT, TIE, PermutationTest


def exact_paired_permutation(
    a: ArrayLike, b: ArrayLike, *, alternative: Alternative = "two-sided"
) -> PermutationTest:
    """Test the difference of two treatments of the same seeds over all exchanges within seeds.

    a, b: (n,) one score a seed, in one unit of the caller's choice; entry i of both is the same
    trained network, for instance ranked with and without re-ranking
    alternative: `two-sided`; `greater` where the claim is a > b; `less` where it is a < b

    Under the null hypothesis it does not matter which of a seed's two scores is called a. All 2^n
    exchanges are counted, so that the p value is exact and never 0. Five seeds reach 1 / 32 = 0.03
    one-sided, whatever the data sets' size.

    Source: Fisher (1935), "The design of experiments", chapter 3.
    Raises ValueError for sides of different or no length, missing values, or more than 17 seeds.
    """
    known_alternative(alternative)
    first = finite_values("a", a, at_least=1)
    second = finite_values("b", b, at_least=1)
    if len(first) != len(second):
        raise ValueError(
            f"a has {len(first)} seeds and b {len(second)}, which cannot be paired: give the same "
            "runs in the same order."
        )
    exchanges = 2 ** len(first)
    if exchanges > MOST_EXACT:
        raise ValueError(f"a has {len(first)} seeds, whose {exchanges} exchanges are too many.")
    difference = first - second
    observed = float(difference.sum())
    sums = _signs(len(difference)) @ difference
    tie = TIE * float(np.abs(first).sum() + np.abs(second).sum())
    above = int(np.count_nonzero(sums >= observed - tie))
    below = int(np.count_nonzero(sums <= observed + tie))
    tail = {"greater": above, "less": below, "two-sided": 2 * min(above, below)}[alternative]
    return PermutationTest(
        statistic=float(difference.mean()),
        p=min(1.0, tail / exchanges),
        permutations=exchanges,
        smallest_possible_p=smallest_paired_p(len(first), alternative),
        exact=True,
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
