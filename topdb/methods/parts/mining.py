"""Hard triplets, chosen by distance among many images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.methods.parts.batches import shuffled

Rows = NDArray[np.int64]

_ROWS_AT_ONCE = 512
"""Anchors whose distances are held at the same time: 10 MB for 5000 images."""


def hard_triplet_batches(
    people: Rows,
    anchors: int,
    size: int,
    farthest: int,
    nearest: int,
    features: Callable[[Rows], NDArray[np.float32]],
    generator: np.random.Generator,
) -> list[Rows]:
    """Draw anchors without replacement, and mine a positive and a negative for each among them.

    Source: the released code of PyrNet.

    Parameters
    ----------
    people : (N,) class of each training image
    anchors : how many of them are drawn
    size : triplets of a batch; a rest of the triplets is left out
    farthest, nearest : as `hard_triplets` has them
    features : maps rows to features (rows, parts, D), each part of length 1

    Returns
    -------
    Of each batch (3 * size,) rows: anchors, their positives, their negatives.

    Raises
    ------
    UserError
        The anchors do not fill a batch, or all show one person.
    """
    if anchors < size:
        raise UserError(
            f"{len(people)} training images give {anchors} anchors, fewer than the {size} triplets "
            "of a batch: lower scale.people in params.yaml or add images."
        )
    drawn = np.sort(generator.choice(len(people), anchors, replace=False))
    if len(np.unique(people[drawn])) == 1:
        raise UserError(
            f"all {anchors} anchors drawn from the training images show one person, so that there "
            "are no negatives: add people."
        )
    mined = hard_triplets(features(drawn), people[drawn], farthest, nearest, generator)
    triplets = np.stack((drawn, *(drawn[each] for each in mined)))
    return [triplets[:, each].ravel() for each in shuffled(anchors, size, generator)]


def summed_distances(
    features: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the sum over parts of Euclidean distances, (N, M).

    Parameters
    ----------
    features : (N, parts, D), each part of length 1
    others : (M, parts, D), likewise
    """
    total = np.zeros((len(features), len(others)), np.float32)
    for part in range(features.shape[1]):
        squares = 2.0 - 2.0 * features[:, part] @ others[:, part].T
        total += np.sqrt(np.maximum(squares, 0.0))
    return total


def hard_triplets(
    features: NDArray[np.float32],
    people: Rows,
    farthest: int,
    nearest: int,
    generator: np.random.Generator,
) -> tuple[Rows, Rows]:
    """Draw a hard positive and a hard negative for each image.

    The positive is any of the `farthest` images of the same person, each as likely; where the
    person has no more images than that, the image itself is among them. The negative is any of
    the `nearest` images of other people.

    Parameters
    ----------
    features : (N, parts, D), each part of length 1; distances are summed over parts
    people : (N,) class of each image; at least two people, or there is no negative

    Returns
    -------
    Positives and negatives, (N,) rows each.
    """
    picks = generator.random((2, len(people)))
    positives, negatives = [], []
    for first in range(0, len(people), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        distances = summed_distances(features[rows], features)
        same = people[rows, None] == people[None, :]
        positives.append(
            _one_of_least(np.where(same, -distances, np.inf), farthest, picks[0, rows])
        )
        negatives.append(_one_of_least(np.where(same, np.inf, distances), nearest, picks[1, rows]))
    return np.concatenate(positives), np.concatenate(negatives)


def _one_of_least(values: NDArray[np.float32], count: int, picks: NDArray[np.float64]) -> Rows:
    """Return the column of one of the least finite values of each row, at most `count` of them.

    `picks` is (N,) in [0, 1), where in that order.
    """
    count = min(count, values.shape[1])
    least = np.argpartition(values, count - 1, axis=1)[:, :count]
    among = np.take_along_axis(values, least, axis=1)
    least = np.take_along_axis(least, among.argsort(axis=1, kind="stable"), axis=1)
    place = (picks * np.isfinite(among).sum(axis=1)).astype(np.int64)
    return np.take_along_axis(least, place[:, None], axis=1)[:, 0]
