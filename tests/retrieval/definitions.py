"""The evaluation and re-ranking, written from their definitions for tests to compare with."""

import numpy as np


def squared_distances_in_float32(left, right):
    """`(|l|^2 + |r|^2) - 2 l.r`, each step rounded to float32; the product is the BLAS's."""
    lengths = [np.einsum("ij,ij->i", each, each) for each in (left, right)]
    return np.add.outer(*lengths) - 2 * (left @ right.T)


def summed_distances_in_float32(left, right):
    """The same of each part, its root added in float32 and in the order of the parts."""
    total = np.zeros((len(left), len(right)), np.float32)
    for part in range(left.shape[1]):
        squared = squared_distances_in_float32(
            *(np.ascontiguousarray(each[:, part]) for each in (left, right))
        )
        total += np.sqrt(np.maximum(squared, 0))
    return total


def summed_distances(left, right):
    """Sum over parts of Euclidean distances, added in float32; exact for small whole numbers."""
    total = np.zeros((len(left), len(right)), np.float32)
    for part in range(left.shape[1]):
        squared = ((left[:, None, part].astype(np.float64) - right[:, part]) ** 2).sum(axis=2)
        total += np.sqrt(squared.astype(np.float32))
    return total


def ranked_lists(distances, query_pids, gallery_pids, query_camids, gallery_camids):
    """For each query, the ranks of its matches among the valid images (stable order)."""
    lists = []
    for row, pid, camid in zip(distances, query_pids, query_camids, strict=True):
        order = np.argsort(row, kind="stable")
        valid = [g for g in order if not (gallery_pids[g] == pid and gallery_camids[g] == camid)]
        lists.append([n for n, g in enumerate(valid, 1) if gallery_pids[g] == pid])
    return lists


def step_ap(ranks):
    return float(np.mean([n / rank for n, rank in enumerate(ranks, 1)])) if ranks else np.nan


def trapezoid_ap(ranks):
    """Area under precision over recall, walked image by image as in Market-1501's evaluation."""
    if not ranks:
        return np.nan
    area, old_recall, old_precision, found = 0.0, 0.0, 1.0, 0
    for place in range(1, ranks[-1] + 1):
        found += place in ranks
        recall, precision = found / len(ranks), found / place
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def rerank(distances, queries, k1, k2, lambda_, power):
    """Zhong et al., CVPR 2017, with sets and dense arrays.

    distances (N, N), query before gallery; power: of these distances, whichever they are.
    """
    size = len(distances)
    scaled = distances.astype(np.float64) ** power
    scaled = scaled / scaled.max(axis=0)[:, None] if scaled.any() else scaled
    near = np.argsort(distances, axis=1, kind="stable")

    def reciprocal(image, count):
        return {int(j) for j in near[image, :count] if image in near[j, :count]}

    encoding = np.zeros((size, size))
    for image in range(size):
        base = reciprocal(image, k1 + 1)
        members = set(base)
        for candidate in base:
            half = reciprocal(candidate, int(np.around(k1 / 2)) + 1)
            if len(half & base) > 2 / 3 * len(half):
                members |= half
        chosen = sorted(members)
        weights = np.exp(-scaled[image, chosen])
        encoding[image, chosen] = weights / weights.sum()
    if k2 > 1:
        encoding = np.stack([encoding[near[image, :k2]].mean(axis=0) for image in range(size)])
    gallery = encoding[queries:]
    common = np.stack([np.minimum(own, gallery).sum(axis=1) for own in encoding[:queries]])
    return (1 - common / (2 - common)) * (1 - lambda_) + scaled[:queries, queries:] * lambda_
