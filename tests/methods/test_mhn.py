"""MHN against numbers of its authors' code, and its recipe against that code's facts."""

import copy
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from methods.golden import (
    IDENTITIES,
    LABELS,
    arrays,
    assert_names_and_shapes,
    assert_near,
    golden_value,
    gradients,
    images,
    numbers,
)
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, normalize

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.contract import SGD, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.mhn import MHN
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.batches import uniform_people
from topdb.methods.parts.high_order import HighOrderAttention, OrderAdversary, reversed_gradient
from topdb.methods.parts.stripes import adaptive_stripe_averages

MINI = ScaleSettings(
    size=(96, 32),
    epochs=5,
    people=8,
    width=0.125,
    backbones={"resnet50": "small"},
    without=("erase",),
)
MOMENT = Moment(0, 0.0)
GENERATOR = torch.Generator()
FOLDERS = {
    "released": "mhn6_pcb",
    "described": "mhn6_pcb",
    "pcb-4": "mhn4_pcb",
    "ide": "mhn6_ide",
    "pcb-baseline": "mhn_pcb_baseline",
    "ide-baseline": "mhn_ide_baseline",
}
SIZES = {side: (128, 64) if "ide" in side else (192, 64) for side in FOLDERS}


def mhn(side: str, scale: ScaleSettings = FULL, *changes: RecipeChanges) -> MHN:
    method = build(MHN, resolved(MHN, "mhn", side, scale, changes), IDENTITIES, scale)
    assert isinstance(method, MHN)
    return method


def started(side: str, scale: ScaleSettings = MINI, *changes: RecipeChanges) -> MHN:
    method = mhn(side, scale, *changes)
    method.initialise(torch.Generator().manual_seed(0))
    return method


@cache
def golden(side: str) -> MHN:
    """The network of the golden numbers; its adversary has names of its own behind them."""
    method = mhn(side, FULL, RecipeChanges(size=SIZES[side]))
    names = method.released({})
    method.load_state_dict(
        {
            own: torch.from_numpy(
                np.asarray(
                    golden_value(
                        names.released(own) or own.removeprefix("adversary."), tuple(value.shape)
                    )
                )
            )
            for own, value in method.state_dict().items()
        }
    )
    return method


def learned(method: MHN) -> dict[str, nn.Parameter]:
    """Parameters by released name, the adversary's by their own."""
    names = method.released({})
    return {names.released(own) or own: each for own, each in method.named_parameters()}


def norm(values: list[nn.Parameter]) -> float:
    gradients = [each.grad for each in values if each.grad is not None]
    return float(torch.cat([each.flatten() for each in gradients]).double().norm())


def test_is_found_by_its_name_and_called_as_in_the_table() -> None:
    assert find("mhn") is MHN
    assert MHN.title == "MHN (Chen 2019)"
    assert set(MHN.recipes) == set(FOLDERS)
    assert all(recipe.note.endswith(".") for recipe in MHN.recipes.values())


@pytest.mark.parametrize("side", [side for side in FOLDERS if side != "described"])
def test_has_the_released_names_and_shapes(side: str) -> None:
    method = golden(side)
    assert_names_and_shapes(method, FOLDERS[side])
    names = method.released({})
    state = method.state_dict()
    (classifier,) = (own for own in state if names.released(own) == names.classifier)
    assert state[classifier].shape[0] == IDENTITIES
    absent = {own.split(".")[0] for own in state if names.released(own) is None}
    assert absent == (set() if "baseline" in side else {"adversary"})


@pytest.mark.parametrize("side", [side for side in FOLDERS if side != "described"])
def test_has_the_released_test_features(side: str) -> None:
    expected, method = arrays(FOLDERS[side]), golden(side).eval()
    tolerance = 2e-4 if FOLDERS[side] == "mhn6_pcb" else 1e-4
    with torch.inference_mode():
        shown = images(*SIZES[side])
        outputs = method(shown, MOMENT, GENERATOR)
        found = method.embed(shown)
    features = outputs["features"]
    blocks = features.view(-1, 2, features.shape[2]).permute(1, 2, 0)
    assert_near(blocks.reshape(expected["raw"].shape), expected["raw"], tolerance)
    alone = normalize(blocks, dim=1).flatten(1) / blocks.shape[2] ** 0.5
    assert_near(alone, expected["features"], tolerance)
    assert_near(found, expected["features_flip"], tolerance)
    assert torch.allclose(found.norm(dim=1), torch.ones(2))
    for number, logits in enumerate(outputs["logits"]):
        if "baseline" not in side:
            assert_near(logits, expected[f"logits{number}"], tolerance)


