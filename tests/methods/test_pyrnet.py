import numpy as np
import pytest
import torch
from methods import golden
from torch import nn
from torch.nn.functional import cross_entropy, triplet_margin_loss

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.contract.recipe import Moment
from topdb.methods.contract.resolving import plain, resolved
from topdb.methods.parts.augmentation import CropLarger, EraseMore, Jitter, augmented

PYRNET = find("pyrnet")
STAND_INS = {"resnet50": "small", "resnet101": "small", "densenet201": "small"}
MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones=STAND_INS, without=("erase",)
)
FIRST, LAST = Moment(0, 0.0), Moment(99, 99.0)
ORDER = [0, 2, 4, 6, 1, 3, 5, 7, 3, 5, 7, 1]
"""Anchors, positives and negatives of the golden training batch."""
PARTS = {"a": slice(0, 4), "p": slice(4, 8), "n": slice(8, 12)}


def made(scale=MINI, identities=10, side="released", **changes):
    recipe = resolved(PYRNET, "pyrnet", side, scale, [RecipeChanges(**changes)] if changes else [])
    return build(PYRNET, recipe, identities, scale)


@pytest.fixture(autouse=True, scope="module")
def _undrawn():
    """Leave weights alone where torchvision has them drawn, which takes seconds."""

    def kaiming_normal_(weight, *given, draw=nn.init.kaiming_normal_, **named):
        return draw(weight, *given, **named) if given or named else weight

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.init, "kaiming_normal_", kaiming_normal_)
        yield


@pytest.fixture(scope="module", params=[256, 384])
def height(request):
    return request.param


