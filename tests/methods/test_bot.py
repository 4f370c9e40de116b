"""BoT against numbers of its authors' code, and its recipe against that code's facts."""

from functools import cache

import numpy as np
import pytest
import torch
from methods.golden import (
    IDENTITIES,
    LABELS,
    arrays,
    assert_names_and_shapes,
    assert_near,
    filled,
    gradients,
    images,
    numbers,
)

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.engine.loop import rates
from topdb.methods import build, find
from topdb.methods.bot import BoT
from topdb.methods.contract import SGD, Adam, Method, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts.augmentation import Erase, Flip, Normalise, PadAndCrop
from topdb.methods.parts.stages import average

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
GOLDEN_SIZE = RecipeChanges(size=(128, 64))
MOMENT = Moment(20, 20.0, 20.1)
GENERATOR = torch.Generator()
FILES = {"released": "features.npz", "described": "features_with_stem_relu.npz"}


def bot(side: str, scale: ScaleSettings = FULL, *changes: RecipeChanges) -> Method:
    return build(BoT, resolved(BoT, "bot", side, scale, changes), IDENTITIES, scale)


@cache
def golden(side: str) -> Method:
    """The network of the golden numbers; in double where its gradients are compared."""
    return filled(bot(side, FULL, GOLDEN_SIZE), double=side == "released")


