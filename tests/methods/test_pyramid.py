"""Pyramid against numbers of its authors' code, and its recipes against that code's facts."""

from collections.abc import Iterator
from functools import cache
from math import isnan, log, nan

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
from torch import Tensor, nn

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.contract import SGD, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.branches import Classifiers, Reductions
from topdb.methods.parts.losses import batch_hard_triplet, branch_cross_entropies, branch_triplets
from topdb.methods.parts.schedules import DynamicTraining
from topdb.methods.pyramid import Options, Pyramid

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet101": "small"}
)
GOLDEN = RecipeChanges(size=(192, 64), options={"dropout": 0.0})
SHUFFLED, DRAWN = Moment(10, 10.0), Moment(11, 11.0)
"""The last moment of shuffled batches and the first with triplets, at full length."""
GENERATOR = torch.Generator()
SIDES = ("released", "described", "triplet", "dynamic")
RUNS = [(top, top + length) for length in range(1, 7) for top in range(7 - length)]


def pyramid(side: str, scale: ScaleSettings = FULL, *changes: RecipeChanges) -> Pyramid:
    recipe = resolved(Pyramid, "pyramid", side, scale, changes)
    method = build(Pyramid, recipe, IDENTITIES, scale)
    assert isinstance(method, Pyramid)
    return method


@cache
def golden() -> Pyramid:
    """The network of the golden numbers, in double: the triplet loss has a weight of 1."""
    method = filled(pyramid("triplet", FULL, GOLDEN), double=True)
    assert isinstance(method, Pyramid)
    return method


@cache
def trained() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs and losses of a training pass."""
    method = golden()
    method.begin(DRAWN)
    outputs = method(images(192, 64, 8).double(), DRAWN, GENERATOR)
    return outputs, method.losses(outputs, LABELS, DRAWN, GENERATOR)


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Give the memory of the network and its graph back to the tests that follow."""
    yield
    golden.cache_clear()
    trained.cache_clear()


def test_is_found_by_its_name_and_called_as_in_the_table() -> None:
    assert find("pyramid") is Pyramid
    assert Pyramid.title == "Pyramid (Zheng 2019)"
    assert set(Pyramid.recipes) == set(SIDES)


@pytest.mark.parametrize("side", SIDES)
def test_has_the_released_names_and_shapes(side: str) -> None:
    with torch.device("meta"):
        method = pyramid(side)
    assert_names_and_shapes(method, "pyramid")
    names = method.released({})
    assert names.classifier == "pyramid_fc_list0.0.weight"
    assert names.unused == ("pyramid_conv_list1", "pyramid_fc_list1")
    lacking = [own for own in method.state_dict() if names.released(own) is None]
    dynamic = side in ("described", "dynamic")
    assert lacking == (["dynamic.averages"] if dynamic else [])


def test_has_the_released_test_features() -> None:
    expected, method = arrays("pyramid"), golden().eval()
    with torch.inference_mode():
        shown = method.feature_map(images(192, 64).double())
        assert_near(shown, expected["map"], 1e-5)
        assert_near(method.embed(images(192, 64).double()), expected["test_feature"], 1e-5)


def test_has_the_released_training_pass() -> None:
    expected, (outputs, _) = arrays("pyramid"), trained()
    features = outputs["features"].transpose(0, 1).flatten(1)
    assert_near(features, expected["train_feature"], 2e-3)
    assert_near(outputs["logits"].transpose(0, 1), expected["train_logits"], 2e-3)


def test_has_the_released_losses() -> None:
    expected, (outputs, losses) = numbers("pyramid"), trained()
    entropies = branch_cross_entropies(outputs["logits"], LABELS)
    triplets = branch_triplets(outputs["features"], LABELS, margin=1.4)
    for number in range(21):
        assert entropies[number].item() == pytest.approx(expected[f"ce_{number}"], rel=5e-4)
        assert triplets[number].item() == pytest.approx(expected[f"tri_{number}"], rel=5e-4)
    assert losses["cross_entropy"].item() == pytest.approx(expected["ce_sum"], rel=5e-4)
    assert losses["triplet"].item() == pytest.approx(expected["tri_sum"], rel=5e-4)


