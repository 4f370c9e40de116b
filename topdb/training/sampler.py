"""P x K batches: P people with K images each, as the authors draw an epoch."""

import numpy as np
from numpy.typing import NDArray

from topdb.errors import UserError


def epoch_batches(
    labels: NDArray[np.int64], people: int, images: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the batches of one epoch.

    Each person's images are shuffled and cut into groups of `images`, a rest being left out;
    somebody with fewer images gets one group drawn with replacement. Batches of `people` people
    with one group each are drawn until fewer than `people` people have a group left.

    Parameters
    ----------
    labels : (N,) class of each training image
    people : P
    images : K

    Returns
    -------
    (batches, P * K) positions in `labels`; the images of a person are neighbours.

    Raises
    ------
    UserError
        There are fewer than P people.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    owned = np.split(order, starts[1:])
    if len(owned) < people:
        raise UserError(
            f"the training split shows {len(owned)} people, fewer than the {people} of a batch: "
            "lower training.people_per_batch in params.yaml or add people."
        )
    groups = [_groups(generator, own, images) for own in owned]
    available = np.arange(len(groups))
    batches = []
    while len(available) >= people:
        chosen = generator.choice(available, size=people, replace=False)
        batches.append(np.concatenate([groups[person].pop() for person in chosen]))
        available = np.array([person for person in available if groups[person]], dtype=np.int64)
    return np.stack(batches)


def _groups(
    generator: np.random.Generator, own: NDArray[np.int64], images: int
) -> list[NDArray[np.int64]]:
    if len(own) < images:
        return [generator.choice(own, size=images, replace=True)]
    shuffled = generator.permutation(own)
    whole = len(own) - len(own) % images
    return list(shuffled[:whole].reshape(-1, images))
