from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.errors import UserError
from topdb.training.sampler import epoch_batches


def batches_of(labels, people, images, seed=0):
    return epoch_batches(np.array(labels), people, images, np.random.default_rng(seed))


@settings(deadline=None)
@given(
    owned=st.lists(st.integers(1, 11), min_size=2, max_size=12),
    people=st.integers(2, 5),
    images=st.integers(2, 5),
    seed=st.integers(0, 2**31),
)
def test_every_batch_has_p_people_with_k_images_each(owned, people, images, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(owned)), owned))
    if len(owned) < people:
        with pytest.raises(UserError):
            batches_of(labels, people, images, seed)
        return
    batches = batches_of(labels, people, images, seed)
    groups = Counter()
    for batch in batches:
        shown = labels[batch].reshape(people, images)
        assert (shown == shown[:, :1]).all()  # a person's images are neighbours
        assert len(set(shown[:, 0])) == people
        groups.update(shown[:, 0].tolist())
    # No image twice, save of people who own too few.
    drawn = Counter(batches.ravel().tolist())
    for position, times in drawn.items():
        assert times == 1 or owned[labels[position]] < images
    # The epoch ends because fewer than P people have a group left.
    left = {person: max(count // images, 1) - groups[person] for person, count in enumerate(owned)}
    assert min(left.values()) >= 0
    assert sum(count > 0 for count in left.values()) < people


def test_somebody_with_too_few_images_is_drawn_with_replacement_once():
    labels = [0] * 2 + [1] * 8 + [2] * 8
    batches = batches_of(labels, people=3, images=4)
    assert len(batches) == 1
    own = batches[0][np.array(labels)[batches[0]] == 0]
    assert len(own) == 4
    assert set(own) <= {0, 1}


def test_the_seed_decides_and_a_generator_goes_on():
    labels = np.repeat(np.arange(6), 8)
    assert np.array_equal(batches_of(labels, 3, 4, seed=1), batches_of(labels, 3, 4, seed=1))
    assert not np.array_equal(batches_of(labels, 3, 4, seed=1), batches_of(labels, 3, 4, seed=2))
    generator = np.random.default_rng(1)
    first = epoch_batches(labels, 3, 4, generator)
    assert not np.array_equal(first, epoch_batches(labels, 3, 4, generator))


def test_labels_need_not_be_consecutive():
    batches = batches_of([9, 4, 9, 4, 9, 4, 9, 4], people=2, images=2)
    assert batches.shape == (2, 4)
    assert sorted(batches.ravel().tolist()) == list(range(8))


def test_a_rest_below_k_is_left_out():
    batches = batches_of([0] * 5 + [1] * 5, people=2, images=2)
    assert batches.shape == (2, 4)


def test_too_few_people_are_named():
    with pytest.raises(UserError, match="shows 2 people, fewer than the 3 of a batch"):
        batches_of([0, 0, 1, 1], people=3, images=2)