@pytest.mark.parametrize("which", ["grad_norm_ce_only_float64", "grad_norm_float64"])
def test_has_the_released_gradients(which: str) -> None:
    method, expected, (_, losses) = golden(), gradients("pyramid")[which], trained()
    total = losses["cross_entropy"] if "ce_only" in which else sum(losses.values())
    assert isinstance(total, Tensor)
    named = dict(method.named_parameters())
    found = torch.autograd.grad(total, list(named.values()), retain_graph=True)
    names = method.released({})
    norms = {
        names.released(own): each.norm().item() for own, each in zip(named, found, strict=True)
    }
    total_norm = np.linalg.norm(list(norms.values()))
    assert total_norm == pytest.approx(expected["all_parameters"], rel=1e-6)
    for name in expected:
        if name != "all_parameters":
            assert norms[name] == pytest.approx(expected[name], rel=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_has_the_released_rates_size_and_augmentation(side: str) -> None:
    recipe = resolved(Pyramid, "pyramid", side)
    falls = [1.0] * 60 + [0.5] * 10 + [0.25] * 10 + [0.125] * 10 + [0.0625] * 10 + [0.03125] * 20
    for group, base in (("backbone", 0.01), ("new", 0.1)):
        rule = recipe.rules[group]
        assert rule == SGD(base, momentum=0.9, nesterov=False, weight_decay=5e-4)
        rates = [recipe.schedule.rate(rule.rate, Moment(e, float(e)), 120) for e in range(120)]
        assert rates == pytest.approx([base * fall for fall in falls])
    erase = Erase(p=0.2, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3), fill=(0.0, 0.0, 0.0))
    assert recipe.augmentation == (Flip(0.5), Normalise(), erase)
    assert (recipe.size, recipe.interpolation) == ((384, 128), "bicubic")
    assert (recipe.epochs, recipe.people, recipe.images) == (120, 8, 8)
    assert (recipe.clip, recipe.fresh, recipe.steady) == (None, (), ())


def test_sides_differ_in_their_losses() -> None:
    options = {side: resolved(Pyramid, "pyramid", side).options for side in SIDES}
    assert options == {
        "released": Options("alternate", triplet=0.0, margin=1.4, stripes=6, dropout=0.2),
        "triplet": Options("alternate", triplet=1.0, margin=1.4, stripes=6, dropout=0.2),
        "dynamic": Options("dynamic", triplet=1.0, margin=1.4, stripes=6, dropout=0.2),
        "described": Options("dynamic", triplet=1.0, margin=1.4, stripes=6, dropout=0.2),
    }
    assert "weight of 0" in resolved(Pyramid, "pyramid", "released").note
    assert "not followed" in resolved(Pyramid, "pyramid", "described").note


def test_groups_split_the_backbone_from_what_is_new() -> None:
    method = pyramid("released", MINI)
    groups = method.groups()
    assert set(groups) == set(method.recipe.rules)
    assert {id(each) for each in groups["backbone"]} == set(map(id, method.backbone.parameters()))
    assert sum(map(len, groups.values())) == len(list(method.parameters()))


