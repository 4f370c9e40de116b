"""The parts that PyrNet brought: colour jitter, crops, erasing, mining, stripes, passes."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import nn
from torch.nn.functional import max_pool2d

from topdb.config.scale import FULL, ScaleSettings
from topdb.methods.backbones import build_backbone
from topdb.methods.contract.recipe import Moment
from topdb.methods.parts.augmentation import (
    CropLarger,
    EraseMore,
    Jitter,
    brightened,
    contrasted,
    saturated,
)
from topdb.methods.parts.batches import hard_triplets, summed_distances
from topdb.methods.parts.norms import Pointwise, normalise_by_pass, pointwise
from topdb.methods.parts.stages import Stages, last_stages, map_rows
from topdb.methods.parts.stripes import stripe_counts, stripe_pyramid

SMALL = ScaleSettings(backbones={"densenet201": "small"})
START = Moment(0, 0.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=6, height=40, width=20):
    return torch.randint(0, 256, (count, 3, height, width), generator=seeded(), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("step", "enhance"),
    [
        (brightened, ImageEnhance.Brightness),
        (contrasted, ImageEnhance.Contrast),
        (saturated, ImageEnhance.Color),
    ],
)
def test_each_step_of_the_jitter_is_pillows(step, enhance):
    images = pictures(count=16)
    factors = torch.linspace(0.85, 1.15, len(images))
    found = step(images.float(), factors[:, None, None, None]).to(torch.uint8)
    for image, factor, changed in zip(images, factors.tolist(), found, strict=True):
        shown = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = np.asarray(enhance(shown).enhance(factor))
        np.testing.assert_array_equal(changed.permute(1, 2, 0).numpy(), expected)


def test_jitter_draws_factors_and_orders_for_each_image():
    images = pictures(count=1).repeat(200, 1, 1, 1)
    only = Jitter(brightness=0.1, contrast=0.0, saturation=0.0)(images, seeded(), START)
    ratios = only.float().mean(dim=(1, 2, 3)) / images[0].float().mean()
    assert ratios.min() == pytest.approx(0.9, abs=0.02)
    assert ratios.max() == pytest.approx(1.1, abs=0.04)  # the brightest pixels stay at 255
    jittered = Jitter()(images, seeded(), START)
    assert jittered.dtype == torch.uint8
    assert len(jittered.unique(dim=0)) == 200
    assert jittered.equal(Jitter()(images, seeded(), START))
    assert not images.equal(jittered)


def test_jitter_switched_off_draws_and_changes_nothing():
    one, other = seeded(), seeded()
    images = pictures()
    assert Jitter().off()(images, one, START).equal(images)
    Jitter()(images, other, START)
    assert one.get_state().equal(other.get_state())


@pytest.mark.parametrize("size", [(384, 192), (96, 32), (100, 37), (8, 8), (255, 127)])
def test_crops_have_the_input_size_at_every_scale(size):
    crop = CropLarger(408 / 384)
    larger = [round(side * 408 / 384) for side in size]
    for each in (crop, crop.scaled(size[0] / 384), crop.off()):
        assert each(pictures(2, *larger), seeded(), START).shape[2:] == size


def test_crops_lie_anywhere():
    places = torch.arange(51 * 34).view(1, 1, 51, 34).repeat(3000, 3, 1, 1)
    corners = CropLarger(17 / 16)(places, seeded(), START)[:, 0, 0, 0]
    tops, lefts = corners // 34, corners % 34
    assert tops.bincount().tolist() == pytest.approx([750] * 4, rel=0.15)
    assert lefts.bincount().tolist() == pytest.approx([1000] * 3, rel=0.15)
    windows = CropLarger(17 / 16)(places, seeded(), START)
    assert windows[5, 1].equal(windows[5, 2])
    assert (windows[:, 0, -1, -1] - corners == 47 * 34 + 31).all()
    middle = CropLarger(17 / 16).off()(places, seeded(), START)[0, 0, 0, 0]
    assert middle == 1 * 34 + 1


def erased(transform, count=4000, height=96, width=48, moment=START):
    """Tops, lefts, heights and widths of the rectangles, and the share of images with one."""
    images = torch.zeros(count, 3, height, width, dtype=torch.uint8)
    result = transform(images, seeded(), moment)
    filled = result[:, 0] == 123
    hit = filled.any(dim=(1, 2))
    rows, columns = filled[hit].any(dim=2), filled[hit].any(dim=1)
    heights, widths = rows.sum(dim=1), columns.sum(dim=1)
    assert (filled[hit].sum(dim=(1, 2)) == heights * widths).all()
    assert result[hit].flatten(2).amax(dim=2).unique(dim=0).tolist() == [[123, 116, 103]]
    return rows.int().argmax(dim=1), columns.int().argmax(dim=1), heights, widths, hit


def test_erased_rectangles_of_the_released_code_stay_near_the_corner():
    tops, lefts, heights, widths, hit = erased(EraseMore(p=1.0, last=1.0, anywhere=False))
    assert hit.all()
    assert (tops <= heights).all()
    assert (lefts <= widths).all()
    assert ((tops + heights <= 96) & (lefts + widths <= 48)).all()
    assert (tops == heights).any()
    assert (tops == 0).any()
    areas, aspects = heights * widths / (96 * 48), heights / widths
    assert areas.min() > 0.015
    assert areas.max() < 0.215
    assert aspects.min() > 0.2
    assert aspects.max() < 4.0


def test_erased_rectangles_lie_anywhere_otherwise():
    tops, lefts, heights, widths, _ = erased(EraseMore(p=1.0, last=1.0))
    assert (tops > heights).float().mean() > 0.3
    assert (tops / (96 - heights)).mean().item() == pytest.approx(0.5, abs=0.02)
    assert (lefts / (48 - widths).clamp(min=1)).mean().item() == pytest.approx(0.5, abs=0.03)
    assert (tops + heights == 96).any()


def test_released_offsets_are_drawn_again_with_the_rectangle():
    """Against a loop over single draws of the same distribution."""
    tops, _, heights, _, _ = erased(EraseMore(p=1.0, last=1.0, anywhere=False))
    rng, expected = np.random.default_rng(0), []
    while len(expected) < 4000:
        area, aspect = rng.uniform(0.02, 0.2) * 96 * 48, rng.uniform(0.3, 3.3333)
        height, width = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        left, top = rng.integers(0, width + 1), rng.integers(0, height + 1)
        if left + width <= 48 and top + height <= 96:
            expected.append((top, height))
    wanted = np.array(expected).T
    assert tops.double().mean().item() == pytest.approx(wanted[0].mean(), rel=0.05)
    assert heights.double().mean().item() == pytest.approx(wanted[1].mean(), rel=0.03)


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.5), (1, 0.5), (41, 0.68), (99, 0.941)])
def test_erasing_is_as_likely_as_the_epoch_says(epoch, share):
    moment = Moment(epoch, epoch + 0.9)
    assert EraseMore().probability(moment) == pytest.approx(share)
    assert erased(EraseMore(), moment=moment)[-1].float().mean().item() == pytest.approx(
        share, abs=0.025
    )


def test_erasing_switched_off_draws_and_changes_nothing():
    one, other, images = seeded(), seeded(), pictures()
    assert EraseMore().off()(images, one, Moment(99, 99.0)).equal(images)
    EraseMore()(images, other, START)
    assert one.get_state().equal(other.get_state())


def units(count, parts=4, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((count, parts, 6)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=2, keepdims=True)


def test_distances_are_sums_over_parts():
    features = units(50)
    expected = np.linalg.norm(features[:, None] - features[None, :], axis=3).sum(axis=2)
    np.testing.assert_allclose(summed_distances(features, features), expected, atol=4e-3)


def test_triplets_are_drawn_among_the_hardest():
    features, people = units(60), np.arange(60) % 6
    people[:2] = 6  # somebody with two images
    distances = np.linalg.norm(features[:, None] - features[None, :], axis=3).sum(axis=2)
    positives, negatives = set(), set()
    rng = np.random.default_rng(0)
    for _ in range(300):
        positive, negative = hard_triplets(features, people, 3, 10, rng)
        positives |= set(enumerate(positive.tolist()))
        negatives |= set(enumerate(negative.tolist()))
    for row, person in enumerate(people):
        own, others = np.flatnonzero(people == person), np.flatnonzero(people != person)
        far = own[np.argsort(-distances[row, own])][:3]
        near = others[np.argsort(distances[row, others])][:10]
        assert {each for place, each in positives if place == row} == set(far.tolist())
        assert {each for place, each in negatives if place == row} == set(near.tolist())


def test_few_images_are_mined_too():
    positive, negative = hard_triplets(
        units(3), np.array([0, 0, 1]), 3, 10, np.random.default_rng(0)
    )
    assert positive[2] == 2
    assert set(positive[:2]) <= {0, 1}
    assert negative[0] == negative[1] == 2


def test_mining_in_blocks_is_mining_at_once(monkeypatch):
    features, people = units(100), np.arange(100) % 7
    whole = hard_triplets(features, people, 3, 10, np.random.default_rng(0))
    monkeypatch.setattr("topdb.methods.parts.batches._ROWS_AT_ONCE", 33)
    blocks = hard_triplets(features, people, 3, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(whole, blocks)


@pytest.mark.parametrize(
    ("rows", "levels", "counts"),
    [
        (96, 7, [1, 2, 4, 8, 16, 32, 96]),
        (64, 7, [1, 2, 4, 8, 16, 32, 64]),
        (12, 4, [1, 2, 4, 12]),
        (12, 7, [1, 2, 4, 12]),
        (1, 4, [1]),
    ],
)
def test_stripes_of_each_level(rows, levels, counts):
    assert stripe_counts(rows, levels) == counts
    features = torch.randn(2, 3, rows, 5, generator=seeded())
    expected = [
        max_pool2d(features, (rows // 2**level, 5)).flatten(1) for level in range(len(counts))
    ]
    assert stripe_pyramid(features, levels).equal(torch.cat(expected, dim=1))


def test_norm_by_pass_is_as_many_calls():
    alone, joint = (
        nn.Sequential(nn.BatchNorm2d(4), nn.Flatten(), nn.BatchNorm1d(16)) for _ in range(2)
    )
    normalise_by_pass(joint, 3)
    features = torch.randn(12, 4, 2, 2, generator=seeded())
    found = joint(features)
    torch.testing.assert_close(found, torch.cat([alone(each) for each in features.chunk(3)]))
    assert joint[0].num_batches_tracked == 3
    for one, other in zip(alone.state_dict().values(), joint.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(alone.eval()(features), joint.eval()(features))
    assert not torch.allclose(found, alone.train()(features), atol=1e-2)


@pytest.mark.parametrize("batch", [1, 2, 20])
@pytest.mark.parametrize("size", [(6, 3), (1, 1), (5, 7)])
def test_pointwise_convolution_is_the_plain_one(batch, size):
    module = nn.Sequential(nn.Conv2d(8, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 4, 1, 2))
    replaced = nn.Sequential(nn.Conv2d(8, 6, 1), *list(module.children())[1:])
    pointwise(replaced)
    assert [type(each) for each in replaced] == [Pointwise, nn.Conv2d, nn.Conv2d]
    replaced.load_state_dict(module.state_dict())
    for layout in (torch.contiguous_format, torch.channels_last):
        images = torch.randn(batch, 8, *size, generator=seeded()).to(memory_format=layout)
        one, other = images.clone().requires_grad_(), images.clone().requires_grad_()
        expected, found = module(one), replaced(other)
        torch.testing.assert_close(found, expected)
        for network, result in ((module, expected), (replaced, found)):
            network.zero_grad()
            result.square().sum().backward()
        torch.testing.assert_close(other.grad, one.grad)
        torch.testing.assert_close(replaced[0].weight.grad, module[0].weight.grad)


def test_stages_of_the_dense_network():
    backbone = build_backbone("densenet201", FULL)
    assert isinstance(backbone, Stages)
    stages = last_stages(backbone, 4)
    assert stages == tuple(f"denseblock{number}" for number in range(1, 5))
    assert backbone.channels == 1920
    names = [name for name, _ in backbone.named_children()]
    assert names[:5] == ["conv0", "norm0", "relu0", "pool0", "denseblock1"]
    assert names[-2:] == ["denseblock4", "norm5"]
    with torch.no_grad():
        maps = backbone.eval().taps(torch.zeros(1, 3, 64, 32), stages)
    for stage, found in zip(stages, maps, strict=True):
        rows = backbone.rows(64, stage)
        assert found.shape == (1, backbone.stage_channels[stage], rows, rows // 2)
    statistics = backbone.norm0.running_mean.clone()
    assert map_rows(backbone.train(), stages, (270, 64), "method") == [68, 34, 17, 8]
    assert backbone.training
    assert backbone.norm0.running_mean.equal(statistics)


def test_last_stages_leave_out_empty_ones():
    backbone = build_backbone("densenet201", SMALL)
    assert last_stages(backbone, 4) == ("stem", "layer1", "layer2", "layer4")
    assert last_stages(backbone, 2) == ("layer2", "layer4")
    assert map_rows(backbone, ("stem", "layer4"), (97, 33), "method") == [24, 12]
