"""The paper profile at its real size, row by row of docs/recipes.md.

What golden numbers cover stands in tests/methods/test_parity.py, test_losses.py, test_schedules.py.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from scipy.stats import ks_2samp
from torch import nn

from topdb.config import FULL, ScaleSettings, load
from topdb.engine.batches import resized
from topdb.engine.loop import fit
from topdb.engine.state import Randomness, optimiser
from topdb.methods import build, find
from topdb.methods.contract import Adam, Method, Moment, Recipe, Stairs
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts.augmentation import (
    EnlargeAndCrop,
    Erase,
    Flip,
    Normalise,
    augmented,
    enlarge_and_crop,
    erase,
    flip,
    normalise,
)
from topdb.methods.parts.batches import people_batches

PAPER = load(tiny.ROOT / "params.yaml").selected("paper")
METHODS = ["baseline", "no-drop", "no-reg", "top-db-net"]
SMALL = ScaleSettings(size=(96, 32), backbones={"resnet50": "small"})
SIZE = (384, 128)
ON_CPU = PAPER.hardware.model_copy(update={"device": "cpu"})
LENGTHS = {"baseline": 1536, "no-drop": 2560, "no-reg": 1536, "top-db-net": 1536}


def recipe_of(method="top-db-net", scale=FULL, **parts) -> Recipe:
    """What the paper's profile trains a method by, at a scale, with parts replaced."""
    assert PAPER.scale == FULL
    changes = PAPER.changes_of(method, "market1501")
    recipe = resolved(find(method), method, PAPER.side(method), scale, changes)
    return replace(recipe, **parts)


def network_of(method: str, recipe: Recipe, scale=FULL, identities=10) -> Method:
    built = build(find(method), recipe, identities, scale)
    built.initialise(draws())
    return built


