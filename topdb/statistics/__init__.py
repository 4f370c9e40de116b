"""Evidence from seeds and people: intervals, tests, equivalence, power, verdicts.

numpy and scipy only. Every function takes and gives one unit, the caller's: percent points in,
percent points out; fractions in, fractions out.
"""

from topdb.statistics.equivalence import (
    Equivalence,
    Headline,
    PredictionInterval,
    against_published,
    drift_tolerance,
    headline,
    prediction_interval,
)
from topdb.statistics.multiplicity import holm, intersection_union
from topdb.statistics.permutation import (
    PermutationTest,
    SignFlipTest,
    exact_label_permutation,
    exact_paired_permutation,
    sign_flip,
    smallest_paired_p,
    smallest_possible_p,
)
from topdb.statistics.pigeonhole import DifferenceInterval, difference_interval
from topdb.statistics.power import (
    power_of_difference,
    seeds_to_exclude,
    seeds_to_see,
    seeds_to_settle,
)
from topdb.statistics.verdict import (
    CellFinding,
    CellVerdict,
    ClaimFinding,
    ClaimVerdict,
    Comparison,
    cell_verdict,
    claim_verdict,
)

__all__ = [
    "CellFinding",
    "CellVerdict",
    "ClaimFinding",
    "ClaimVerdict",
    "Comparison",
    "DifferenceInterval",
    "Equivalence",
    "Headline",
    "PermutationTest",
    "PredictionInterval",
    "SignFlipTest",
    "against_published",
    "cell_verdict",
    "claim_verdict",
    "difference_interval",
    "drift_tolerance",
    "exact_label_permutation",
    "exact_paired_permutation",
    "headline",
    "holm",
    "intersection_union",
    "power_of_difference",
    "prediction_interval",
    "seeds_to_exclude",
    "seeds_to_see",
    "seeds_to_settle",
    "sign_flip",
    "smallest_paired_p",
    "smallest_possible_p",
]