@pytest.mark.parametrize("side", ["released", "pcb-4", "ide"])
def test_has_the_released_losses_and_gradients(side: str) -> None:
    expected = gradients(FOLDERS[side])
    method, alpha = golden(side).train(), MHN.recipes[side].options.alpha
    method.zero_grad()
    outputs = method(images(*SIZES[side], 8), MOMENT, GENERATOR)
    losses = method.losses(outputs, LABELS, MOMENT, GENERATOR)
    assert list(losses) == ["cross_entropy", "adversary"]
    total = losses["cross_entropy"] + losses["adversary"]

    known = expected["losses"]
    found = {
        "loss_sm": losses["cross_entropy"],
        "loss_div": losses["adversary"] / alpha,
        "total": total,
    }
    for number, logits in enumerate(outputs["logits"]):
        found[f"ce_{number}"] = cross_entropy(logits, LABELS)
    adversary = method.adversary
    assert adversary is not None
    for number, features in enumerate(outputs["features"]):
        found[f"div_{number}"] = adversary(features)
    assert found.keys() == known.keys()
    for name, value in found.items():
        assert value.item() == pytest.approx(known[name], rel=2e-4), name

    total.backward()  # type: ignore[no-untyped-call]
    parameters = learned(method)
    moved = method.groups()["backbone"] + method.groups()["rest"]
    for name, value in expected["grad_norm"].items():
        # Behind the last map rounding is small enough to show a gradient of the wrong sign.
        near = 2e-5 if name.startswith(("fc", "classifier")) else 2e-3
        parts = moved if name == "all_parameters" else [parameters[name]]
        assert norm(parts) == pytest.approx(value, rel=near), name


def test_the_adversarys_share_of_the_gradients_is_the_released_one() -> None:
    expected = gradients("mhn6_ide")
    method = golden("ide").train()
    adversary = method.adversary
    assert adversary is not None
    adversary.requires_grad_(True)
    method.zero_grad()
    with torch.no_grad():
        maps = method._maps(images(*SIZES["ide"], 8))
    features = method.head(maps)
    adversary(features[0]).backward()
    adversary.requires_grad_(False)
    parameters = learned(method)
    share = expected["grad_norm_loss_div_reversed"]
    assert norm([parameters["fc.0.weight"]]) == pytest.approx(share["fc.0.weight"], rel=1e-4)
    assert parameters["classifier5.0.weight"].grad is None
    for name, value in expected["grad_norm_adversary_of_loss_div"].items():
        own = norm([parameters["adversary." + name.removeprefix("adv.")]])
        assert own == pytest.approx(value, rel=1e-4, abs=1e-7), name


def test_an_attention_module_is_the_released_one() -> None:
    expected, shapes = (
        arrays("mhn_modules", "modules.npz"),
        numbers("mhn_modules", "hoa3_shapes.json"),
    )
    module = HighOrderAttention(512, 128, [3])
    names = {own: name.removeprefix("HIGH2.") for own, name in module.released().items()}
    state = {own: names[own.removesuffix(".weight")] + ".weight" for own in module.state_dict()}
    assert {name: list(module.state_dict()[own].shape) for own, name in state.items()} == shapes
    module.load_state_dict(
        {
            own: torch.from_numpy(golden_value(name, tuple(shapes[name])))
            for own, name in state.items()
        }
    )
    found = module(torch.from_numpy(expected["hoa3_in"]))
    assert_near(found, expected["hoa3_out"], 1e-5)


def test_the_adversary_is_the_released_one() -> None:
    expected, shapes = (
        arrays("mhn_modules", "modules.npz"),
        numbers("mhn_modules", "advdiv_shapes.json"),
    )
    adversary = OrderAdversary(256, 128, orders=4).train()
    state = adversary.state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == shapes
    adversary.load_state_dict(
        {
            name: torch.from_numpy(np.asarray(golden_value(name, tuple(shapes[name]))))
            for name in state
        }
    )
    features = torch.from_numpy(expected["adv_in"]).requires_grad_()
    distance = adversary(features)
    distance.backward()
    assert distance.item() == pytest.approx(expected["adv_loss"].item(), rel=1e-5)
    assert features.grad is not None
    assert_near(features.grad, expected["adv_grad_reversed"], 1e-4)
    assert_near(-features.grad, expected["adv_grad_no_reversal"], 1e-4)
    weight = adversary.fc_pre[0].weight.grad
    assert isinstance(weight, Tensor)
    assert_near(weight, expected["adv_fc_pre_weight_grad"], 1e-4)


