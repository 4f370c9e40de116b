"""Which images make a batch: P x K, everybody once, uniform people, mined triplets."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError

Rows = NDArray[np.int64]


def people_batches(
    people: Rows, count: int, images: int, generator: np.random.Generator
) -> list[Rows]:
    """Draw P x K batches, as Top-DB-Net, BoT and ABD-Net do.

    Each person's images are shuffled and cut into groups of `images`, a rest being left out;
    somebody with fewer images gets one group drawn with replacement. Batches of `count` people
    with one group each are drawn until fewer than `count` people have a group left.

    Parameters
    ----------
    people : (N,) class of each training image
    count : P
    images : K

    Returns
    -------
    Of each batch (P * K,) rows; the images of a person are neighbours.

    Raises
    ------
    UserError
        There are fewer than P people.
    """
    owned = _owned(people)
    _require_people(len(owned), count)
    groups = [_groups(generator, own, images) for own in owned]
    available = np.arange(len(groups))
    batches = []
    while len(available) >= count:
        chosen = generator.choice(available, size=count, replace=False)
        batches.append(np.concatenate([groups[person].pop() for person in chosen]))
        available = np.array([person for person in available if groups[person]], dtype=np.int64)
    return batches


def everybody_once(
    people: Rows, count: int, images: int, generator: np.random.Generator
) -> list[Rows]:
    """Draw every person once, with `images` images, as MGN and Pyramid do.

    Somebody with fewer images has each of them `images` times in the pile that they are drawn from.
    The last batch may hold fewer people; one of a single person is left out, since it has no
    negatives.

    Raises
    ------
    UserError
        There are fewer than `count` people.
    """
    owned = _owned(people)
    _require_people(len(owned), count)
    drawn = []
    for person in generator.permutation(len(owned)):
        own = owned[person]
        repeated = np.tile(own, images) if len(own) < images else own
        drawn.append(generator.choice(repeated, size=images, replace=False))
    batches = [drawn[first : first + count] for first in range(0, len(drawn), count)]
    return [np.concatenate(batch) for batch in batches if len(batch) > 1]


def shuffled(images: int, size: int, generator: np.random.Generator) -> list[Rows]:
    """Draw all images once in random order, in batches of `size`; a rest is left out.

    Raises
    ------
    UserError
        There are fewer images than one batch holds.
    """
    if images < size:
        raise UserError(
            f"the training split has {images} images, fewer than the {size} of a batch: lower "
            "scale.people in params.yaml or add images."
        )
    order = generator.permutation(images)
    return list(order[: images - images % size].reshape(-1, size))


def _owned(people: Rows) -> list[Rows]:
    """Return the rows of each person, in the order of their classes."""
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.diff(people[order], prepend=-1))
    return list(np.split(order, starts[1:]))


def _require_people(found: int, wanted: int) -> None:
    if found < wanted:
        raise UserError(
            f"the training split shows {found} people, fewer than the {wanted} of a batch: "
            "lower scale.people in params.yaml or add people."
        )


def _groups(generator: np.random.Generator, own: Rows, images: int) -> list[Rows]:
    if len(own) < images:
        return [generator.choice(own, size=images, replace=True)]
    shuffled = generator.permutation(own)
    whole = len(own) - len(own) % images
    return list(shuffled[:whole].reshape(-1, images))


def uniform_people(
    people: Rows, count: int, images: int, generator: np.random.Generator
) -> list[Rows]:
    """Draw P x K batches of people who are drawn anew for each batch, as MHN does.

    A batch shows `count` different people. Each gives the next `images` of a shuffled pile of
    their images; a pile with fewer left is shuffled whole again. Somebody with fewer images than
    that gives a draw with replacement. There are as many batches as hold all images once, less
    the last one. Source: the released code of MHN, `own_sampler.py`; there a pile goes on from
    epoch to epoch, and a batch is left out if somebody in it has too few images.

    Parameters
    ----------
    people : (N,) class of each training image
    count : P
    images : K

    Returns
    -------
    Of each batch (P * K,) rows, at least one batch; the images of a person are neighbours.

    Raises
    ------
    UserError
        There are fewer than P people.
    """
    order = np.argsort(people, kind="stable")
    owned = np.split(order, np.flatnonzero(np.diff(people[order])) + 1)
    if len(owned) < count:
        raise UserError(
            f"the training split shows {len(owned)} people, fewer than the {count} of a batch: "
            "lower scale.people in params.yaml or add people."
        )
    piles = [_Pile(own, images, generator) for own in owned]
    batches = max(1, -(-len(people) // (count * images)) - 1)
    return [
        np.concatenate(
            [piles[each].next() for each in generator.choice(len(piles), count, replace=False)]
        )
        for _ in range(batches)
    ]


class _Pile:
    """One person's images in random order."""

    def __init__(self, own: Rows, images: int, generator: np.random.Generator) -> None:
        self.own, self.images, self.generator = own, images, generator
        self.left = own[:0]

    def next(self) -> Rows:
        """Take images off the pile, which is shuffled anew where it has too few."""
        if len(self.own) < self.images:
            return self.generator.choice(self.own, self.images, replace=True)
        if len(self.left) < self.images:
            self.left = self.generator.permutation(self.own)
        taken, self.left = self.left[: self.images], self.left[self.images :]
        return taken


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
