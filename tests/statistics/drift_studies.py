"""Simulated grids of 11 methods, 4 data sets and 2 rankings, before and after a change."""

import numpy as np
from numpy.typing import NDArray

from topdb.statistics.drift import DriftCell

# Deviation between seeds in points of mAP (plain, re-ranked) and R1 (plain, re-ranked), means over
# the data sets: mAP of reports/reference/mini.json, R1 of five seeds of the same grid.
SPREADS = {
    "baseline": (1.52, 1.69, 1.74, 2.15),
    "no-drop": (1.04, 1.26, 1.65, 2.73),
    "no-reg": (1.55, 1.89, 2.05, 2.75),
    "top-db-net": (1.59, 1.84, 2.37, 2.46),
    "bot": (0.46, 0.63, 1.24, 1.89),
    "osnet": (0.80, 0.82, 1.49, 1.95),
    "mgn": (1.24, 1.63, 2.36, 2.36),
    "pyramid": (0.50, 0.78, 1.34, 1.24),
    "pyrnet": (1.42, 1.31, 2.07, 2.02),
    "abd-net": (0.68, 1.10, 1.72, 2.25),
    "mhn": (0.63, 0.95, 1.20, 0.99),
}
DATASETS = ("market", "duke", "labeled", "detected")
NAMES = (("plain", "mAP"), ("rk", "mAP"), ("plain", "R1"), ("rk", "R1"))


def luck(
    seeds: int, agreement: float, rng: np.random.Generator
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """(seeds, 4) deviations of each method and data set, whose columns correlate by agreement."""
    found = {}
    for method, spreads in SPREADS.items():
        for dataset in DATASETS:
            common = rng.standard_normal((seeds, 1))
            own = rng.standard_normal((seeds, 4))
            found[method, dataset] = np.array(spreads) * (
                np.sqrt(agreement) * common + np.sqrt(1 - agreement) * own
            )
    return found


def grid(
    shift: dict[str, float],
    rng: np.random.Generator,
    *,
    agreement: float = 0.75,
    repeats: float | None = None,
) -> list[DriftCell]:
    """Cells of 12 reference seeds and 5 new ones; shift in points by method.

    repeats: correlation of the new runs' luck with that of the reference's first five seeds, which
    are then paired; None where the seeds are others
    """
    before, after = luck(12, agreement, rng), luck(5, agreement, rng)
    cells = []
    for (method, dataset), old in before.items():
        new = after[method, dataset]
        if repeats is not None:
            new = repeats * old[:5] + np.sqrt(1 - repeats**2) * new
        new = new + shift.get(method, 0.0)
        for place, (ranking, measure) in enumerate(NAMES):
            pairs = (new - old[:5])[:, place]
            cells.append(
                DriftCell(
                    name=f"{dataset}/{method}/{ranking}",
                    group=method,
                    block=dataset,
                    measure=measure,
                    reference_mean=float(old[:, place].mean()),
                    reference_sd=float(old[:, place].std(ddof=1)),
                    reference_n=12,
                    mean=float(new[:, place].mean()),
                    n=5,
                    paired_difference=float(pairs.mean()),
                    paired_sd=float(pairs.std(ddof=1)),
                    paired_n=0 if repeats is None else 5,
                    primary=ranking == "plain",
                )
            )
    return cells
