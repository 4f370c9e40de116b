import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.errors import UserError
from topdb.methods.parts.drop import (
    activation_map,
    dropped_rows,
    random_drop_mask,
    row_scores,
    top_drop_mask,
)

SCORES = ["mean", "normalised-max"]
MAPS = st.builds(
    lambda seed, batch, channels, rows, columns: torch.randn(
        batch, channels, rows, columns, generator=torch.Generator().manual_seed(seed)
    ),
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 4),
    channels=st.integers(1, 5),
    rows=st.integers(2, 24),
    columns=st.integers(1, 6),
)
RATIOS = st.floats(0.3, 0.7)
"""At least one row of two or more, and never all."""


def rows_of(mask: torch.Tensor) -> list[list[int]]:
    return [(image[0, :, 0] == 0).nonzero()[:, 0].tolist() for image in mask]


def test_activation_is_the_sum_of_powers_over_channels():
    features = torch.tensor([[[[1.0, -2.0]], [[3.0, 0.5]]]])
    assert activation_map(features, 2.0).tolist() == [[[10.0, 4.25]]]
    assert activation_map(features, 1.0).tolist() == [[[4.0, 2.5]]]


def test_the_two_scores_prefer_different_rows():
    # Row 0 is even (mean 4, largest 4), row 1 has one peak (mean 3, largest 9), row 2 is empty.
    features = torch.tensor([[2.0, 2.0, 2.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])[None, None]
    by_mean = top_drop_mask(features, 0.33, 2.0, "mean")
    by_largest = top_drop_mask(features, 0.33, 2.0, "normalised-max")
    assert by_mean.shape == (1, 1, 3, 1)
    assert by_mean[0, 0, :, 0].tolist() == [0.0, 1.0, 1.0]
    assert by_largest[0, 0, :, 0].tolist() == [1.0, 0.0, 1.0]


def test_scores_worked_out_by_hand():
    features = torch.tensor([[1.0, 1.0], [0.0, 2.0]])[None, None]
    assert row_scores(features, 2.0, "mean").tolist() == [[1.0, 2.0]]
    # The map is [[1, 1], [0, 4]], its length the square root of 18.
    torch.testing.assert_close(
        row_scores(features, 2.0, "normalised-max"), torch.tensor([[1.0, 4.0]]) / 18**0.5
    )


def test_each_image_loses_its_own_rows():
    features = torch.zeros(2, 1, 6, 2)
    features[0, 0, [1, 4]] = 5.0
    features[1, 0, [0, 5]] = -5.0  # the sign does not matter
    for score in SCORES:
        assert rows_of(top_drop_mask(features, 0.33, 2.0, score)) == [[1, 4], [0, 5]]


@pytest.mark.parametrize(
    ("rows", "ratio", "count"), [(24, 0.33, 8), (12, 0.33, 4), (6, 0.33, 2), (5, 0.5, 2)]
)
def test_a_ratio_stands_for_whole_rows(rows, ratio, count):
    assert dropped_rows(rows, ratio) == count


@pytest.mark.parametrize(
    ("rows", "ratio", "said"),
    [
        (24, 0.02, r"drop_ratio is 0\.02, which drops none of the 24 rows"),
        (6, 0.083, "drops none of the 6 rows"),
        (24, 0.98, "drops every one of the 24 rows"),
        (1, 0.33, "drops none of the 1 rows"),
    ],
)
def test_a_ratio_of_no_row_or_of_every_row_is_refused(rows, ratio, said):
    features = torch.ones(2, 3, rows, 2)
    with pytest.raises(UserError, match=said):
        top_drop_mask(features, ratio, 2.0, "mean")
    with pytest.raises(UserError, match=said):
        random_drop_mask(features, ratio, torch.Generator())


@settings(deadline=None)
@given(MAPS, RATIOS, st.sampled_from(SCORES), st.sampled_from([1.0, 2.0, 3.0]))
def test_exactly_the_rounded_share_is_dropped_and_no_kept_row_scores_higher(
    features, ratio, score, power
):
    mask = top_drop_mask(features, ratio, power, score)
    rows = features.shape[2]
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    scores = row_scores(features, power, score)
    for image, dropped in enumerate(rows_of(mask)):
        assert len(dropped) == round(ratio * rows)
        kept = [row for row in range(rows) if row not in dropped]
        assert kept
        assert scores[image, dropped].min() >= scores[image, kept].max()


@settings(deadline=None)
@given(MAPS, RATIOS, st.sampled_from(SCORES), st.integers(-6, 6))
def test_the_scale_of_an_image_does_not_matter(features, ratio, score, exponent):
    scaled = features * 2.0**exponent  # a power of two rounds nothing
    before = rows_of(top_drop_mask(features, ratio, 2.0, score))
    # normalisation may round two almost equal rows into a tie, whose order is torch's own
    if score == "mean":
        assert rows_of(top_drop_mask(scaled, ratio, 2.0, score)) == before
    else:
        scores = row_scores(features, 2.0, score)
        for image, dropped in enumerate(rows_of(top_drop_mask(scaled, ratio, 2.0, score))):
            torch.testing.assert_close(
                scores[image, dropped].sort().values, scores[image, before[image]].sort().values
            )


@settings(deadline=None)
@given(MAPS, RATIOS, st.integers(0, 1000))
def test_a_random_block_is_contiguous_and_the_same_for_the_batch(features, ratio, seed):
    rows = features.shape[2]
    mask = random_drop_mask(features, ratio, torch.Generator().manual_seed(seed))
    assert mask.shape == (1, 1, rows, 1)
    (dropped,) = rows_of(mask)
    assert len(dropped) == round(ratio * rows)
    assert dropped == list(range(dropped[0], dropped[0] + len(dropped)))


def test_every_position_of_the_random_block_occurs():
    features = torch.ones(2, 3, 6, 2)
    generator = torch.Generator().manual_seed(0)
    masks = [random_drop_mask(features, 0.33, generator) for _ in range(200)]
    firsts = [rows_of(mask)[0][0] for mask in masks]
    assert sorted(set(firsts)) == [0, 1, 2, 3, 4]
    assert min(firsts.count(first) for first in range(5)) > 20


def test_the_choice_of_rows_has_no_gradient():
    features = torch.randn(2, 3, 6, 2, requires_grad=True)
    assert not top_drop_mask(features, 0.33, 2.0, "normalised-max").requires_grad
