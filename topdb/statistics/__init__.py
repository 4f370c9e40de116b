"""Evidence from seeds and people: intervals, tests, equivalence, power, verdicts.

numpy and scipy only. Every function takes and gives one unit, the caller's: percent points in,
percent points out; fractions in, fractions out.
"""

from topdb.statistics.checkpoints import (
    CheckpointDifference,
    MeanInterval,
    checkpoint_difference,
    method_interval,
    people_interval,
)
from topdb.statistics.design import (
    CellPlan,
    ClaimPlan,
    Design,
    DesignRow,
    PartPlan,
    Spread,
    design,
    measured_spread,
)
from topdb.statistics.drift import DriftCell, DriftFinding, check_drift
from topdb.statistics.equivalence import (
    Equivalence,
    Headline,
    PredictionInterval,
    against_published,
    drift_tolerance,
    headline,
    prediction_interval,
)
from topdb.statistics.extension import alpha_at_look, extended
from topdb.statistics.families import (
    ClaimPartEvidence,
    FamilyFinding,
    PooledDifference,
    claim_part_p,
    judge_family,
    pooled_difference,
)
from topdb.statistics.instability import Stability, UnstableRun, pooled_sd, stability
from topdb.statistics.multiplicity import (
    holm,
    hommel,
    intersection_union,
    union_intersection,
)
from topdb.statistics.permutation import (
    PermutationTest,
    SignFlipTest,
    exact_label_permutation,
    exact_paired_permutation,
    sign_flip,
    smallest_paired_p,
    smallest_possible_p,
)
from topdb.statistics.pigeonhole import (
    DifferenceInterval,
    TwoWayTest,
    difference_interval,
    two_way_test,
)
from topdb.statistics.power import (
    seeds_to_exclude,
    seeds_to_settle,
)
from topdb.statistics.published import (
    FalseCells,
    SelectedFinding,
    expected_maximum,
    false_cells,
    smallest_delta,
    verdicts_if_selected,
)
from topdb.statistics.ranks import rank_sets
from topdb.statistics.verdict import (
    CellFinding,
    CellVerdict,
    ClaimVerdict,
    cell_verdict,
)

__all__ = [
    "CellFinding",
    "CellPlan",
    "CellVerdict",
    "CheckpointDifference",
    "ClaimPartEvidence",
    "ClaimPlan",
    "ClaimVerdict",
    "Design",
    "DesignRow",
    "DifferenceInterval",
    "DriftCell",
    "DriftFinding",
    "Equivalence",
    "FalseCells",
    "FamilyFinding",
    "Headline",
    "MeanInterval",
    "PartPlan",
    "PermutationTest",
    "PooledDifference",
    "PredictionInterval",
    "SelectedFinding",
    "SignFlipTest",
    "Spread",
    "Stability",
    "TwoWayTest",
    "UnstableRun",
    "against_published",
    "alpha_at_look",
    "cell_verdict",
    "check_drift",
    "checkpoint_difference",
    "claim_part_p",
    "design",
    "difference_interval",
    "drift_tolerance",
    "exact_label_permutation",
    "exact_paired_permutation",
    "expected_maximum",
    "extended",
    "false_cells",
    "headline",
    "holm",
    "hommel",
    "intersection_union",
    "judge_family",
    "measured_spread",
    "method_interval",
    "people_interval",
    "pooled_difference",
    "pooled_sd",
    "prediction_interval",
    "rank_sets",
    "seeds_to_exclude",
    "seeds_to_settle",
    "sign_flip",
    "smallest_delta",
    "smallest_paired_p",
    "smallest_possible_p",
    "stability",
    "two_way_test",
    "union_intersection",
    "verdicts_if_selected",
]
