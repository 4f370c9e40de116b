"""Do two given checkpoints differ: a sign-flip test over people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from topdb.statistics.checks import Alternative, at_least, known_alternative
from topdb.statistics.people import person_sums
from topdb.statistics.permutation import TIE

SCOPE = "these checkpoints, not these methods"
BLOCK = 1_000


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
    for start in range(0, draws, BLOCK):
        shape = (min(BLOCK, draws - start), len(difference))
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
