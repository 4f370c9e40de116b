import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from topdb.methods.contract import Moment
from topdb.methods.parts.augmentation import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EnlargeAndCrop,
    Erase,
    Flip,
    Normalise,
    PadAndCrop,
    augmented,
    enlarge_and_crop,
    erase,
    flip,
    normalise,
)

FILLED = (0.4914, 0.4822, 0.4465)
FILL = torch.tensor(FILLED)


def recipe(flips: float = 0.5, crops: float = 0.5, erases: float = 0.5) -> tuple:
    """The paper's changes with these probabilities."""
    return (
        Flip(flips),
        EnlargeAndCrop(crops),
        Normalise(),
        Erase(erases, fill=FILLED),
    )


STILL = recipe(0.0, 0.0, 0.0)


def augment(shown: torch.Tensor, transforms: tuple, generator: torch.Generator) -> torch.Tensor:
    return augmented(shown, transforms, generator, Moment(0, 0.0))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(batch: int = 4, height: int = 32, width: int = 16) -> torch.Tensor:
    shape = (batch, 3, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws(9))


def test_normalisation_is_imagenets():
    white, black = torch.full((1, 3, 1, 1), 255), torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    for channel in range(3):
        mean, std = IMAGENET_MEAN[channel], IMAGENET_STD[channel]
        assert normalise(white)[0, channel].item() == pytest.approx((1 - mean) / std, rel=1e-6)
        assert normalise(black)[0, channel].item() == pytest.approx(-mean / std, rel=1e-6)


def test_without_any_change_the_images_are_normalised_and_that_is_all():
    changed = augment(images(), STILL, draws())
    assert changed.dtype == torch.float32
    assert torch.equal(changed, normalise(images()))


def test_every_change_keeps_shape_and_gives_float32():
    changed = augment(images(), recipe(1.0, 1.0, 1.0), draws())
    assert changed.shape == images().shape
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()


def test_the_generator_decides():
    one, again, other = (augment(images(), recipe(), draws(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    before = torch.get_rng_state()
    augment(images(), recipe(), draws())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_given_images_stay_as_they_are():
    shown = images()
    augment(shown, recipe(1.0, 1.0, 1.0), draws())
    assert torch.equal(shown, images())


def test_flip_mirrors_left_to_right_always_or_never():
    assert torch.equal(flip(images(), 1.0, draws()), images().flip(3))
    assert torch.equal(flip(images(), 0.0, draws()), images())


def test_flip_chooses_each_image_on_its_own():
    shown = images(200)
    flipped = flip(shown, 0.5, draws())
    mirrored = (flipped == shown.flip(3)).flatten(1).all(dim=1)
    same = (flipped == shown).flatten(1).all(dim=1)
    assert (mirrored ^ same).all()
    assert 70 <= mirrored.sum() <= 130


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(8, 40), st.integers(8, 24))
def test_a_cropped_image_is_a_window_of_the_enlarged_one(seed, height, width):
    shown = images(2, height, width)
    cropped = enlarge_and_crop(shown, 1.0, draws(seed))
    assert cropped.shape == shown.shape
    assert cropped.dtype == torch.uint8
    tall, wide = round(height * 1.125), round(width * 1.125)
    enlarged = interpolate(shown.float(), (tall, wide), mode="bilinear").round().to(torch.uint8)
    windows = enlarged.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
    for found, candidates in zip(cropped, windows, strict=True):
        assert (candidates == found).flatten(2).all(dim=2).any()


def test_crop_probability_zero_changes_nothing():
    assert torch.equal(enlarge_and_crop(images(), 0.0, draws()), images())


def test_windows_reach_every_corner():
    column = torch.arange(64, dtype=torch.uint8).mul(4)[None, None, :, None].expand(300, 3, 64, 64)
    cropped = enlarge_and_crop(column.contiguous(), 1.0, draws())
    tops = cropped[:, 0, 0, 0]
    assert len(tops.unique()) == 9  # 72 - 64 + 1 positions
    counts = [(tops == value).sum().item() for value in tops.unique()]
    assert counts[0] < 300 / 9  # the ends are half as likely
    assert counts[-1] < 300 / 9


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_an_erased_part_is_one_rectangle_within_its_bounds(seed):
    height, width = 64, 32
    blank = torch.full((3, 3, height, width), 7.0)
    erased = erase(blank, Erase(1.0, fill=FILLED), draws(seed))
    for image in erased:
        inside = image[0] != 7.0
        rows, columns = inside.any(dim=1).nonzero()[:, 0], inside.any(dim=0).nonzero()[:, 0]
        tall, wide = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        assert inside.sum() == tall * wide  # one full rectangle
        assert torch.equal(image[:, rows[0], columns[0]], FILL)
        assert (image[:, inside] == FILL[:, None]).all()
        assert tall < height  # one that does not fit is drawn again, not cut off
        assert wide < width
        # Sides are rounded: half a pixel each way.
        assert (tall + 0.5) * (wide + 0.5) >= 0.02 * height * width
        assert (tall - 0.5) * (wide - 0.5) <= 0.4 * height * width
        assert (tall + 0.5) / (wide - 0.5) >= 0.3
        assert (tall - 0.5) / (wide + 0.5) <= 3.33


def test_erasing_comes_after_normalisation():
    changed = augment(images(), recipe(0.0, 0.0, 1.0), draws())
    differing = changed != normalise(images())
    assert differing.any(dim=1).flatten(1).any(dim=1).all()
    for image, mask in zip(changed, differing.all(dim=1), strict=True):
        assert (image[:, mask] == FILL[:, None]).all()


def test_erase_probability_zero_changes_nothing():
    shown = normalise(images())
    assert torch.equal(erase(shown, Erase(0.0), draws()), shown)


def test_an_image_that_no_rectangle_fits_is_left_whole():
    never = Erase(1.0, area=(0.99, 1.0), aspect=(30.0, 40.0))
    shown = normalise(images())
    assert torch.equal(erase(shown, never, draws()), shown)


def test_padding_surrounds_by_black_and_cuts_a_window_of_each_image_on_its_own():
    shown = images(300, 12, 8)
    moved = augment(shown, (PadAndCrop(3),), draws())
    assert moved.dtype == torch.uint8
    padded = torch.nn.functional.pad(shown, (3, 3, 3, 3))
    windows = padded.unfold(2, 12, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5)
    fits = (windows == moved[:, None, None]).flatten(3).all(dim=3)
    assert (fits.flatten(1).sum(dim=1) == 1).all()
    places = fits.flatten(1).int().argmax(dim=1)
    assert len(places.unique()) == 7 * 7


@pytest.mark.parametrize(
    "transform", [Flip(1.0), EnlargeAndCrop(1.0), PadAndCrop(3), Erase(1.0)], ids=lambda t: t.name
)
def test_what_is_switched_off_changes_nothing_and_keeps_its_name(transform):
    shown = images()
    assert not torch.equal(augment(shown, (transform,), draws()), shown)
    still = transform.off()
    assert still.name == transform.name
    assert torch.equal(augment(shown, (still,), draws()), shown)


def test_pixels_follow_the_size_and_shares_stay():
    assert PadAndCrop(10).scaled(96 / 256) == PadAndCrop(4)
    assert PadAndCrop(2).scaled(0.1) == PadAndCrop(1)  # at least one pixel
    for transform in (Flip(), EnlargeAndCrop(), Normalise(), Erase()):
        assert transform.scaled(0.5) == transform