@cache
def trained(side: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Outputs and losses of a training pass; the released one's gradients are taken."""
    method = golden(side).train()
    shown = images(128, 64, 8).to(method.centers.dtype)
    with torch.set_grad_enabled(side == "released"):
        outputs = method(shown, MOMENT, GENERATOR)
        losses = method.losses(outputs, LABELS, MOMENT, GENERATOR)
    if side == "released":
        torch.stack(list(losses.values())).sum().backward()
    return outputs, losses


def test_is_found_by_its_name_and_called_as_in_the_table() -> None:
    assert find("bot") is BoT
    assert BoT.title == "BoT (Luo 2019)"
    assert set(BoT.recipes) == {"released", "described"}


@pytest.mark.parametrize("side", FILES)
def test_has_the_released_names_and_shapes(side: str) -> None:
    method = bot(side)
    assert_names_and_shapes(method, "bot")
    names = method.released({})
    assert names.released("centers") is None
    assert dict(method.state_dict())[names.classifier].shape[0] == IDENTITIES


@pytest.mark.parametrize("side", FILES)
def test_has_the_released_test_features(side: str) -> None:
    expected, method = arrays("bot", FILES[side]), filled(bot(side, FULL, GOLDEN_SIZE)).eval()
    with torch.inference_mode():
        shown = method.feature_map(images(128, 64))
        assert_near(shown, expected["base_map"], 1e-5)
        assert_near(average(shown), expected["before_bn"], 1e-5)
        assert_near(method.neck(average(shown)), expected["after_bn"], 1e-5)
        assert_near(method.embed(images(128, 64)), expected["after_bn_l2"], 1e-5)


@pytest.mark.parametrize("side", FILES)
def test_has_the_released_training_features(side: str) -> None:
    expected, (outputs, _) = arrays("bot", FILES[side]), trained(side)
    assert_near(outputs["features"], expected["train_global_feat"], 5e-4)
    assert_near(outputs["logits"], expected["train_scores"], 5e-4)


def test_has_the_released_losses() -> None:
    expected, (_, losses) = numbers("bot"), trained("released")
    found = {name: each.item() for name, each in losses.items()}
    assert found["cross_entropy"] == pytest.approx(expected["xent_ls01"], rel=2e-4)
    assert found["triplet"] == pytest.approx(expected["triplet_m03"], rel=2e-4)
    assert found["center"] / 0.0005 == pytest.approx(expected["center"], rel=2e-4)
    assert sum(found.values()) == pytest.approx(expected["total"], rel=2e-4)


def test_has_the_released_gradients() -> None:
    trained("released")
    method, expected = golden("released"), gradients("bot")["grad_norm_float64"]
    names = method.released({})
    norms = {
        names.released(name) or name: each.grad.norm().item()
        for name, each in method.named_parameters()
        if each.grad is not None
    }
    centers = norms.pop("centers") / 0.0005
    for name in ("base.conv1.weight", "base.layer3.2.conv2.weight", "classifier.weight"):
        assert norms[name] == pytest.approx(expected[name], rel=1e-6)
    everything = np.linalg.norm(list(norms.values()))
    assert everything == pytest.approx(expected["all_parameters"], rel=1e-6)
    assert centers == pytest.approx(expected["centers_after_division_by_0.0005"], rel=1e-6)


def test_described_center_loss_is_half_the_sum() -> None:
    outputs, losses = trained("described")
    centers = golden("described").centers.detach().numpy()[LABELS.numpy()]
    squares = ((outputs["features"].detach().numpy() - centers) ** 2).sum()
    assert losses["center"].item() == pytest.approx(0.0005 * 0.5 * squares)


@pytest.mark.parametrize("side", ["released", "described"])
def test_recipe_is_that_of_the_configuration(side: str) -> None:
    recipe = BoT.recipes[side]
    assert (recipe.size, recipe.epochs, recipe.people, recipe.images) == ((256, 128), 120, 16, 4)
    assert recipe.augmentation == (
        Flip(0.5),
        PadAndCrop(10),
        Normalise(),
        Erase(0.5, (0.02, 0.4), (0.3, 3.33), fill=(0.485, 0.456, 0.406)),
    )
    assert recipe.rules["network"] == Adam(3.5e-4, (0.9, 0.999), 5e-4, amsgrad=False)
    assert (recipe.clip, recipe.fresh, recipe.resize) == (None, (), None)
    assert recipe.interpolation == "bilinear"


def released_rate(epoch: int) -> float:
    if epoch < 10:
        return 3.5e-4 * (0.01 * (1 - epoch / 10) + epoch / 10)
    return 3.5e-4 if epoch < 40 else 3.5e-5 if epoch < 70 else 3.5e-6


def described_rate(epoch: int) -> float:
    """Equation 1, mended, where epochs count from 1."""
    counted = epoch + 1
    if counted <= 10:
        return 3.5e-4 * counted / 10
    return 3.5e-4 if counted <= 40 else 3.5e-5 if counted <= 70 else 3.5e-6


@pytest.mark.parametrize(
    ("side", "expected"), [("released", released_rate), ("described", described_rate)]
)
def test_learning_rate_of_every_epoch(side: str, expected) -> None:
    recipe = BoT.recipes[side]
    for epoch in range(120):
        for share in (0.0, 0.99):
            moment = Moment(epoch, epoch + share, epoch + share)
            rate = recipe.schedule.rate(recipe.rules["network"].rate, moment, recipe.epochs)
            assert rate == pytest.approx(expected(epoch), rel=1e-12)


def test_groups_hold_every_trained_parameter_once() -> None:
    method = bot("released", MINI)
    groups = method.groups()
    assert groups.keys() == method.recipe.rules.keys()
    assert groups["centers"] == [method.centers]
    grouped = [id(each) for group in groups.values() for each in group]
    trained_ones = {id(each) for each in method.parameters() if each is not method.neck.bias}
    assert set(grouped) == trained_ones
    assert len(grouped) == len(trained_ones)
    assert not method.neck.bias.requires_grad


@pytest.mark.parametrize("side", ["released", "described"])
def test_centers_move_by_a_64th_of_the_way_for_each_image(side: str) -> None:
    # Released: SGD at 0.5 on the mean of 64 squared distances, whose gradient has a factor of 2.
    method = bot(side, MINI).double()
    method.initialise(torch.Generator().manual_seed(0))
    people = torch.arange(IDENTITIES).repeat(7)[:64]
    features = torch.randn(64, 64, dtype=torch.float64)
    outputs = {"features": features, "logits": torch.zeros(64, IDENTITIES)}
    before = method.centers.detach().clone()
    method.losses(outputs, people, MOMENT, GENERATOR)["center"].backward()
    rule = method.recipe.rules["centers"]
    assert rule == SGD(rule.rate, momentum=0.0, nesterov=False, weight_decay=0.0)
    torch.optim.SGD([method.centers], rule.rate).step()
    expected = before.clone()
    for feature, person in zip(features, people, strict=True):
        expected[person] -= (before[person] - feature) / 64
    torch.testing.assert_close(method.centers.detach(), expected)


def test_released_centers_learn_at_half_of_their_undone_weight() -> None:
    assert BoT.recipes["released"].rules["centers"].rate * 0.0005 == pytest.approx(0.5)


def test_starting_weights() -> None:
    method = build(BoT, resolved(BoT, "bot", "released", MINI), 700, MINI)
    method.initialise(torch.Generator().manual_seed(0))
    assert method.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert method.classifier.bias is None
    assert method.centers.std().item() == pytest.approx(1.0, rel=0.02)
    assert (method.neck.weight == 1.0).all()
    assert (method.neck.bias == 0.0).all()


def test_batches_hold_four_images_of_each_of_sixteen_people() -> None:
    people = np.repeat(np.arange(40), 9)
    method = bot("released")
    drawn = method.batches(people, MOMENT, np.random.default_rng(0), lambda rows, embed: rows)
    for batch in drawn:
        found = people[batch].reshape(16, 4)
        assert (found == found[:, :1]).all()
        assert len(set(found[:, 0])) == 16


@pytest.mark.parametrize("size", [(256, 128), (384, 128), (100, 52), (33, 17)])
def test_takes_any_size(size: tuple[int, int]) -> None:
    method = bot("released", MINI, RecipeChanges(size=size)).eval()
    shown = torch.randn(3, 3, *size)
    with torch.inference_mode():
        found = method.embed(shown)
    assert found.shape == (3, 64)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_stem_has_a_relu_only_as_described() -> None:
    def layers(side: str) -> list[str]:
        return [name for name, _ in bot(side).backbone.named_children()]

    assert layers("released") == [name for name in layers("described") if name != "relu"]
    assert "relu" in layers("described")
    changed = RecipeChanges(options={"stem_relu": True})
    assert resolved(BoT, "bot", "released", FULL, [changed]).options.stem_relu


@pytest.mark.parametrize("side", ["released", "described"])
def test_learns_at_the_mini_scale(side: str) -> None:
    method = bot(side, MINI)
    method.initialise(torch.Generator().manual_seed(0))
    recipe, groups = method.recipe, method.groups()
    assert recipe.people * recipe.images == 32
    network = torch.optim.Adam(groups["network"], 3.5e-4, weight_decay=5e-4)
    centers = torch.optim.SGD(groups["centers"], recipe.rules["centers"].rate)
    people = torch.arange(8).repeat_interleave(4)
    looks = torch.randn(8, 3, 96, 32, generator=torch.Generator().manual_seed(1))
    shown = looks.repeat_interleave(4, 0) + 0.3 * torch.randn(32, 3, 96, 32)
    before = {name: each.detach().clone() for name, each in method.named_parameters()}
    history = []
    for _ in range(12):
        method.begin(MOMENT)
        losses = method.losses(method(shown, MOMENT, GENERATOR), people, MOMENT, GENERATOR)
        network.zero_grad()
        centers.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        network.step()
        centers.step()
        history.append({name: each.item() for name, each in losses.items()})
    assert all(history[-1][name] < history[0][name] for name in history[0])
    stood = [
        name for name, each in method.named_parameters() if torch.equal(each.detach(), before[name])
    ]
    assert stood == ["neck.bias"]


@pytest.mark.parametrize("side", ["released", "described"])
def test_the_schedule_leaves_the_centers_rate_alone(side: str) -> None:
    """The authors' scheduler holds the network's optimiser; the centers' own stays as it is."""
    method = build(BoT, BoT.recipes[side], 10, MINI)
    for epoch in range(120):
        found = rates(method, Moment(epoch, float(epoch)))
        assert found["centers"] == BoT.recipes[side].rules["centers"].rate
        assert found["network"] <= BoT.recipes[side].rules["network"].rate