@pytest.mark.parametrize("orders", [[1], [2, 4], [1, 2, 3]])
def test_attention_is_the_formula_of_each_module(orders: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    module = HighOrderAttention(8, 4, orders)
    features = torch.randn(2, 8, 5, 3, generator=generator)
    expected = []
    for order in orders:
        gates = torch.zeros_like(features)
        for power in range(1, order + 1):
            product = torch.ones(2, 4, 5, 3)
            for number in range(1, power + 1):
                product = product * module.factors[f"{order}_{power}_{number}"](features)
            gates += module.projections[f"{order}_{power}"](product.relu()).sigmoid()
        expected.append(features * gates / order)
    torch.testing.assert_close(module(features), torch.cat(expected))


def test_a_reversed_gradient_leaves_the_values_alone() -> None:
    values = torch.randn(1000, generator=GENERATOR).requires_grad_()
    found = reversed_gradient(values)
    found.square().sum().backward()
    assert torch.equal(found, values)
    assert values.grad is not None
    assert torch.equal(values.grad, -2 * values.detach())


@pytest.mark.parametrize(
    ("rows", "columns", "count"), [(12, 4, 3), (16, 8, 3), (5, 2, 3), (9, 5, 1)]
)
def test_stripes_are_those_of_adaptive_pooling(rows: int, columns: int, count: int) -> None:
    features = torch.randn(2, 6, rows, columns, generator=GENERATOR)
    found = torch.stack(adaptive_stripe_averages(features, count), dim=2)
    torch.testing.assert_close(found, adaptive_avg_pool2d(features, (count, 1)).squeeze(3))


@pytest.mark.parametrize("side", FOLDERS)
def test_learns_by_the_released_recipe(side: str) -> None:
    recipe = MHN.recipes[side]
    assert recipe.size == ((288, 144) if "ide" in side else (336, 168))
    assert recipe.interpolation == "bicubic"
    assert recipe.resize is None
    assert (recipe.epochs, recipe.people, recipe.images) == (70, 16, 2)
    assert recipe.clip == 20.0
    assert recipe.fresh == ()
    assert recipe.augmentation == (
        Flip(0.5),
        Normalise(),
        Erase(0.4, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3), fill=(0.0, 0.0, 0.0)),
    )
    assert recipe.rules == {
        "backbone": SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
        "rest": SGD(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
    }
    for epoch in range(70):
        for rule, start in (("backbone", 0.01), ("rest", 0.1)):
            for part in (0.0, 0.999):
                moment = Moment(epoch, epoch + part)
                rate = recipe.schedule.rate(recipe.rules[rule].rate, moment, recipe.epochs)
                assert rate == pytest.approx(start * 0.1 ** (epoch // 20))
    options = recipe.options
    assert options.head == ("ide" if "ide" in side else "pcb")
    assert options.orders == {"pcb-4": 4}.get(side, 0 if "baseline" in side else 6)
    assert options.train_adversary == (side == "described")
    if "baseline" not in side:
        assert options.alpha == (1.4 if side == "ide" else 2.0)


def test_the_head_decides_stripes_strides_and_lengths() -> None:
    shown = torch.zeros(1, 3, 96, 64)
    for side, stripes, blocks, width in (
        ("released", 3, 18, 256),
        ("ide", 1, 6, 256),
        ("pcb-baseline", 3, 3, 256),
        ("ide-baseline", 1, 1, 512),
    ):
        method = golden(side).eval()
        with torch.inference_mode():
            features = method(shown, MOMENT, GENERATOR)["features"]
            shape = method.feature_map(shown).shape
            assert method.embed(shown).shape == (1, blocks * width)
        assert features.shape == (stripes, blocks // stripes, width)
        assert shape == (1, 2048 * blocks // stripes, *((3, 2) if "ide" in side else (6, 4)))
        lengths = features.norm(dim=2)
        assert torch.allclose(lengths, torch.full_like(lengths, 20.0)) == (side == "released")


def test_both_sides_are_the_same_network() -> None:
    released, described = mhn("released", MINI), mhn("described", MINI)
    shapes = [
        {name: value.shape for name, value in each.state_dict().items()}
        for each in (released, described)
    ]
    assert shapes[0] == shapes[1]
    assert released.released({}) == described.released({})


def test_an_adversary_that_is_not_trained_belongs_to_no_group() -> None:
    for side in FOLDERS:
        method = mhn(side, MINI)
        moved = {id(each) for group in method.groups().values() for each in group}
        assert set(method.groups()) == set(method.recipe.rules)
        assert sum(map(len, method.groups().values())) == len(moved)
        for name, each in method.named_parameters():
            trained = side == "described" or not name.startswith("adversary.")
            assert (id(each) in moved) == trained
            assert each.requires_grad == trained
        slow = {id(each) for each in method.groups()["backbone"]}
        assert slow == {id(each) for each in method.backbone.parameters()}


def test_starting_weights_are_distributed_as_the_authors_draw_them() -> None:
    method = started("described", ScaleSettings(size=(96, 32), backbones={"resnet50": "small"}))
    state = {name: value for name, value in method.state_dict().items() if value.ndim}
    attention, adversary = method.attention, method.adversary
    assert isinstance(attention, HighOrderAttention)
    assert adversary is not None
    drawn = {
        "attention.factors": (torch.cat([p.flatten() for p in attention.factors.parameters()]), 32),
        "attention.projections": (
            torch.cat([p.flatten() for p in attention.projections.parameters()]),
            128,
        ),
        "adversary.fc_pre": (state["adversary.fc_pre.0.weight"], 256),
        "adversary.fc": (state["adversary.fc.2.weight"], 128),
        "adversary.fc bias": (state["adversary.fc.2.bias"], 128),
    }
    for values, inputs in drawn.values():
        bound = inputs**-0.5
        assert 0.95 * bound < values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.2)
    for stripe in range(3):
        weight = state[f"head.reductions.{stripe}.0.weight"]
        assert weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.05)
        assert state[f"head.reductions.{stripe}.0.bias"].abs().max() == 0
        scale = state[f"head.reductions.{stripe}.1.weight"]
        assert scale.mean().item() == pytest.approx(1.0, abs=0.01)
        assert scale.std().item() == pytest.approx(0.02, rel=0.2)
    for number in range(18):
        weight = state[f"head.classifiers.{number}.weight"]
        assert weight.std().item() == pytest.approx(0.001, rel=0.1)
        assert state[f"head.classifiers.{number}.bias"].abs().max() == 0


@pytest.mark.parametrize("side", FOLDERS)
def test_a_few_small_steps_lower_the_losses_and_move_what_learns(side: str) -> None:
    method = started(side).train()
    method.begin(MOMENT)
    before = copy.deepcopy(method.state_dict())
    people = torch.arange(8).repeat_interleave(2)
    looks = torch.randn(8, 3, 96, 32, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(6, 16, 3, 96, 32, generator=torch.Generator().manual_seed(2))
    groups, recipe = method.groups(), method.recipe
    optimiser = torch.optim.SGD(
        [{"params": group, "lr": recipe.rules[name].rate} for name, group in groups.items()],
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
    )
    history = []
    for step in noise:
        losses = method.losses(
            method(looks[people] + 0.1 * step, MOMENT, GENERATOR), people, MOMENT, GENERATOR
        )
        assert all(value.ndim == 0 and value.dtype == torch.float32 for value in losses.values())
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm_of_all = torch.nn.utils.clip_grad_norm_(
            [each for group in groups.values() for each in group], 20.0
        )
        assert norm_of_all.isfinite()
        optimiser.step()
        history.append(losses["cross_entropy"].item())
    assert min(history[3:]) < 0.9 * history[0]
    for name, value in method.state_dict().items():
        frozen = name.startswith("adversary.") and side != "described"
        moves = not frozen or "running" in name or "tracked" in name
        # A bias before a norm has no effect, so only rounding moves it.
        if name != "adversary.fc.2.bias":
            assert torch.equal(value, before[name]) != moves, name


def test_the_mini_scale_keeps_stripes_and_orders() -> None:
    method = started("released").eval()
    with torch.inference_mode():
        shown = torch.randn(3, 3, 96, 32, generator=torch.Generator().manual_seed(0))
        together = method.embed(shown)
        alone = torch.cat([method.embed(image[None]) for image in shown])
        assert method.feature_map(shown).shape == (3, 6 * 64, 12, 4)
    assert together.shape == (3, 18 * 32)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    attention = method.attention
    assert isinstance(attention, HighOrderAttention)
    assert len(attention.factors) == 56
    assert len(attention.projections) == 21
    assert attention.factors["6_6_6"].get_parameter("weight").shape == (16, 32, 1, 1)


def test_the_same_generator_gives_the_same_start() -> None:
    first, second = started("described").state_dict(), started("described").state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_any_input_size_is_trained_on() -> None:
    for size in ((100, 36), (41, 17), (80, 40)):
        scale = MINI.model_copy(update={"size": size})
        method = started("released", scale).train()
        outputs = method(torch.zeros(4, 3, *size), MOMENT, GENERATOR)
        assert outputs["logits"].shape == (18, 4, IDENTITIES)


def test_one_order_needs_no_adversary() -> None:
    method = started("released", MINI, RecipeChanges(options={"orders": 1}))
    outputs = method.train()(torch.zeros(4, 3, 96, 32), MOMENT, GENERATOR)
    people = torch.tensor([0, 0, 1, 1])
    assert list(method.losses(outputs, people, MOMENT, GENERATOR)) == ["cross_entropy"]
    assert method.adversary is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"orders": -1}, "changes.mhn.options.orders"),
        ({"alpha": -1.0}, "changes.mhn.options.alpha"),
        ({"head": "global"}, "changes.mhn.options.head"),
        ({"order": 3}, "'orders'"),
    ],
)
def test_a_mistaken_option_is_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        mhn("released", MINI, RecipeChanges(options=options))
    assert "\n" not in str(error.value)


