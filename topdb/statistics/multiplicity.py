"""Many comparisons at once: Holm over a declared family, and claims that need every part."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values so that the family's chance of any false finding is at most alpha.

    p_values: (m,) one p value a comparison of the declared family; NaN where the comparison is
    missing
    returns: (m,) float64 adjusted p values, at most 1; NaN where the comparison is missing

    A missing comparison keeps its place in m, as if its p were 1. The family was declared before
    the runs, so that a run which never finished must not make the others look stronger.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    Raises ValueError for p values outside [0, 1].
    """
    p = _checked(p_values)
    family = len(p)
    order = np.argsort(p, kind="stable")
    steps = family - np.arange(family)
    adjusted = np.empty(family)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * p[order]), 1.0)
    return adjusted


def intersection_union(p_values: ArrayLike) -> float:
    """The p value of a claim that is true only if each of its parts is: the largest of theirs.

    p_values: (k,) one p value a part, for instance a data set; NaN where the part is missing
    returns: their maximum; NaN where any part is missing

    No correction is due within such a claim, since it needs every part. Correct over the claims,
    by `holm`.

    Source: Berger (1982), "Multiparameter hypothesis testing and acceptance sampling".
    Raises ValueError for no parts and for p values outside [0, 1].
    """
    p = _checked(p_values)
    if len(p) == 0:
        raise ValueError("p_values is empty: give the p value of each part of the claim.")
    return float(np.max(p))


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(
            f"p_values has {p.ndim} dimensions where one is needed: give the family as one list."
        )
    if ((p < 0) | (p > 1)).any():
        raise ValueError("p_values has values outside [0, 1]: give p values, or NaN for a gap.")
    return p
