"""ABD-Net against numbers of VITA-Group/ABD-Net, and its recipes.

The gradients in double take half a minute and show what those in float32 do: `--soak` runs them.
"""

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from methods.golden import (
    IDENTITIES,
    LABELS,
    ZOO,
    arrays,
    assert_names_and_shapes,
    assert_near,
    filled,
    golden_value,
    gradients,
    images,
    numbers,
    released_state,
)
from torch import Tensor, nn

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.abd_net import ABDNet, Options
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts import orthogonality
from topdb.methods.parts.attention import (
    AttentionHead,
    ChannelAttention,
    PositionAttention,
    SharedBatchNorm,
)
from topdb.methods.parts.augmentation import EnlargeAndCrop, Erase, Flip, Normalise
from topdb.methods.parts.orthogonality import eigenvalue_gap, features_penalty, weights_penalty

GOLDEN = ScaleSettings(size=(128, 64))
MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
FIXBASE, BEFORE_OF, WITH_OF = (Moment(0, epoch, epoch) for epoch in (9.99, 32.99, 33.0))
NEW = {"shallow_attention", "fc", "classifier", "attentive", "classifiers"}


def abd_net(side: str, scale: ScaleSettings = FULL, *changes: RecipeChanges) -> ABDNet:
    method = build(ABDNet, resolved(ABDNet, "abd-net", side, scale, changes), IDENTITIES, scale)
    assert isinstance(method, ABDNet)
    return method


def without_dropout(module: nn.Module) -> None:
    for each in module.modules():
        if isinstance(each, nn.Dropout | nn.Dropout2d):
            each.p = 0.0


@cache
def released() -> ABDNet:
    """The network at the golden size with golden weights, in evaluation mode."""
    method = filled(abd_net("released", GOLDEN)).eval()
    assert isinstance(method, ABDNet)
    return method


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The network.


def test_names_and_shapes_are_the_released_ones() -> None:
    assert find("abd-net") is ABDNet
    assert_names_and_shapes(released(), "abdnet")
    names = released().released({})
    assert names is not None
    assert names.classifier == "branches.0.1.classifier.weight"
    assert numbers("abdnet", "shapes.json")[names.classifier][0] == IDENTITIES


@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoints_of_either_branch_order_are_told_apart(prefix: str) -> None:
    order = {"branches.0": "branches.1", "branches.1": "branches.0"}
    state = released_state("abdnet")
    swapped = {order.get(name[:10], name[:10]) + name[10:]: value for name, value in state.items()}
    swapped["common_branch.shallow_cam._cam_module_abc.gamma"] = torch.zeros(1)
    for entries in (state, swapped):
        names = released().released({prefix + name: value for name, value in entries.items()})
        assert names is not None
        for own, value in released().state_dict().items():
            theirs = names.released(own)
            assert theirs is not None
            assert entries[theirs].shape == value.shape
        used = {names.released(own) for own in released().state_dict()}
        assert all(name.startswith(names.unused) for name in set(entries) - used)
        assert entries[names.classifier].shape[0] == IDENTITIES


@torch.no_grad()
def test_features_logits_and_maps_are_the_released_ones() -> None:
    golden = arrays("abdnet")
    assert_near(released().features(images(128, 64)), golden["features"], 1e-5)
    outputs = released()(images(128, 64), WITH_OF, generator())
    assert_near(torch.cat(list(outputs["features"]), dim=1), golden["features"], 1e-5)
    for number in range(3):
        assert_near(outputs["logits"][number], golden[f"logits{number}"], 1e-5)
    # The shallow attention nearly is a choice, in which float32 loses a digit.
    shallow = arrays("abdnet", "maps_shallow.npz")["fmap_intermediate_0"]
    assert_near(outputs["shallow"], shallow, 1e-4)
    found = outputs["deep"].unflatten(0, (4, 2, 2))
    for stripe in range(2):
        deep = arrays("abdnet", f"maps_{stripe}.npz")
        for kind, name in enumerate(("before", "cam", "pam", "after")):
            assert_near(found[kind, stripe], deep[f"fmap_{name}_{stripe}"], 1e-5)
    whole = torch.cat([found[3, 0], found[3, 1]], dim=2)
    torch.testing.assert_close(released().feature_map(images(128, 64)), whole)


