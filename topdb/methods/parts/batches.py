"""Which training images a batch holds."""

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
