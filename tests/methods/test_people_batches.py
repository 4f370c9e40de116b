from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.errors import UserError
from topdb.methods.parts.batches import everybody_once, people_batches, shuffled


def batches_of(labels, people, images, seed=0):
    found = people_batches(np.array(labels), people, images, np.random.default_rng(seed))
    assert all(batch.shape == (people * images,) for batch in found)
    return np.stack(found)


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
    first = people_batches(labels, 3, 4, generator)
    assert not np.array_equal(first, people_batches(labels, 3, 4, generator))


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


@settings(deadline=None)
@given(
    owned=st.lists(st.integers(1, 11), min_size=2, max_size=12),
    people=st.integers(2, 5),
    images=st.integers(2, 5),
    seed=st.integers(0, 2**31),
)
def test_everybody_is_drawn_once_and_nobody_is_alone_in_a_batch(owned, people, images, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(owned)), owned))
    generator = np.random.default_rng(seed)
    if len(owned) < people:
        with pytest.raises(UserError, match=f"fewer than the {people} of a batch"):
            everybody_once(labels, people, images, generator)
        return
    batches = everybody_once(labels, people, images, generator)
    again = everybody_once(labels, people, images, np.random.default_rng(seed))
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    seen = []
    for batch in batches:
        shown = labels[batch].reshape(-1, images)
        assert (shown == shown[:, :1]).all()  # a person's images are neighbours
        assert 2 <= len(shown) <= people
        seen += shown[:, 0].tolist()
        for own in batch.reshape(-1, images):
            times = max(Counter(own.tolist()).values())
            enough = owned[labels[own[0]]] >= images
            assert times <= (1 if enough else images)  # so often in the pile
    assert len(seen) == len(set(seen))
    left_out = len(owned) % people == 1
    assert len(seen) == len(owned) - left_out
    assert all(len(batch) == people * images for batch in batches[:-1])


def test_all_images_are_shuffled_once_and_a_rest_is_left_out():
    batches = shuffled(11, 3, np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [3, 3, 3]
    drawn = np.concatenate(batches).tolist()
    assert len(set(drawn)) == 9
    assert set(drawn) < set(range(11))
    assert drawn != sorted(drawn)
    again = shuffled(11, 3, np.random.default_rng(0))
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    with pytest.raises(UserError, match="has 11 images, fewer than the 12 of a batch"):
        shuffled(11, 12, np.random.default_rng(0))


def test_of_too_few_images_each_is_as_often_in_the_pile_as_images_are_wanted():
    """Two images for four places: both twice is likelier than by coins, three and four possible."""
    labels = np.repeat(np.arange(2), 2)
    generator, found = np.random.default_rng(0), Counter()
    for _ in range(4000):
        (batch,) = everybody_once(labels, 2, 4, generator)
        first = batch[labels[batch] == 0]
        found[int((first == 0).sum())] += 1
    total = sum(found.values())
    # Hypergeometric: 4 drawn of a pile with 4 of each.
    expected = {0: 1 / 70, 1: 16 / 70, 2: 36 / 70, 3: 16 / 70, 4: 1 / 70}
    for times, share in expected.items():
        assert abs(found[times] / total - share) < 0.03