@torch.no_grad()
def test_features_in_double() -> None:
    method = filled(abd_net("described", GOLDEN), double=True).eval()
    found = method.features(images(128, 64).double())
    assert_near(found, arrays("abdnet")["features_f64"], 1e-12)


@torch.no_grad()
def test_test_features_are_the_mean_of_image_and_mirror() -> None:
    shown = images(128, 64)
    expected = (released().features(shown) + released().features(shown.flip(3))) / 2
    assert_near(released().embed(shown), expected.numpy(), 1e-6)


@torch.no_grad()
def test_attention_modules_are_the_released_ones() -> None:
    golden = arrays("abdnet", "modules.npz")
    modules = {
        "cam": ChannelAttention(),
        "pam": PositionAttention(32),
        "cam_head": AttentionHead(32, ChannelAttention()),
        "pam_head": AttentionHead(32, PositionAttention(16)),
        "identity_head": AttentionHead(32, nn.Identity()),
    }
    theirs = {
        "reduce": "conv5c",
        "attention": "attention_module",
        "refine": "conv52",
        "expand": "conv7",
        "query": "query_conv",
        "key": "key_conv",
        "value": "value_conv",
    }
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.from_numpy(golden["x"]).contiguous(memory_format=layout)
        for name, module in modules.items():
            names = {
                own: ".".join(theirs.get(part, part) for part in own.split("."))
                for own in module.state_dict()
            }
            shapes = json.loads((ZOO / "abdnet" / f"module_{name}_shapes.json").read_text())
            assert {names[own]: list(v.shape) for own, v in module.state_dict().items()} == shapes
            module.load_state_dict(
                {
                    own: torch.from_numpy(np.asarray(golden_value(names[own], tuple(v.shape))))
                    for own, v in module.state_dict().items()
                }
            )
            assert_near(module.eval()(x), golden[name], 1e-5)


def test_shares_of_a_batch_are_normalised_apart() -> None:
    drawn = torch.randn(6, 5, 3, 2, generator=generator())
    shared, plain = SharedBatchNorm(5, 2), nn.BatchNorm2d(5)
    found = shared(drawn)
    torch.testing.assert_close(found, torch.cat([plain(drawn[:3]), plain(drawn[3:])]))
    torch.testing.assert_close(shared.state_dict(), plain.state_dict())
    torch.testing.assert_close(shared.eval()(drawn), plain.eval()(drawn))


# The penalties.


def golden_starts(normal: bool, *shape: int) -> Tensor:
    """Starts behind the golden numbers, largest and smallest as the last dimension."""
    drawing = [np.random.default_rng([k, 20201012]) for k in (0, 1)]
    drawn = [g.standard_normal(shape) if normal else g.uniform(0, 1, shape) for g in drawing]
    return torch.from_numpy(np.stack(drawn, axis=-1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-6)])
def test_penalties_are_the_released_ones(dtype: torch.dtype, tolerance: float) -> None:
    golden, given = numbers("abdnet", "penalties.json"), arrays("abdnet", "modules.npz")
    maps = torch.from_numpy(given["of_in"]).to(dtype)
    gaps = eigenvalue_gap(maps.flatten(2), golden_starts(True, 4, 64).to(dtype))
    of = 1e-6 * gaps.sum().item() * 32 / 4
    assert of == pytest.approx(golden["of_before"], rel=tolerance)
    assert 0.01 * of == pytest.approx(golden["of_intermediate"], rel=tolerance)
    weight = torch.from_numpy(given["ow_in"]).to(dtype)
    gap = eigenvalue_gap(weight.flatten(1), golden_starts(False, 16).to(dtype)).item()
    assert 1e-2 * gap**2 == pytest.approx(golden["ow"], rel=tolerance)
    assert of < 0.6 * golden["of_before_exact_eig"]
    assert 1e-2 * gap**2 < 0.6 * golden["ow_exact_eig"]


