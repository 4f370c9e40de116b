"""Batches in which every person is as likely as any other, however many images they have."""

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError

Rows = NDArray[np.int64]


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
