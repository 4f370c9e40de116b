"""Did our own numbers drift? Cells, methods and the whole, with one false-alarm rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from topdb.statistics.checks import at_least, not_negative, open_share

Level = Literal["cell", "group", "all"]
FEWEST_FREEDOMS = 3
"""Degrees of freedom below which pairs are not tested: at these levels the tolerance of two pairs
is hundreds of times their deviation."""
SHARES: dict[Level, float] = {"cell": 0.1, "group": 0.8, "all": 0.1}
"""How the false-alarm rate is divided. The pooled test of everything is so clear that it needs
little, and a drift of one cell alone is rarer than one of a method."""


@dataclass(frozen=True)
class DriftCell:
    """One guarded number, before and now, in the caller's unit.

    name: what the cell is called
    group: what a fault would hit together, for instance the method
    block: runs that are independent of other blocks', for instance the data set; cells of one
    group, block and measure may be scores of the same networks (plain and re-ranked)
    measure: for instance mAP or R1
    reference_mean, reference_sd, reference_n: of the reference's seeds, at least 2
    mean, n: of the new seeds, at least 1
    paired_difference, paired_sd, paired_n: mean and deviation of new minus reference over the
    seeds that both have, where at least two are; paired_n 0 else
    primary: whether it counts in its group's test. Scores of the same networks that scatter more
    (re-ranked ones) would make that test blunter; what hits them alone hits them in all groups
    """

    name: str
    group: str
    block: str
    measure: str
    reference_mean: float
    reference_sd: float
    reference_n: int
    mean: float
    n: int
    paired_difference: float = float("nan")
    paired_sd: float = float("nan")
    paired_n: int = 0
    primary: bool = True


@dataclass(frozen=True)
class DriftFinding:
    """One test: a cell, a group's primary cells of one measure, or all cells of one measure.

    difference: new minus reference, the mean over the cells that are pooled
    tolerance: largest difference of the means that is no drift
    paired_difference, paired_tolerance: the same of the seeds that both have; NaN where they are
    too few to test
    drifted: whether either left its tolerance
    """

    level: Level
    name: str
    measure: str
    cells: int
    difference: float
    tolerance: float
    paired_difference: float
    paired_tolerance: float
    drifted: bool


def check_drift(
    cells: Sequence[DriftCell],
    *,
    alpha: float = 0.01,
    floor: float = 0.0,
    pooled_floor: float = 0.0,
) -> tuple[DriftFinding, ...]:
    """Compare new runs with a reference: each cell, each group, and everything together.

    cells: all guarded numbers
    alpha: chance that an unchanged program is called drifted anywhere
    floor: smallest tolerance of one cell, for drift that is real and does not matter
    pooled_floor: smallest tolerance of a pooled difference, same unit
    returns: a finding a cell, then one a group and measure of its primary cells, then one a measure

    A pooled difference is the mean over blocks of each block's mean over its cells. Blocks are
    independent. How the cells of one block depend is not known from means and deviations, so they
    count as agreeing in full: the block's deviation is the mean of its cells', an upper bound. The
    standard error has the reference's deviations alone, with sqrt(1 / n_reference + 1 / n), and
    Satterthwaite's degrees of freedom, as in `drift_tolerance`: a fault that makes runs scatter
    would widen its own tolerance.

    Where seeds are the same, and the pairs of a test's blocks leave three degrees of freedom or
    more, the paired differences are tested beside the means, at half the level each; fewer would
    take that half and see nothing. Their deviation is their own: an unchanged program on the same
    machine repeats its numbers, so that a shift by a constant is seen at once, and after a change
    of rounding the seeds' luck is drawn anew and the means see more.

    Of alpha a tenth goes to the cells, eight tenths to the groups, a tenth to the whole; tests of
    one level share equally (Bonferroni).

    Source: Hahn and Meeker (1991), "Statistical intervals", chapter 4; Satterthwaite (1946).
    Raises ValueError for a reference of fewer than two seeds, or a deviation or floor that is
    missing or negative.
    """
    open_share("alpha", alpha)
    not_negative("floor", floor)
    not_negative("pooled_floor", pooled_floor)
    for cell in cells:
        not_negative(f"reference_sd of {cell.name}", cell.reference_sd)
        at_least(f"reference_n of {cell.name}", cell.reference_n, 2)
        at_least(f"n of {cell.name}", cell.n, 1)
    found: list[DriftFinding] = []
    for level in SHARES:
        tests = list(_tests(cells, level))
        smallest = floor if level == "cell" else pooled_floor
        for name, measure, pooled in tests:
            found.append(
                _finding(level, name, measure, pooled, SHARES[level] * alpha / len(tests), smallest)
            )
    return tuple(found)


def _tests(cells: Sequence[DriftCell], level: Level) -> Iterator[tuple[str, str, list[DriftCell]]]:
    """Yield the name, the measure and the cells of each test of a level."""
    if level == "cell":
        yield from ((cell.name, cell.measure, [cell]) for cell in cells)
        return
    if level == "all":
        for measure in dict.fromkeys(cell.measure for cell in cells):
            yield "all", measure, [cell for cell in cells if cell.measure == measure]
        return
    groups: dict[tuple[str, str], list[DriftCell]] = {}
    for cell in cells:
        if cell.primary:
            groups.setdefault((cell.group, cell.measure), []).append(cell)
    yield from ((group, measure, own) for (group, measure), own in groups.items())


def _finding(
    level: Level,
    name: str,
    measure: str,
    cells: list[DriftCell],
    alpha: float,
    floor: float,
) -> DriftFinding:
    paired = _freedoms_of_pairs(cells) >= FEWEST_FREEDOMS
    share = alpha / 2 if paired else alpha
    difference, tolerance = _pooled(
        cells,
        [cell.mean - cell.reference_mean for cell in cells],
        [cell.reference_sd * np.sqrt(1 / cell.reference_n + 1 / cell.n) for cell in cells],
        [cell.reference_n - 1 for cell in cells],
        share,
        floor,
    )
    of_pairs = limit_of_pairs = float("nan")
    if paired:
        of_pairs, limit_of_pairs = _pooled(
            cells,
            [cell.paired_difference for cell in cells],
            [cell.paired_sd / np.sqrt(cell.paired_n) for cell in cells],
            [cell.paired_n - 1 for cell in cells],
            share,
            floor,
        )
    return DriftFinding(
        level=level,
        name=name,
        measure=measure,
        cells=len(cells),
        difference=difference,
        tolerance=tolerance,
        paired_difference=of_pairs,
        paired_tolerance=limit_of_pairs,
        drifted=abs(difference) > tolerance or (paired and abs(of_pairs) > limit_of_pairs),
    )


def _freedoms_of_pairs(cells: Sequence[DriftCell]) -> int:
    """Return what the pairs of all blocks leave; none where a cell has fewer than two."""
    if any(cell.paired_n < 2 for cell in cells):
        return 0
    blocks: dict[tuple[str, str], int] = {}
    for cell in cells:
        own = cell.paired_n - 1
        blocks[cell.group, cell.block] = min(own, blocks.get((cell.group, cell.block), own))
    return sum(blocks.values())


def _pooled(
    cells: Sequence[DriftCell],
    differences: Sequence[float],
    errors: Sequence[float],
    freedoms: Sequence[int],
    alpha: float,
    floor: float,
) -> tuple[float, float]:
    """Return the mean over blocks of the cells' differences, and its tolerance."""
    blocks: dict[tuple[str, str], list[int]] = {}
    for place, cell in enumerate(cells):
        blocks.setdefault((cell.group, cell.block), []).append(place)
    means, variances, terms = [], [], []
    for places in blocks.values():
        means.append(float(np.mean([differences[place] for place in places])))
        variance = float(np.mean([errors[place] for place in places])) ** 2
        variances.append(variance)
        terms.append(variance**2 / min(freedoms[place] for place in places))
    total, spread = sum(variances), sum(terms)
    difference = float(np.mean(means))
    if spread == 0:
        return difference, floor
    quantile = float(stdtrit(total**2 / spread, 1 - alpha / 2))
    return difference, max(floor, quantile * float(np.sqrt(total)) / len(blocks))