def test_penalties_take_their_starts_from_the_generator() -> None:
    maps, weight = torch.randn(4, 6, 3, 2, generator=generator()), torch.ones(4, 3, 2, 2)
    for penalty in (lambda g: features_penalty(maps, g), lambda g: weights_penalty([weight], g)):
        assert penalty(generator(1)).equal(penalty(generator(1)))
    assert not features_penalty(maps, generator(1)).equal(features_penalty(maps, generator(2)))
    assert abs(orthogonality.normal_starts(torch.ones(50, 50, 1, 1), generator()).mean()) < 0.1
    uniform = orthogonality.uniform_starts(torch.ones(500, 3, 1, 1), generator())
    assert uniform.min() >= 0
    assert abs(uniform.mean() - 0.5) < 0.05


# The losses.


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the penalties start where the golden numbers did."""

    def normal(maps: Tensor, generator: torch.Generator) -> Tensor:
        drawn = golden_starts(True, 8, maps.shape[1]).to(maps.dtype)
        return drawn.repeat(len(maps) // 8, 1, 1)

    def uniform(weight: Tensor, generator: torch.Generator) -> Tensor:
        return golden_starts(False, len(weight)).to(weight.dtype)

    monkeypatch.setattr(orthogonality, "normal_starts", normal)
    monkeypatch.setattr(orthogonality, "uniform_starts", uniform)


@pytest.mark.usefixtures("starts")
def test_losses_and_gradients_are_the_released_ones() -> None:
    assert_losses_and_gradients(False, "", 2e-4, 2e-3)


@pytest.mark.usefixtures("starts")
def test_losses_and_gradients_in_double(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`")
    assert_losses_and_gradients(True, "_float64", 1e-7, 1e-6)


def assert_losses_and_gradients(double: bool, suffix: str, tolerance: float, steep: float) -> None:
    golden = gradients("abdnet")
    expected = golden["losses" + suffix]
    method = filled(abd_net("released", GOLDEN), double=double).train()
    without_dropout(method)
    shown = images(128, 64, 8)
    outputs = method(shown.double() if double else shown, WITH_OF, generator())

    early, late = (method.losses(outputs, LABELS, at, generator()) for at in (FIXBASE, WITH_OF))
    middle = method.losses(outputs, LABELS, BEFORE_OF, generator())
    assert list(early) == list(middle) == list(late)
    found = {name: value.item() for name, value in late.items()}
    assert found == pytest.approx(
        {
            "cross_entropy": expected["xent"],
            "triplet": 0.1 * expected["htri"],
            "orthogonal_features": expected["of"],
            "orthogonal_weights": expected["ow"],
        },
        rel=tolerance,
    )
    totals = {"fixbase": early, "before_epoch_23": middle}
    for name, losses in totals.items():
        total = sum(value.item() for value in losses.values())
        assert total == pytest.approx(expected[f"total_{name}"], rel=tolerance)
    assert sum(found.values()) == pytest.approx(expected["total"], rel=tolerance)

    kinds = outputs["deep"].flatten(2).chunk(4)
    starts = golden_starts(True, 8, 1024).to(outputs["deep"].dtype)
    for name, maps in zip(("before", "cam", "pam", "after"), kinds, strict=True):
        of = 1e-6 * 32 / 8 * eigenvalue_gap(maps, starts.repeat(2, 1, 1)).sum().item() / 2
        assert of == pytest.approx(expected[f"of_{name}"], rel=tolerance)
    for number in range(3):
        own = nn.functional.cross_entropy(outputs["logits"][number], LABELS, label_smoothing=0.1)
        assert own.item() == pytest.approx(expected[f"xent_{number}"], rel=tolerance)

    (early["cross_entropy"] + early["triplet"]).backward(retain_graph=True)
    assert norms(method) == pytest.approx(golden["grad_norm_fixbase_total" + suffix], rel=steep)
    (late["orthogonal_features"] + late["orthogonal_weights"]).backward()
    assert norms(method) == pytest.approx(golden["grad_norm" + suffix], rel=steep)


def norms(method: ABDNet) -> dict[str, float]:
    names = method.released({})
    assert names is not None
    found = {
        names.released(name): each.grad.norm().item()
        for name, each in method.named_parameters()
        if each.grad is not None
    }
    wanted = [name for name in gradients("abdnet")["grad_norm"] if name != "all_parameters"]
    whole = float(np.sqrt(sum(value**2 for value in found.values())))
    return {**{name: found[name] for name in wanted}, "all_parameters": whole}


def test_released_weights_penalty_reaches_one_convolution_described_all() -> None:
    released_side, described = (abd_net(side, MINI) for side in ("released", "described"))
    assert [each.shape for each in released_side._penalised()] == [(16, 3, 6, 6)]
    all_of_them = [
        each.weight
        for part in (described.stem, described.trunk)
        for each in part.modules()
        if isinstance(each, nn.Conv2d)
    ]
    assert len(described._penalised()) == len(all_of_them) + 2 * 3
    full = resolved(ABDNet, "abd-net", "described")
    with torch.device("meta"):
        backbones = ABDNet(full, FULL, IDENTITIES)._penalised()
    assert len(backbones) == 53 + 10
    assert backbones[0].shape == (64, 3, 7, 7)


# The recipe.


def test_recipe() -> None:
    recipe = ABDNet.recipes["released"]
    assert recipe.size == (384, 128)
    assert recipe.epochs == 90
    assert (recipe.people, recipe.images) == (16, 4)
    assert recipe.clip is None
    assert recipe.resize is None
    assert recipe.fresh == (10,)
    assert recipe.rules == {"all": Adam(3e-4, (0.9, 0.999), 5e-4, amsgrad=False)}
    assert recipe.options == Options("first", 2, 1.2, 0.1, 1e-6, 1e-2)
    assert ABDNet.recipes["described"].options == Options("all", 2, 1.2, 0.1, 1e-6, 1e-2)
    crop, flip, normalise, erase = recipe.augmentation
    assert (crop, flip, normalise) == (EnlargeAndCrop(0.5), Flip(0.5), Normalise())
    assert erase == Erase(0.5, (0.02, 0.4), (0.3, 3.33), (0.4914, 0.4822, 0.4465))
    assert ABDNet.recipes["longer"].epochs == 130
    assert all(each.note for each in ABDNet.recipes.values())


def test_rate_of_every_epoch() -> None:
    recipe = ABDNet.recipes["released"]
    rates = [
        recipe.schedule.rate(3e-4, Moment(epoch, epoch, epoch + 1), recipe.epochs)
        for epoch in range(90)
    ]
    assert rates == pytest.approx([3e-4] * 30 + [3e-5] * 20 + [3e-6] * 40)


def test_the_backbone_stands_still_at_first() -> None:
    method = abd_net("released", MINI)
    for moment in (FIXBASE, Moment(0, 10.0, 10.1), FIXBASE):
        method.begin(moment)
        for name, part in method.named_children():
            opened = name in NEW or moment.epoch >= 10
            assert all(each.training == opened for each in part.modules()), name
            assert all(each.requires_grad == opened for each in part.parameters()), name
    assert {name for name, _ in method.named_children()} - NEW == {
        "stem",
        "trunk",
        "global_tail",
        "attentive_tail",
    }
    assert len(method.groups()["all"]) == len(list(method.parameters()))


def test_starting_weights() -> None:
    method = abd_net("released", MINI)
    method.initialise(generator())
    weights = build_backbone("small", MINI).state_dict()
    weights = {name: torch.rand(value.shape).to(value.dtype) for name, value in weights.items()}
    method.start(weights)
    parts = (method.stem, method.trunk, method.global_tail, method.attentive_tail)
    started = [entry for part in parts for entry in part.state_dict().items()]
    assert {name for name, _ in started} == set(weights)
    assert all(value.equal(weights[name]) for name, value in started)
    assert method.classifier.weight.std().item() == pytest.approx(0.01, rel=0.2)
    scales = method.attentive.reduction[1].weight
    assert scales.mean().item() == pytest.approx(1.0, abs=0.02)
    assert scales.std().item() == pytest.approx(0.02, rel=0.4)
    gammas = [value for name, value in method.state_dict().items() if name.endswith("gamma")]
    assert len(gammas) == 3
    assert not any(gammas)


def mini_steps(method: ABDNet, moment: Moment, count: int) -> Iterator[dict[str, float]]:
    """Train on one batch by hand."""
    method.begin(moment)
    optimiser = torch.optim.Adam(method.groups()["all"], lr=1e-3)
    drawing = generator(7)
    shown = torch.randn(32, 3, 96, 32, generator=generator(8))
    people = torch.arange(8).repeat_interleave(4)
    for step in range(count):
        torch.manual_seed(step)
        losses = method.losses(method(shown, moment, drawing), people, moment, drawing)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        yield {name: value.item() for name, value in losses.items()}


@pytest.mark.parametrize("side", ["released", "described"])
def test_a_short_training_learns(side: str) -> None:
    method = abd_net(side, MINI)
    method.initialise(generator())
    before = {name: value.clone() for name, value in method.state_dict().items()}
    losses = list(mini_steps(method, FIXBASE, 3))
    assert all(each["orthogonal_weights"] == each["orthogonal_features"] == 0 for each in losses)
    for name, value in method.state_dict().items():
        assert value.equal(before[name]) == (name.split(".")[0] not in NEW), name
    losses = list(mini_steps(method, WITH_OF, 10))
    assert losses[-1]["cross_entropy"] < losses[0]["cross_entropy"]
    assert all(value > 0 for value in losses[0].values())
    assert all(not value.equal(before[name]) for name, value in method.state_dict().items())


def test_a_training_is_the_same_again() -> None:
    found = []
    for _ in range(2):
        method = abd_net("released", MINI)
        method.initialise(generator())
        found.append(list(mini_steps(method, WITH_OF, 2)))
    assert found[0] == found[1]


# Other sizes.


def test_stripes_that_do_not_come_out_even_are_a_mistake() -> None:
    odd = ScaleSettings(size=(88, 32), backbones={"resnet50": "small"})
    with pytest.raises(UserError, match=r"map of 11 rows.* 88 pixels.*2 stripes.*scale\.size"):
        abd_net("released", odd)
    with pytest.raises(UserError, match=r"into 0 stripes"):
        abd_net("released", MINI, RecipeChanges.model_validate({"options": {"stripes": 0}}))


def test_more_stripes_and_other_widths() -> None:
    scale = ScaleSettings(size=(72, 28), width=0.02, backbones={"resnet50": "small"})
    changes = RecipeChanges.model_validate({"options": {"stripes": 3}})
    method = abd_net("released", scale, changes).eval()
    shown = torch.randn(2, 3, 72, 28, generator=generator())
    with torch.no_grad():
        assert method.embed(shown).shape == (2, 4 * 20)
        outputs = method(shown, WITH_OF, generator())
        found = torch.cat(list(outputs["features"]), dim=1)
        torch.testing.assert_close(found, method.features(shown), rtol=0, atol=1e-5)
        assert method.feature_map(shown).shape == (2, 20, 9, 4)
