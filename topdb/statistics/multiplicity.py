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


def hommel(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values by Hommel's method: never larger than Holm's, under one assumption more.

    p_values: (m,) one p value a comparison of the declared family; NaN where the comparison is
    missing, which counts as p = 1
    returns: (m,) float64 adjusted p values, at most 1; NaN where the comparison is missing

    It is the closed test of Simes' (1986) inequality, which holds for independent p values and for
    one-sided ones that depend positively (Sarkar, 1998), as those of claims that one method is
    better than each of several, on the same data sets. Holm's method assumes nothing; use it where
    a claim's better method is another claim's worse one. Two claims with p 0.04 both hold at
    0.05 here, and neither does by Holm.

    Source: Hommel (1988), "A stagewise rejective multiple test procedure based on a modified
    Bonferroni test"; Wright (1992), "Adjusted p-values for simultaneous inference", for the
    adjusted values.
    Raises ValueError for p values outside [0, 1].
    """
    p = _checked(p_values)
    if not len(p):
        return p
    whole = hommel_rows(np.where(np.isnan(p), 1.0, p)[np.newaxis])
    adjusted: NDArray[np.float64] = whole[0]
    adjusted[np.isnan(p)] = np.nan
    return adjusted


def hommel_rows(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """`hommel` of many families of one size: (families, m) without gaps."""
    family = p.shape[1]
    order = np.argsort(p, axis=1, kind="stable")
    ascending = np.take_along_axis(p, order, axis=1)
    whole = (family * ascending / np.arange(1, family + 1)).min(axis=1, keepdims=True)
    adjusted = np.maximum(whole, ascending)
    for size in range(family - 1, 1, -1):
        kept = family - size + 1
        tail = (size * ascending[:, kept:] / np.arange(2, size + 1)).min(axis=1, keepdims=True)
        head = np.minimum(size * ascending[:, :kept], tail)
        adjusted[:, :kept] = np.maximum(adjusted[:, :kept], head)
        adjusted[:, kept:] = np.maximum(adjusted[:, kept:], head[:, -1:])
    result: NDArray[np.float64] = np.empty_like(adjusted)
    np.put_along_axis(result, order, np.minimum(adjusted, 1.0), axis=1)
    return result


ADJUSTMENTS = {"holm": holm, "hommel": hommel}


def union_intersection(p_values: ArrayLike) -> float:
    """The p value of "at least one part is": the smallest of its parts' times their number.

    p_values: (k,) one p value a part, for instance a data set; NaN where the part is missing,
    which counts as p = 1
    returns: at most 1; NaN where all parts are missing

    Source: Bonferroni's inequality, which needs no assumption on how parts depend.
    Raises ValueError for no parts and for p values outside [0, 1].
    """
    p = _checked(p_values)
    if len(p) == 0:
        raise ValueError("p_values is empty: give the p value of each part of the claim.")
    if np.isnan(p).all():
        return float("nan")
    return float(min(1.0, len(p) * np.nanmin(p)))


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