@pytest.mark.parametrize("method", METHODS)
def test_the_four_methods_share_a_recipe_but_for_their_streams(method):
    own, other = recipe_of(method), recipe_of("top-db-net")
    assert replace(own, options=None) == replace(other, options=None)
    assert own.size == SIZE
    assert (own.epochs, own.whole_passes, own.people, own.images) == (400, 400, 16, 4)
    assert own.rules == {"network": Adam(5e-4, betas=(0.9, 0.999), weight_decay=5e-4)}
    assert own.schedule == Stairs(warmup=45, stair=5, milestones=(200, 300))
    assert (own.clip, own.fresh, own.resize, own.interpolation) == (None, (), None, "bilinear")
    assert own.augmentation == (
        Flip(0.5),
        EnlargeAndCrop(0.5),
        Normalise(),
        Erase(0.5, area=(0.02, 0.4), aspect=(0.3, 3.33), fill=(0.4914, 0.4822, 0.4465)),
    )
    options = own.options
    assert (options.margin, options.label_smoothing) == (0.3, 0.1)
    assert (options.drop_ratio, options.activation_power) == (0.33, 2.0)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def photographs(count=4, height=128, width=64):
    """Smooth images, as photographs are: noise of a few pixels, enlarged."""
    noise = np.random.default_rng(3).integers(0, 256, (count, height // 8, width // 8, 3))
    size, how = (width, height), Image.Resampling.BICUBIC
    return [np.asarray(Image.fromarray(each.astype(np.uint8)).resize(size, how)) for each in noise]


@pytest.fixture(scope="module")
def networks():
    built = {}
    for method in METHODS:
        built[method] = network_of(method, recipe_of(method))
    return built


@pytest.fixture(scope="module")
def inputs():
    return torch.randn(2, 3, 384, 128, generator=draws(1))


def test_the_learning_rate_has_the_stated_corners():
    recipe = recipe_of()
    (rule,) = recipe.rules.values()
    moments = [Moment(epoch, epoch + 0.9, epoch + 1.0) for epoch in range(400)]
    rates = [recipe.schedule.rate(rule.rate, moment, recipe.epochs) for moment in moments]
    assert rates[0] == pytest.approx(5e-5, rel=1e-12)
    rises = [epoch for epoch in range(1, 400) if rates[epoch] > rates[epoch - 1]]
    assert rises == [4, 9, 14, 19, 24, 29, 34, 39, 44]
    assert rates[43] < rates[44] == pytest.approx(5e-4, rel=1e-12)
    falls = [epoch for epoch in range(1, 400) if rates[epoch] < rates[epoch - 1]]
    assert falls == [199, 299]
    assert rates[199] == pytest.approx(5e-5, rel=1e-12)
    assert rates[399] == pytest.approx(5e-6, rel=1e-12)


def test_the_penalty_is_coupled_and_reaches_every_parameter(networks):
    # Without any gradient of the loss, coupled L2 alone moves a parameter, and Adam makes its
    # first step as long as the rate whatever the penalty's size; decoupled, it would be tiny.
    for network in networks.values():
        parameters = list(network.parameters())
        assert all(each.requires_grad for each in parameters)
        (group,) = network.groups().values()
        assert list(map(id, group)) == list(map(id, parameters))
    copies = [nn.Parameter(torch.full((2,), value)) for value in (1.0, -3.0, 50.0)]
    for each in copies:
        each.grad = torch.zeros_like(each)
    (rule,) = recipe_of().rules.values()
    own = optimiser(copies, replace(rule, rate=0.01), fused=True)
    own.step()
    moved = [each[0].item() for each in copies]
    assert moved == pytest.approx([0.99, -2.99, 49.99], abs=1e-5)


def test_every_parameter_that_learns_is_moved_by_a_training(inputs):
    """Norms, biases and the neck's shift too, by the loop itself."""
    for method in METHODS:
        recipe = recipe_of(method, SMALL, epochs=2, people=4)
        network = network_of(method, recipe, SMALL, identities=4)
        before = {name: value.clone() for name, value in network.named_parameters()}
        images = torch.randint(0, 256, (16, 3, 96, 32), dtype=torch.uint8, generator=draws())
        labels = np.repeat(np.arange(4), 4)
        fit(network, images, labels, ON_CPU, Randomness("d", method, 0), lambda epoch: None)
        still = [n for n, value in network.named_parameters() if torch.equal(value, before[n])]
        assert still == []


def test_images_are_resized_as_torchvision_resizes_pil_images():
    from torchvision.transforms import Compose, Normalize, Resize, ToTensor

    images = photographs()
    theirs = Compose(
        [
            Resize((384, 128)),
            ToTensor(),
            Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    expected = torch.stack([theirs(Image.fromarray(image)) for image in images])
    ours = normalise(resized(images, np.arange(len(images)), SIZE))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_enlarging_is_pils_to_one_grey_level():
    images = resized(photographs(), np.arange(4), SIZE)
    for image in images:
        cropped = enlarge_and_crop(image[None], 1.0, draws(5))[0]
        pil = Image.fromarray(image.permute(1, 2, 0).numpy())
        enlarged = np.asarray(pil.resize((144, 432), Image.Resampling.BILINEAR))
        top, left = window(draws(5))
        expected = enlarged[top : top + 384, left : left + 128].transpose(2, 0, 1)
        difference = cropped.numpy().astype(int) - expected.astype(int)
        assert np.abs(difference).max() <= 1  # Pillow rounds twice, once a direction
        assert abs(difference.mean()) < 0.1


def window(generator):
    """Where the generator cuts a window of 384x128 out of 432x144."""
    torch.rand(1, generator=generator)  # whether the image is chosen
    top = torch.rand(1, generator=generator) * (432 - 384)
    left = torch.rand(1, generator=generator) * (144 - 128)
    return int(top.round()), int(left.round())


def test_the_order_is_flip_crop_normalise_erase():
    transforms = recipe_of().augmentation
    images = resized(photographs(), np.arange(4), SIZE)
    generator = draws(7)
    flipped = flip(images, 0.5, generator)
    moved = enlarge_and_crop(flipped, 0.5, generator)
    expected = erase(normalise(moved), transforms[-1], generator)
    assert torch.equal(augmented(images, transforms, draws(7), Moment(0, 0.0)), expected)


def test_each_change_happens_to_half_of_the_images():
    flips, crops, _, erases = recipe_of().augmentation
    assert (flips.p, crops.p, erases.p) == (0.5, 0.5, 0.5)
    images = torch.arange(600 * 3 * 48 * 16).remainder(251).to(torch.uint8).view(600, 3, 48, 16)

    def share(changed):
        return (changed != images).flatten(1).any(dim=1).float().mean().item()

    assert share(flip(images, flips.p, draws())) == pytest.approx(0.5, abs=0.06)
    assert share(enlarge_and_crop(images, crops.p, draws())) == pytest.approx(0.5, abs=0.06)
    plain = images.float()
    erased = (erase(plain, erases, draws()) != plain).flatten(1).any(dim=1)
    assert erased.float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_erased_rectangles_are_distributed_as_those_of_random_erasing():
    """Against Zhong et al.'s algorithm, drawn one rectangle at a time."""
    rng = random.Random(0)

    def rectangle():
        while True:
            area = rng.uniform(0.02, 0.4) * 384 * 128
            aspect = rng.uniform(0.3, 3.33)
            tall, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if wide < 128 and tall < 384:
                return tall, wide, rng.randint(0, 384 - tall), rng.randint(0, 128 - wide)

    expected = np.array([rectangle() for _ in range(2000)])
    found = []
    always = replace(recipe_of().augmentation[-1], p=1.0)
    for seed in range(20):
        erased = erase(torch.full((100, 3, 384, 128), 9.0), always, draws(seed))[:, 0] != 9.0
        rows, columns = erased.any(dim=2).int(), erased.any(dim=1).int()
        found.append(
            torch.stack(
                [rows.sum(1), columns.sum(1), rows.argmax(1), columns.argmax(1)], dim=1
            ).numpy()
        )
    for ours, theirs in zip(np.concatenate(found).T, expected.T, strict=True):
        assert ks_2samp(ours, theirs).pvalue > 0.001


def test_an_epoch_is_as_long_as_the_authors():
    """Against their rule, followed literally, for people with 1 to 40 images."""
    owned = np.random.default_rng(0).integers(1, 41, 120)
    labels = np.repeat(np.arange(len(owned)), owned)

    def steps(rng):
        left = {person: max(count // 4, 1) for person, count in enumerate(owned)}
        number = 0
        while len(left) >= 16:
            for person in rng.sample(sorted(left), 16):
                left[person] -= 1
                if not left[person]:
                    del left[person]
            number += 1
        return number

    theirs = [steps(random.Random(seed)) for seed in range(60)]

    def batches(seed):
        recipe = recipe_of()
        generator = np.random.default_rng(seed)
        return people_batches(labels, recipe.people, recipe.images, generator)

    ours = [len(batches(seed)) for seed in range(60)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.5)
    assert {16 * 4} == {len(batch) for batch in batches(0)}


@pytest.mark.parametrize("method", METHODS)
def test_the_feature_map_has_24_rows_and_the_test_feature_its_length(method, networks, inputs):
    network = networks[method].eval()
    with torch.inference_mode():
        assert network.feature_map(inputs).shape == (2, 2048, 24, 8)
        features = network.embed(inputs)
    assert features.shape == (2, LENGTHS[method])
    assert (features.norm(dim=1) - 1).abs().min() > 0.1  # not normalised


@pytest.mark.parametrize("method", ["baseline", "no-reg", "top-db-net"])
def test_eight_of_24_rows_are_dropped(method, networks):
    features = torch.rand(4, 2048, 24, 8, generator=draws())
    mask = networks[method].drop_mask(features, draws())
    dropped = [(image[0, :, 0] == 0).nonzero()[:, 0].tolist() for image in mask]
    if method == "top-db-net":
        assert len(dropped) == 4
        assert len({tuple(rows) for rows in dropped}) > 1  # each image its own
        assert all(len(rows) == 8 for rows in dropped)
    else:
        (rows,) = dropped  # the same for the batch
        assert rows == list(range(rows[0], rows[0] + 8))


def test_the_last_stride_is_one_and_both_bottlenecks_are_2048_512(networks):
    for network in networks.values():
        layers = dict(network.backbone.named_modules())
        strides = {layers["layer4.0.conv2"].stride, layers["layer4.0.downsample.0"].stride}
        assert strides == {(1, 1)}
        for block in network.bottlenecks:
            shapes = [tuple(conv.weight.shape) for conv in (block.conv1, block.conv2, block.conv3)]
            assert shapes == [(512, 2048, 1, 1), (512, 512, 3, 3), (2048, 512, 1, 1)]


def test_streams_are_pooled_and_reduced_as_stated(networks):
    network = networks["top-db-net"]
    assert [type(layer) for layer in network.global_reduction] == [
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
    ]
    assert [type(layer) for layer in network.drop_reduction] == [
        nn.Linear,
        nn.BatchNorm1d,
        nn.ReLU,
    ]
    assert network.global_reduction[0].weight.shape == (512, 2048, 1, 1)
    assert network.drop_reduction[0].weight.shape == (1024, 2048)
    assert network.regularization_head.neck.num_features == 2048
    seen = {}
    network.global_reduction.register_forward_pre_hook(lambda _, x: seen.update(globally=x[0]))
    network.drop_reduction.register_forward_pre_hook(lambda _, x: seen.update(drop=x[0]))
    images = torch.randn(2, 3, 384, 128, generator=draws(2))
    network.eval()
    with torch.inference_mode():
        network.embed(images)
        shared, refined = network.backbone(images), network.feature_map(images)
    torch.testing.assert_close(seen["globally"][..., 0, 0], shared.mean(dim=(2, 3)))
    torch.testing.assert_close(seen["drop"], refined.amax(dim=(2, 3)))


@pytest.mark.parametrize("method", METHODS)
def test_triplets_see_features_before_the_neck_and_classifiers_after_it(method):
    network = network_of(method, recipe_of(method, SMALL), SMALL, identities=4)
    heads = [module for name, module in network.named_children() if name.endswith("_head")]
    inputs = []
    for head in heads:
        head.classifier.register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    images = torch.randn(8, 3, 96, 32, generator=draws())
    outputs = network.train()(images, Moment(0, 0.0), draws())
    features = [value for name, value in outputs.items() if name.endswith("_features")]
    for values, head, classified in zip(features, heads, inputs, strict=True):
        if method == "baseline":
            assert classified is values
            continue
        normal = (values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()
        torch.testing.assert_close(classified, normal, rtol=1e-3, atol=1e-3)
        assert head.neck.bias.requires_grad


def test_the_last_epoch_is_the_result_however_bad():
    """A rate that grows ruins the network; the ruined one is what stays."""
    growing = {"rules": {"network": Adam(0.3)}, "schedule": Stairs(3, 1, ())}
    recipe = recipe_of(scale=SMALL, epochs=3, people=4, **growing)
    network = network_of("top-db-net", recipe, SMALL, identities=4)
    images = torch.randint(0, 256, (16, 3, 96, 32), dtype=torch.uint8, generator=draws())
    states, losses = [], []

    def note(epoch):
        states.append({name: value.clone() for name, value in network.state_dict().items()})
        losses.append(epoch.losses["loss"])

    fit(network, images, np.repeat(np.arange(4), 4), ON_CPU, Randomness("d", "m", 0), note)
    assert losses[-1] > min(losses)
    final = network.state_dict()
    assert all(torch.equal(final[name], value) for name, value in states[-1].items())
    assert not all(torch.equal(final[name], value) for name, value in states[0].items())