@pytest.fixture(scope="module")
def network(height):
    return golden.filled(made(ScaleSettings(size=(height, height // 2))))


def folder(height):
    return f"pyrnet_densenet201_{height}"


def test_state_has_the_released_names_and_shapes(network, height):
    golden.assert_names_and_shapes(network, folder(height))
    names = network.released({})
    assert names.classifier in golden.shapes(folder(height))
    assert not names.absent
    assert not names.unused


def test_features_are_those_of_the_released_code(network, height):
    expected = golden.arrays(folder(height))
    network.eval()
    images = golden.images(height, height // 2)
    with torch.inference_mode():
        embedded = network.embed(images)
        maps = network.backbone.taps(images, network.taps)
        for number, (pyramid, features) in enumerate(
            zip(network.pyramids, maps, strict=True), start=1
        ):
            golden.assert_near(pyramid.pooled(features), expected[f"pyr{number}"], 1e-5)
            golden.assert_near(pyramid(features), expected[f"bottleneck{number}"], 1e-5)
            golden.assert_near(embedded[:, number - 1], expected[f"bottleneck{number}_l2"], 1e-5)
            golden.assert_near(
                embedded[:, number + 3], expected[f"bottleneck{number}_flip_l2"], 1e-5
            )
    assert embedded.shape == (2, 8, 512)
    distance = (embedded[0] - embedded[1]).norm(dim=1).sum()
    golden.assert_near(distance[None], expected["fused_distance_0_1"], 1e-5)


def test_training_is_that_of_the_released_code(network, height):
    expected, losses = golden.arrays(folder(height)), golden.numbers(folder(height))
    golden.filled(network)
    network.dropout.p = 0.0
    network.begin(FIRST)
    images, people = golden.images(height, height // 2, 8)[ORDER], golden.LABELS[ORDER]
    for layer in network.backbone.modules():
        if hasattr(layer, "memory_efficient"):
            layer.memory_efficient = True  # some of it is computed anew in the backward pass
    with torch.set_grad_enabled(height == 256):
        outputs = network(images, FIRST, torch.Generator())
    for part, rows in PARTS.items():
        for number in range(1, 5):
            golden.assert_near(
                outputs["features"][number - 1, rows],
                expected[f"train_{part}_bottleneck{number}"],
                5e-4,
            )
    for name, rows in zip(("anchor", "pos", "neg"), PARTS.values(), strict=True):
        summed = sum(cross_entropy(each[rows], people[rows]).item() for each in outputs["logits"])
        assert summed == pytest.approx(losses[f"class_{name}"], rel=2e-4)
    first = network.losses(outputs, people, FIRST, torch.Generator())
    assert first["triplet"].item() / 0.05 == pytest.approx(losses["triplet_sum"], rel=2e-4)
    assert sum(first.values()).item() == pytest.approx(losses["total_alpha005"], rel=2e-4)

    if height == 256:
        for moment, key in ((FIRST, "grad_norm"), (LAST, "grad_norm_alpha_0.981")):
            weighted = network.losses(outputs, people, moment, torch.Generator())
            assert_gradients(network, sum(weighted.values()), golden.gradients(folder(height))[key])


def assert_gradients(network, loss, expected):
    network.zero_grad()
    loss.backward(retain_graph=True)
    names = network.released({})
    norms = {
        names.released(name): each.grad.double().norm()
        for name, each in network.named_parameters()
        if each.grad is not None
    }
    norms["all_parameters"] = torch.stack(list(norms.values())).norm()
    for name, norm in expected.items():
        assert norms[name].item() == pytest.approx(norm, rel=2e-3), name


def test_recipe_of_the_released_code():
    recipe = PYRNET.recipes["released"]
    assert (recipe.size, recipe.resize, recipe.interpolation) == ((384, 192), (408, 204), "bicubic")
    assert (recipe.epochs, recipe.people, recipe.images, recipe.clip) == (100, 10, 3, None)
    kinds = [each["kind"] for each in plain(recipe)["augmentation"]]
    assert kinds == ["Jitter", "CropLarger", "EraseMore", "Flip", "Normalise"]
    jitter, crop, erase, flip, _ = recipe.augmentation
    assert jitter == Jitter(brightness=0.1, contrast=0.1, saturation=0.1)
    assert crop == CropLarger(408 / 384)
    assert erase == EraseMore(
        area=(0.02, 0.2), aspect=(0.3, 3.3333), fill=(123, 116, 103), anywhere=False
    )
    assert flip.p == 0.5
    for rule in recipe.rules.values():
        assert (rule.momentum, rule.nesterov, rule.weight_decay) == (0.9, True, 5e-4)
    options = recipe.options
    assert (options.maps, options.levels) == ((32, 64, 128, 256), (7, 6, 5, 4))
    assert (options.bottleneck, options.dropout, options.margin) == (512, 0.5, 0.1)
    assert (options.anchors, options.farthest, options.nearest) == (5000, 3, 10)


def test_described_recipe_says_that_it_is_not_verified():
    released, described = PYRNET.recipes["released"], PYRNET.recipes["described"]
    assert "nothing in it was checked" in described.note
    before, after = plain(released), plain(described)
    assert not before["augmentation"][2].pop("anywhere")
    assert after["augmentation"][2].pop("anywhere")
    assert before | {"note": ""} == after | {"note": ""}


@pytest.mark.parametrize(("group", "base"), [("new", 0.1), ("backbone", 0.01)])
def test_learning_rate_of_every_epoch(group, base):
    recipe = PYRNET.recipes["released"]
    rates = [
        recipe.schedule.rate(recipe.rules[group].rate, Moment(epoch, float(epoch)), 100)
        for epoch in range(100)
    ]
    expected = [base] * 40 + [base * 0.1] * 40 + [base * 0.01] * 20
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_erasing_grows_from_the_third_epoch_on():
    erase = PYRNET.recipes["released"].augmentation[2]
    found = [erase.probability(Moment(epoch, float(epoch))) for epoch in range(100)]
    expected = [0.5] + [0.5 + (epoch - 1) * 0.0045 for epoch in range(1, 100)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_weight_moves_from_cross_entropy_to_triplets():
    network = made(identities=10)
    flat = {"features": torch.ones(4, 24, 64), "logits": torch.zeros(4, 24, 10)}
    people = torch.arange(24) % 10
    for epoch in range(100):
        share = 0.05 + max(0, epoch - 1) * 0.0095
        losses = network.losses(flat, people, Moment(epoch, epoch + 0.9), torch.Generator())
        assert losses["triplet"].item() == pytest.approx(share * 4 * 0.1, rel=1e-5)
        assert losses["cross_entropy"].item() == pytest.approx((1 - share) * 4 * np.log(10))


def test_losses_are_sums_over_pyramids_and_means_over_passes():
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "features": torch.randn(4, 24, 64, generator=generator),
        "logits": torch.randn(4, 24, 10, generator=generator),
    }
    people = torch.randint(0, 10, (24,), generator=generator)
    found = made().losses(outputs, people, FIRST, generator)
    identity = sum(
        cross_entropy(logits[8 * part : 8 * part + 8], people[8 * part : 8 * part + 8]) / 3
        for logits in outputs["logits"]
        for part in range(3)
    )
    triplet = sum(triplet_margin_loss(*each.chunk(3), margin=0.1) for each in outputs["features"])
    assert found["cross_entropy"].item() == pytest.approx(0.95 * identity.item(), rel=1e-5)
    assert found["triplet"].item() == pytest.approx(0.05 * triplet.item(), rel=1e-5)


def test_groups_have_every_parameter_that_trains_once():
    network = made()
    groups = network.groups()
    assert set(groups) == set(network.recipe.rules)
    found = [id(each) for group in groups.values() for each in group]
    trained = [id(each) for each in network.parameters() if each.requires_grad]
    assert sorted(found) == sorted(trained)
    assert {id(each) for each in network.backbone.parameters()} == set(map(id, groups["backbone"]))


def test_starting_weights():
    network = made(ScaleSettings(size=(256, 128), backbones=STAND_INS), identities=751)
    network.initialise(torch.Generator().manual_seed(0))
    for pyramid in network.pyramids:
        convolution, linear = pyramid.convolution, pyramid.linear
        inputs = convolution.in_channels
        assert convolution.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.2)
        assert convolution.bias.abs().max() <= inputs**-0.5
        assert linear.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.01)
        assert not linear.bias.any()
        for norm in (pyramid.map_norm, pyramid.norm):
            assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.015)
            assert norm.weight.std().item() == pytest.approx(0.02, rel=0.4)
            assert not norm.bias.any()
    for classifier in network.classifiers:
        assert classifier.weight.std().item() == pytest.approx(0.001, rel=0.01)
        assert not classifier.bias.any()
    weights = {
        name: torch.full_like(value, 2) for name, value in network.backbone.state_dict().items()
    }
    network.start(weights)
    assert all((value == 2).all() for value in network.backbone.state_dict().values())


def random_look(parts=4, seed=0):
    def look(rows, embed):
        features = np.random.default_rng(seed).standard_normal((len(rows), parts, 8))
        found = features / np.linalg.norm(features, axis=2, keepdims=True)
        return found.astype(np.float32)

    return look


@pytest.mark.parametrize(
    ("images", "anchors"), [(12936, 5000), (5000, 5000), (4999, 1932), (900, 348)]
)
def test_batches_are_anchors_positives_negatives(images, anchors):
    network = made()
    people = np.arange(images) % 96
    batches = network.batches(people, FIRST, np.random.default_rng(0), random_look())
    assert len(batches) == anchors // 8
    first, positives, negatives = np.stack(batches).reshape(-1, 3, 8).transpose(1, 0, 2)
    assert len(np.unique(first)) == first.size
    assert (people[first] == people[positives]).all()
    assert (people[first] != people[negatives]).all()
    assert not (np.diff(first.ravel()) > 0).all()
    again = network.batches(people, FIRST, np.random.default_rng(0), random_look())
    np.testing.assert_array_equal(batches, again)


def test_mining_sees_the_images_as_they_are():
    network = made().eval()
    seen = {}

    def look(rows, embed):
        seen["rows"], seen["features"] = rows, embed(torch.zeros(len(rows), 3, 96, 32))
        return seen["features"].detach().numpy()

    network.batches(np.arange(100) % 10, FIRST, np.random.default_rng(0), look)
    assert len(seen["rows"]) == round(100 * 5000 / 12936)
    assert seen["features"].shape == (39, 4, 64)
    assert seen["features"].norm(dim=2).sub(1).abs().max() < 1e-5


def test_too_few_images_or_people():
    network = made()
    with pytest.raises(UserError, match=r"18 training images give 7 .*: lower scale.people"):
        network.batches(np.arange(18) % 2, FIRST, np.random.default_rng(0), random_look())
    with pytest.raises(UserError, match="all 39 anchors drawn .* show one person"):
        network.batches(np.zeros(100, np.int64), FIRST, np.random.default_rng(0), random_look())


def test_mini_scale_has_as_many_levels_as_rows_allow():
    network = made()
    assert network.taps == ("stem", "layer1", "layer2", "layer4")
    stripes = [1 + 2 + 4 + 8 + 24] * 2 + [1 + 2 + 4 + 12] * 2
    assert [each.linear.in_features for each in network.pyramids] == [
        maps * count for maps, count in zip((4, 8, 16, 32), stripes, strict=True)
    ]
    assert network.eval().embed(torch.zeros(2, 3, 96, 32)).shape == (2, 8, 64)
    assert network.feature_map(torch.zeros(2, 3, 96, 32)).shape == (2, 64, 12, 4)


def test_mini_training_lowers_the_losses_and_moves_everything():
    network = made()
    network.initialise(torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe, generator = network.recipe, torch.Generator().manual_seed(0)
    optimisers = [
        torch.optim.SGD(each, lr=0.2 * rule.rate, momentum=0.9, nesterov=True)
        for each, rule in zip(
            map(network.groups().get, recipe.rules), recipe.rules.values(), strict=True
        )
    ]
    people = np.repeat(np.arange(10), 9)
    coarse = torch.randint(0, 256, (10, 3, 6, 2), generator=generator).float()
    images = nn.functional.interpolate(coarse, recipe.resize)[people].to(torch.uint8)
    rng, totals = np.random.default_rng(0), []
    for number in range(3):
        moment = Moment(number, 20.0 * number)
        for rows in network.batches(people, moment, rng, random_look(seed=number)):
            network.begin(moment)
            torch.manual_seed(len(totals))
            shown = augmented(images[rows], recipe.augmentation, generator, moment)
            assert shown.shape == (24, 3, 96, 32)
            losses = network.losses(
                network(shown, moment, generator), torch.from_numpy(people[rows]), moment, generator
            )
            assert list(losses) == ["cross_entropy", "triplet"]
            for each in optimisers:
                each.zero_grad()
            sum(losses.values()).backward()
            for each in optimisers:
                each.step()
            totals.append(losses["cross_entropy"].item())
    assert np.mean(totals[-3:]) < 0.7 * np.mean(totals[:3])
    still = [name for name, value in network.state_dict().items() if value.equal(before[name])]
    assert not still
    assert network.pyramids[0].norm.num_batches_tracked == 3 * len(totals)


def test_one_batch_is_three_passes():
    joint, apart = made(), made()
    joint.initialise(torch.Generator().manual_seed(0))
    apart.load_state_dict(joint.state_dict())
    for layer in apart.modules():
        if hasattr(layer, "passes"):
            layer.passes = 1
    joint.dropout.p = apart.dropout.p = 0.0
    images = torch.randn(24, 3, 96, 32, generator=torch.Generator().manual_seed(1))
    together = joint.train()(images, FIRST, torch.Generator())["features"]
    apart.train()
    alone = torch.cat(
        [apart(each, FIRST, torch.Generator())["features"] for each in images.chunk(3)], dim=1
    )
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    for (name, one), other in zip(
        joint.state_dict().items(), apart.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)


def test_dropout_follows_torchs_seed():
    network = made().train()
    images = torch.randn(24, 3, 96, 32)

    def features(seed):
        torch.manual_seed(seed)
        return network(images, FIRST, torch.Generator())["features"]

    assert features(1).equal(features(1))
    assert not features(1).equal(features(2))
    assert (features(1) == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_dense_network_takes_sizes_that_strides_do_not_divide():
    network = made(ScaleSettings(size=(300, 90)))
    shapes = zip(network.pyramids, (32, 64, 128, 256), (75, 37, 18, 9), strict=True)
    for pyramid, maps, rows in shapes:
        stripes = sum(rows // (rows // 2**level) for level in range(pyramid.levels))
        assert pyramid.linear.in_features == maps * stripes
    with torch.inference_mode():
        assert network.eval().embed(torch.zeros(1, 3, 300, 90)).shape == (1, 8, 512)


def test_too_low_images_are_refused():
    with pytest.raises(
        UserError,
        match=r"pyrnet's pyramid after denseblock1 has 7 levels, which need 64 rows, and the "
        r"images give 62: .* height of at least 256\.",
    ):
        made(ScaleSettings(size=(248, 124)))
    with pytest.raises(UserError, match="pyrnet's images are 256x16, .* 32 pixels"):
        made(ScaleSettings(size=(256, 16)))


def test_pyramids_need_maps_and_levels():
    with pytest.raises(UserError, match="3 pyramids by its option maps, 4 by levels"):
        made(options={"maps": (8, 8, 8)})
    with pytest.raises(UserError, match="6 pyramids by its option maps, 6 by levels, and stages"):
        made(options={"maps": (8,) * 6, "levels": (1,) * 6})
    with pytest.raises(UserError, match=r"changes.pyrnet.options.levels.0 is 0: "):
        made(options={"levels": (0, 1, 1, 1)})
    fewer = made(options={"maps": (8, 16), "levels": (3, 2)})
    assert fewer.taps == ("layer2", "layer4")


def test_full_scale_is_the_default():
    assert resolved(PYRNET, "pyrnet", "released", FULL) == PYRNET.recipes["released"]
    assert resolved(PYRNET, "pyrnet", "released", MINI).resize == (102, 34)