def test_images_that_are_too_low_for_three_stripes_are_a_mistake() -> None:
    with pytest.raises(UserError, match="16 pixels high give 2 rows") as error:
        mhn("released", MINI.model_copy(update={"size": (16, 32)}))
    assert "scale.size" in str(error.value)
    mhn("ide", MINI.model_copy(update={"size": (16, 32)}))


def test_every_person_is_as_likely_as_any_other() -> None:
    people = np.repeat(np.arange(20), [2] * 10 + [38] * 10)
    rng = np.random.default_rng(0)
    shown: Counter[int] = Counter()
    for _ in range(40):
        batches = uniform_people(people, 4, 2, rng)
        assert len(batches) == 400 // 8 - 1
        for batch in batches:
            seen = people[batch].reshape(4, 2)
            assert (seen[:, 0] == seen[:, 1]).all()
            assert len(set(seen[:, 0].tolist())) == 4
            assert len(set(batch.tolist())) == 8
            shown.update(seen[:, 0].tolist())
    share = np.array([shown[person] for person in range(20)]) / sum(shown.values())
    np.testing.assert_allclose(share, 1 / 20, rtol=0.15)


def test_a_person_shows_every_image_before_one_comes_again() -> None:
    people = np.repeat(np.arange(2), 60)
    drawn = np.concatenate(uniform_people(people, 2, 2, np.random.default_rng(0)))
    for person in range(2):
        own = drawn[people[drawn] == person]
        assert len(own) == 58  # 29 batches; the pile has 30 pairs
        assert len(set(own.tolist())) == 58


def test_batches_count_as_the_authors_count_them() -> None:
    for images_in_all, batches in ((64, 3), (65, 4), (32, 1), (16, 1), (12936, 808)):
        people = np.arange(images_in_all) % 8
        found = mhn("released", MINI).batches(
            people, MOMENT, np.random.default_rng(0), lambda *_: None
        )
        assert len(found) == batches
        assert {len(each) for each in found} == {16}


def test_whoever_has_too_few_images_shows_them_again() -> None:
    people = np.array([0, 1, 1, 2, 2, 2])
    (batch,) = uniform_people(people, 3, 2, np.random.default_rng(0))
    assert sorted(people[batch].tolist()) == [0, 0, 1, 1, 2, 2]


def test_too_few_people_are_a_mistake() -> None:
    with pytest.raises(UserError, match="shows 3 people, fewer than the 4 of a batch"):
        uniform_people(np.array([0, 5, 5, 9]), 4, 2, np.random.default_rng(0))