def test_alternates_from_the_twelfth_epoch_on() -> None:
    people = np.repeat(np.arange(751), np.arange(751) % 9 + 4)
    method = pyramid("released", MINI.model_copy(update={"epochs": None}))
    rng = np.random.default_rng(0)
    for epoch in range(20):
        drawn = method.batches(people, Moment(epoch, float(epoch)), rng, lambda *_: None)
        counts = np.bincount(people[np.concatenate(drawn)])
        if epoch > 10 and epoch % 2 == 1:
            assert [len(batch) for batch in drawn] == [64] * 93 + [56]
            assert (counts == 8).all()
        else:
            assert [len(batch) for batch in drawn] == [64] * (len(people) // 64)
            assert len(np.unique(np.concatenate(drawn))) == 64 * len(drawn)


def test_a_pass_is_of_one_kind_where_the_clock_runs_fast() -> None:
    """Of 20 passes the second begins in epoch 6 and ends in epoch 12."""
    method = pyramid("triplet", MINI.model_copy(update={"epochs": 20}))
    for number in range(20):
        kinds = {
            method.draws_people(Moment(number, 6 * (number + share / 10))) for share in range(10)
        }
        assert kinds == {number >= 2 and number % 2 == 1}
    five = pyramid("triplet", MINI)
    kinds = [five.draws_people(Moment(number, 24.0 * number)) for number in range(5)]
    assert kinds == [False, True, False, True, False]


@pytest.mark.parametrize("side", ["described", "dynamic"])
def test_the_dynamic_loss_always_draws_people(side: str) -> None:
    people = np.repeat(np.arange(20), 9)
    drawn = pyramid(side, MINI).batches(
        people, Moment(0, 0.0), np.random.default_rng(0), lambda *_: None
    )
    assert [len(batch) for batch in drawn] == [64, 64, 32]


def losses_at(method: Pyramid, moment: Moment, spread: float = 1.0) -> dict[str, float]:
    generator = torch.Generator().manual_seed(3)
    outputs = {
        "features": spread * torch.rand(21, 8, 16, generator=generator),
        "logits": torch.randn(21, 8, IDENTITIES, generator=generator),
    }
    found = method.losses(outputs, LABELS, moment, generator)
    return {name: each.item() for name, each in found.items()}


def test_triplets_are_weighed_by_side_and_pass() -> None:
    unscaled = MINI.model_copy(update={"epochs": None})
    released, triplet = pyramid("released", unscaled), pyramid("triplet", unscaled)
    entropy = losses_at(released, SHUFFLED)["cross_entropy"]
    for method, moment in ((released, SHUFFLED), (released, DRAWN), (triplet, SHUFFLED)):
        assert losses_at(method, moment) == {"cross_entropy": entropy, "triplet": 0.0}
    shown = losses_at(triplet, DRAWN)
    assert shown["cross_entropy"] == entropy
    assert 21 * 0.5 < shown["triplet"] < 21 * 2.0
    half = RecipeChanges(options={"triplet": 0.5})
    assert losses_at(pyramid("triplet", unscaled, half), DRAWN)["triplet"] == pytest.approx(
        shown["triplet"] / 2
    )


class ByHand:
    """The rule of the dynamic loss, step by step, in Python's own numbers."""

    def __init__(self) -> None:
        self.averages: tuple[float, float] | None = None

    def __call__(self, *losses: float) -> bool:
        before = self.averages or (0.0, 0.0)
        now = (0.25 * losses[0] + 0.75 * before[0], 0.25 * losses[1] + 0.75 * before[1])
        first_step, self.averages = self.averages is None, now
        counts = []
        for new, old in zip(now, before, strict=True):
            p = 0.5 if first_step else min(new, old) / old
            counts.append(-((1.0 - p) ** 2.0) * log(p))
        if counts[0] == 0.0:  # Python refuses to divide
            ratio = nan if counts[1] == 0.0 else -np.inf
        else:
            ratio = counts[1] / counts[0]
        return not isnan(ratio) and ratio < 0.16


def test_the_dynamic_rule_is_the_released_one() -> None:
    rng, rule, by_hand = np.random.default_rng(0), DynamicTraining(), ByHand()
    found = []
    first, second = 140.0, 40.0
    for _ in range(400):
        first, second = (each * rng.uniform(0.7, 1.4) for each in (first, second))
        losses = [torch.tensor(each, dtype=torch.float32) for each in (first, second)]
        alone = rule(*losses)
        assert alone.dtype == torch.bool
        found.append(bool(alone))
        assert found[-1] == by_hand(*(each.item() for each in losses))
    assert by_hand.averages is not None
    assert rule.averages.tolist() == pytest.approx(by_hand.averages, rel=1e-12)
    assert 50 < sum(found) < 350


@pytest.mark.parametrize(
    ("steps", "alone"),
    [
        ([(60.0, 50.0)], [False]),  # the first step
        ([(60.0, 50.0), (60.0, 50.0)], [False, False]),  # both averages rise: NaN
        ([(60.0, 50.0), (90.0, 5.0)], [False, True]),  # the first one rises: minus infinity
        ([(60.0, 50.0), (6.0, 90.0)], [False, True]),  # the second one rises: -0
        ([(60.0, 50.0), (6.0, 5.0)], [False, False]),  # both fall alike
        ([(60.0, 50.0), (6.0, 12.0)], [False, True]),  # the second falls much more slowly
    ],
)
def test_the_dynamic_rule_at_its_edges(steps: list[tuple[float, float]], alone: list[bool]) -> None:
    rule, by_hand = DynamicTraining(), ByHand()
    found = [bool(rule(*map(torch.tensor, step))) for step in steps]
    assert found == [by_hand(*step) for step in steps] == alone


def test_the_dynamic_loss_switches_the_triplets_and_goes_on_after_a_break() -> None:
    method = pyramid("dynamic", MINI)
    shown = losses_at(method, Moment(0, 0.0))
    assert shown["triplet"] > 0
    state = method.state_dict()
    averages = state["dynamic.averages"]
    assert averages.dtype == torch.float64
    assert averages.tolist() == pytest.approx([0.25 * each for each in shown.values()])
    averages *= torch.tensor([1e3, 1e-3])  # the entropies' average will fall, the other one rise
    other = pyramid("dynamic", MINI)
    other.load_state_dict(state)
    shown = losses_at(method, Moment(0, 0.0))
    assert shown["triplet"] == 0.0
    assert shown == losses_at(other, Moment(0, 0.0))
    assert method.state_dict()["dynamic.averages"].equal(other.state_dict()["dynamic.averages"])


def test_a_triplet_loss_that_is_left_out_has_no_gradient() -> None:
    method = pyramid("dynamic", MINI)
    assert method.dynamic is not None
    features = torch.rand(21, 8, 16, requires_grad=True)
    logits = torch.randn(21, 8, IDENTITIES, requires_grad=True)
    outputs = {"features": features, "logits": logits}
    method.dynamic.averages.copy_(torch.tensor([1e6, 1e-6]))  # entropy falls, triplets rise
    losses = method.losses(outputs, LABELS, DRAWN, GENERATOR)
    assert losses["triplet"].item() == 0.0
    sum(losses.values()).backward()
    assert logits.grad is not None
    assert logits.grad.any()
    assert features.grad is None or not features.grad.any()


def test_starts_as_the_released_code_does() -> None:
    def started() -> Pyramid:
        method = pyramid("released", MINI)
        method.initialise(torch.Generator().manual_seed(1))
        return method

    method = started()
    for layer in method.reductions.convolutions():
        for values in layer.parameters():
            assert 0.05 < values.abs().max() <= 64**-0.5
            assert values.mean().abs() < 0.04
    for norm in method.reductions.normalisations():
        assert norm.weight.eq(1).all()
        assert norm.bias.eq(0).all()
    weights = torch.cat([each.weight.flatten() for each in method.classifiers.layers()])
    assert weights.std().item() == pytest.approx(0.001, rel=0.05)
    assert not any(each.bias.any() for each in method.classifiers.layers())
    assert all(
        torch.equal(one, other)
        for one, other in zip(method.parameters(), started().parameters(), strict=True)
    )


def test_pools_every_run_of_stripes() -> None:
    method = pyramid("released", MINI)
    shown = torch.randn(3, 5, 12, 4)
    parts = [shown[:, :, 2 * top : 2 * bottom] for top, bottom in RUNS]
    expected = torch.stack([each.mean((2, 3)) + each.amax((2, 3)) for each in parts])
    assert len(parts) == 21
    torch.testing.assert_close(method.vectors(shown), expected)
    last = shown.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(method.vectors(last), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_branches_run_as_one_and_each_by_itself(bias: bool, training: bool) -> None:
    together = Reductions(3, 10, 6, bias).train(training)
    classifiers = Classifiers(3, 6, 4)
    alone = Reductions(3, 10, 6, bias).train(training)
    for each in together.normalisations():
        nn.init.normal_(each.running_mean)
        nn.init.uniform_(each.running_var, 0.5, 1.5)
        nn.init.normal_(each.weight)
        nn.init.normal_(each.bias)
    alone.load_state_dict(together.state_dict())
    vectors = torch.randn(3, 7, 10)
    expected = torch.stack(
        [
            branch(each[:, :, None, None]).relu().flatten(1)
            for branch, each in zip(alone, vectors, strict=True)
        ]
    )
    features = together(vectors)
    torch.testing.assert_close(features, expected)
    for name, value in together.state_dict().items():
        torch.testing.assert_close(value, alone.state_dict()[name])
    told = torch.stack([branch(each) for branch, each in zip(classifiers, features, strict=True)])
    torch.testing.assert_close(classifiers(features), told)


def test_branch_losses_are_those_of_each_branch() -> None:
    features, logits = torch.randn(3, 8, 6).double(), torch.randn(3, 8, 5)
    features[:, 1] = features[:, 0]  # an image twice
    triplets = torch.stack([batch_hard_triplet(each, LABELS, margin=1.4) for each in features])
    torch.testing.assert_close(branch_triplets(features, LABELS, margin=1.4), triplets)
    entropies = torch.stack([nn.functional.cross_entropy(each, LABELS) for each in logits])
    torch.testing.assert_close(branch_cross_entropies(logits, LABELS), entropies)


@pytest.mark.parametrize("side", SIDES)
def test_learns_at_the_mini_scale(side: str) -> None:
    method = pyramid(side, MINI)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    method.initialise(generator)
    moment = Moment(1, 24.0, 24.1)
    method.begin(moment)
    people = torch.arange(8).repeat_interleave(4)
    faces = torch.randn(8, 3, 96, 32, generator=generator)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    rules = method.recipe.rules
    optimiser = torch.optim.SGD(
        [{"params": own, "lr": rules[name].rate} for name, own in method.groups().items()],
        momentum=0.9,
    )
    totals = []
    for _ in range(8):
        noise = torch.randn(len(people), 3, 96, 32, generator=generator)
        outputs = method(faces[people] + 0.3 * noise, moment, generator)
        losses = method.losses(outputs, people, moment, generator)
        assert list(losses) == ["cross_entropy", "triplet"]
        assert all(each.shape == () and each.dtype == torch.float32 for each in losses.values())
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(losses["cross_entropy"].item())
    assert totals[-1] < 0.8 * totals[0]
    still = [name for name, value in method.state_dict().items() if value.equal(before[name])]
    assert still == []
    method.eval()
    with torch.inference_mode():
        assert method.embed(torch.randn(3, 3, 96, 32)).shape == (3, 21 * 16)


def test_dropout_comes_before_the_classifiers_and_from_torchs_generator() -> None:
    method = pyramid("released", MINI)
    method.initialise(torch.Generator().manual_seed(0))
    method.begin(SHUFFLED)
    shown = torch.randn(8, 3, 96, 32)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(method(shown, SHUFFLED, GENERATOR))
    assert torch.equal(found[0]["logits"], found[1]["logits"])
    assert not torch.equal(found[0]["logits"], found[2]["logits"])
    assert torch.equal(found[0]["features"], found[2]["features"])


def test_other_heights_and_numbers_of_stripes() -> None:
    tall = MINI.model_copy(update={"size": (144, 40)})
    four = RecipeChanges(options={"stripes": 4})
    for method, size, branches in (
        (pyramid("released", tall), (144, 40), 21),
        (pyramid("released", MINI, four), (96, 32), 10),
    ):
        method.eval()
        with torch.inference_mode():
            assert method.embed(torch.randn(2, 3, *size)).shape == (2, branches * 16)


def test_refuses_a_height_that_stripes_do_not_divide() -> None:
    with pytest.raises(UserError, match=r"6 equal stripes.*80 pixels.*10 rows.*such as 96,"):
        pyramid("released", MINI.model_copy(update={"size": (80, 32)}))
    with pytest.raises(UserError, match=r"256 pixels.*16 rows.*changes\.pyramid\.size.* 288,"):
        pyramid("released", FULL, RecipeChanges(size=(256, 128)))
