"""MGN against numbers of levyfan/reid-mgn and seathiefwang/MGN-pytorch, and its recipes.

The two sides of seathiefwang share all weights and differ in pooling alone, so that their maps are
computed once. `--soak` sends their gradients through the whole network.
"""

from collections.abc import Iterator
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

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import SGD, Adam, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.mgn import MGN, Options
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.losses import branch_cross_entropies, branch_triplets

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
MOMENT = Moment(0, 0.0)
GENERATOR = torch.Generator()
FOLDERS = {
    "described": "mgn_levy",
    "seathiefwang": "mgn_seathief_avg",
    "seathiefwang-max": "mgn_seathief_max",
}
ORDER = {"described": (0, 1, 3, 4, 2, 5, 6, 7)}
"""Of the released test features and logits; in the other code they are in ours."""


def mgn(side: str, scale: ScaleSettings = FULL, *changes: RecipeChanges) -> MGN:
    method = build(MGN, resolved(MGN, "mgn", side, scale, changes), IDENTITIES, scale)
    assert isinstance(method, MGN)
    return method


def order(side: str) -> tuple[int, ...]:
    return ORDER.get(side, tuple(range(8)))


def names_of(method: MGN) -> dict[str, str]:
    names = method.released({})
    return {own: names.released(own) or own for own in method.state_dict()}


@cache
def values() -> dict[str, Tensor]:
    """Golden weights by released name; most are those of both codes."""
    found: dict[str, Tensor] = {}
    for side in ("described", "seathiefwang"):
        with torch.device("meta"):
            method = mgn(side)
        for own, name in names_of(method).items():
            shape = tuple(method.state_dict()[own].shape)
            if name not in found or found[name].shape != shape:
                value = torch.from_numpy(np.asarray(golden_value(name, shape)))
                found[name if name not in found else f"{side} {name}"] = value
    return found


@cache
def golden(side: str) -> MGN:
    """The network of the golden numbers; layers are not drawn first, which takes seconds."""
    with torch.device("meta"):
        method = mgn(side)
    known = values()
    state = {
        own: known.get(f"{side} {name}", known[name]) for own, name in names_of(method).items()
    }
    for own, _ in method.named_buffers():
        state[own] = state[own].clone()  # training passes move these, and weights are shared
    method.load_state_dict(state, assign=True)
    return method


@cache
def maps(training: bool, mirrored: bool = False) -> list[Tensor]:
    """Maps of seathiefwang's network, whatever the pooling."""
    shown = images(384, 128, 8 if training else 2)
    with torch.no_grad():
        found: list[Tensor] = (
            golden("seathiefwang").train(training).maps(shown.flip(3) if mirrored else shown)
        )
    return found


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Give the memory of networks and maps back to the tests that follow."""
    yield
    for each in (values, golden, maps):
        each.cache_clear()


class Shown:
    """Stands in for the network's maps: it gives those that are known."""

    def __init__(self, *known: list[Tensor]) -> None:
        self.known = list(known)

    def __call__(self, images: Tensor) -> list[Tensor]:
        return self.known.pop(0)


def by_pooling(side: str, monkeypatch: pytest.MonkeyPatch, *known: list[Tensor]) -> MGN:
    """Seathiefwang's network with known maps and a side's pooling."""
    method = golden("seathiefwang")
    monkeypatch.setattr(method, "options", resolved(MGN, "mgn", side).options)
    monkeypatch.setattr(method, "maps", Shown(*known), raising=False)
    return method


def assert_training_pass(side: str, outputs: dict[str, Tensor], losses: dict[str, Tensor]) -> None:
    expected, known = arrays(FOLDERS[side]), numbers(FOLDERS[side])
    features = torch.cat([outputs["features"][each] for each in order(side)], dim=1)
    assert_near(features, expected["train_predict"], 5e-4)
    entropies = branch_cross_entropies(outputs["logits"], LABELS)
    for place, each in enumerate(order(side)):
        assert_near(outputs["logits"][each], expected[f"train_logits_{place}"], 5e-4)
        assert entropies[each].item() == pytest.approx(known[f"ce_{place}"], rel=2e-4)
    triplets = branch_triplets(outputs["features"][:3], LABELS, margin=1.2)
    for number, triplet in enumerate(triplets):
        assert triplet.item() == pytest.approx(known[f"triplet_{number}"], rel=2e-4)
    total = known["total_mean11" if side == "described" else "total_1CE_2Tri"]
    assert sum(each.item() for each in losses.values()) == pytest.approx(total, rel=2e-4)


def assert_gradients(method: MGN, side: str, *only: str) -> None:
    expected = gradients(FOLDERS[side])["grad_norm_float64"]
    own = {method.released({}).released(name): each for name, each in method.named_parameters()}
    norms = {name: each.grad.norm().item() for name, each in own.items() if each.grad is not None}
    for name in only or [name for name in expected if name != "all_parameters"]:
        assert norms[name] == pytest.approx(expected[name], rel=2e-3)
    if not only:
        total = np.linalg.norm(list(norms.values()))
        assert total == pytest.approx(expected["all_parameters"], rel=2e-3)


def test_is_found_by_its_name_and_called_as_in_the_table() -> None:
    assert find("mgn") is MGN
    assert MGN.title == "MGN (Wang 2018)"
    assert set(MGN.recipes) == set(FOLDERS)


@pytest.mark.parametrize("side", FOLDERS)
def test_has_the_names_and_shapes_of_its_code(side: str) -> None:
    with torch.device("meta"):
        method = mgn(side)
    assert_names_and_shapes(method, FOLDERS[side])
    names = method.released({})
    own = next(own for own in method.state_dict() if names.released(own) == names.classifier)
    assert method.state_dict()[own].shape[0] == IDENTITIES
    trunk = {name.split(".")[0] for name in names_of(method).values()}
    assert ("backbone" in trunk, "backone" in trunk) == (side == "described", side != "described")


def test_has_levyfans_test_features(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, method = arrays("mgn_levy"), golden("described").eval()
    found: list[Tensor] = []
    extract = method.features

    def recorded(images: Tensor) -> Tensor:
        found.append(extract(images))
        return found[-1]

    monkeypatch.setattr(method, "features", recorded, raising=False)
    with torch.inference_mode():
        assert_near(method.embed(images(384, 128)), expected["test_feature"], 1e-5)
    assert_near(found[0], expected["predict"], 1e-5)
    assert_near(found[1], expected["predict_flipped_input"], 1e-5)


def test_has_levyfans_training_pass_and_gradients() -> None:
    method = golden("described")
    method.begin(MOMENT)
    outputs = method(images(384, 128, 8), MOMENT, GENERATOR)
    losses = method.losses(outputs, LABELS, MOMENT, GENERATOR)
    assert_training_pass("described", outputs, losses)
    torch.stack(list(losses.values())).sum().backward()
    assert_gradients(method, "described")
    method.zero_grad()


@pytest.mark.parametrize("side", ["seathiefwang", "seathiefwang-max"])
def test_has_seathiefwangs_test_features(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, mirrored = maps(False), maps(False, mirrored=True)
    expected = arrays(FOLDERS[side])
    method = by_pooling(side, monkeypatch, shown, mirrored, shown, mirrored).eval()
    with torch.inference_mode():
        assert_near(method.features(torch.empty(0)), expected["predict"], 1e-5)
        assert_near(method.features(torch.empty(0)), expected["predict_flipped_input"], 1e-5)
        assert_near(method.embed(torch.empty(1, 3, 1, 1)), expected["test_feature"], 1e-5)


@pytest.mark.parametrize("side", ["seathiefwang", "seathiefwang-max"])
def test_has_seathiefwangs_training_pass(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = maps(True)
    method = by_pooling(side, monkeypatch, known)
    method.begin(MOMENT)
    outputs = method(torch.empty(0), MOMENT, GENERATOR)
    losses = method.losses(outputs, LABELS, MOMENT, GENERATOR)
    assert_training_pass(side, outputs, losses)
    method.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    assert_gradients(method, side, "reduction_3.0.weight", "fc_id_2048_0.weight")
    method.zero_grad()


@pytest.mark.parametrize("side", ["seathiefwang", "seathiefwang-max"])
def test_has_seathiefwangs_gradients(
    side: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`")
    method = golden("seathiefwang")
    monkeypatch.setattr(method, "options", resolved(MGN, "mgn", side).options)
    method.begin(MOMENT)
    outputs = method(images(384, 128, 8), MOMENT, GENERATOR)
    losses = method.losses(outputs, LABELS, MOMENT, GENERATOR)
    torch.stack(list(losses.values())).sum().backward()
    assert_gradients(method, side)
    method.zero_grad()


def rates(side: str) -> list[float]:
    recipe = resolved(MGN, "mgn", side)
    base, epochs = recipe.rules["all"].rate, recipe.epochs
    return [recipe.schedule.rate(base, Moment(e, float(e)), epochs) for e in range(epochs)]


def test_has_levyfans_recipe() -> None:
    recipe = resolved(MGN, "mgn", "described")
    assert rates("described") == pytest.approx([1e-2] * 40 + [1e-3] * 20 + [1e-4] * 20)
    assert recipe.rules == {"all": SGD(0.01, momentum=0.9, nesterov=False, weight_decay=5e-4)}
    assert recipe.augmentation == (Flip(0.5), Normalise())
    assert (recipe.size, recipe.interpolation) == ((384, 128), "bilinear")
    assert (recipe.people, recipe.images, recipe.clip) == (16, 4, None)
    assert recipe.options == Options("levyfan", "max", 1.2, 8 / 11, 3 / 11)
    assert "not verified" in recipe.note


@pytest.mark.parametrize("side", ["seathiefwang", "seathiefwang-max"])
def test_has_seathiefwangs_recipe(side: str) -> None:
    recipe = resolved(MGN, "mgn", side)
    assert rates(side) == pytest.approx([2e-4] * 320 + [2e-5] * 60 + [2e-6] * 20)
    adam = Adam(2e-4, betas=(0.9, 0.999), weight_decay=5e-4, amsgrad=True)
    assert recipe.rules == {"all": adam}
    erase = Erase(p=0.5, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3), fill=(0.0, 0.0, 0.0))
    assert recipe.augmentation == (Flip(0.5), Normalise(), erase)
    assert (recipe.size, recipe.interpolation) == ((384, 128), "bicubic")
    assert (recipe.people, recipe.images, recipe.clip) == (16, 4, None)
    pooling = "max" if side.endswith("max") else "average"
    assert recipe.options == Options("seathiefwang", pooling, 1.2, 1.0, 2.0)
    assert "re-ranking" in recipe.note


def test_draws_every_person_once() -> None:
    people = np.repeat(np.arange(751), np.arange(751) % 9 + 1)
    method = mgn("described", MINI.model_copy(update={"people": 16}))
    drawn = method.batches(people, MOMENT, np.random.default_rng(0), lambda *_: None)
    assert [len(batch) for batch in drawn] == [64] * 46 + [60]
    assert np.bincount(people[np.concatenate(drawn)]).tolist() == [4] * 751


@pytest.mark.parametrize("side", ["described", "seathiefwang"])
def test_starts_as_its_code_does(side: str) -> None:
    method = mgn(side, MINI.model_copy(update={"width": 1.0}))
    method.initialise(torch.Generator().manual_seed(1))
    first, *others = (each.state_dict() for each in method.reductions)
    assert all(torch.equal(each[name], first[name]) for each in others for name in first)
    assert first["0.weight"].std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert first["1.weight"].mean().item() == pytest.approx(1.0, abs=0.01)
    assert first["1.weight"].std().item() == pytest.approx(0.02, rel=0.2)
    assert not first["1.bias"].any()
    wanted = 0.001 if side == "described" else (2 / IDENTITIES) ** 0.5
    for layer in (*method.whole_classifiers.layers(), *method.part_classifiers.layers()):
        assert layer.weight.std().item() == pytest.approx(wanted, rel=0.15)
        assert not layer.bias.any()
    again = mgn(side, MINI.model_copy(update={"width": 1.0}))
    again.initialise(torch.Generator().manual_seed(1))
    assert all(
        torch.equal(one, other)
        for one, other in zip(method.parameters(), again.parameters(), strict=True)
    )


def test_every_copy_starts_from_the_same_weights() -> None:
    backbone = build_backbone("resnet50", MINI)
    method = mgn("described", MINI)
    method.start(backbone.state_dict())
    for name, value in method.trunk.state_dict().items():
        assert torch.equal(value, backbone.state_dict()[name])
    for tail in method.tails:
        for name, value in tail.state_dict().items():
            assert torch.equal(value, backbone.state_dict()[name])


def test_trunk_and_copies_cover_the_backbone() -> None:
    with torch.device("meta"):
        method, backbone = mgn("described"), build_backbone("resnet50", FULL)
    trunk, *tails = (set(part.state_dict()) for part in (method.trunk, *method.tails))
    assert tails[0] == tails[1] == tails[2]
    assert not trunk & tails[0]
    assert trunk | tails[0] == set(backbone.state_dict())
    assert sorted({name[:8] for name in trunk if name.startswith("layer3")}) == ["layer3.0"]
    strides = [tail.layer4[0].conv2.stride for tail in method.tails]
    assert strides == [(2, 2), (1, 1), (1, 1)]


def assert_learns(method: Any, people: Tensor) -> None:
    """Whether a few steps lower the loss and move every parameter and running statistic."""
    generator = torch.Generator().manual_seed(0)
    method.initialise(generator)
    method.begin(MOMENT)
    faces = torch.randn(8, 3, 96, 32, generator=generator)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    optimiser = torch.optim.SGD(method.parameters(), lr=0.01, momentum=0.9)
    totals = []
    for _ in range(8):
        noise = torch.randn(len(people), 3, 96, 32, generator=generator)
        outputs = method(faces[people] + 0.3 * noise, MOMENT, generator)
        losses = method.losses(outputs, people, MOMENT, generator)
        assert all(each.shape == () and each.dtype == torch.float32 for each in losses.values())
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.8 * totals[0]
    still = [name for name, value in method.state_dict().items() if value.equal(before[name])]
    assert still == []


@pytest.mark.parametrize("side", FOLDERS)
def test_learns_at_the_mini_scale(side: str) -> None:
    method = mgn(side, MINI)
    assert set(method.groups()) == {"all"}
    assert_learns(method, torch.arange(8).repeat_interleave(4))
    method.eval()
    with torch.inference_mode():
        features = method.embed(torch.randn(3, 3, 96, 32))
    assert features.shape == (3, 8 * 32)
    assert torch.allclose(features.norm(dim=1), torch.ones(3))
    assert method.feature_map(torch.randn(2, 3, 96, 32)).shape == (2, 64, 12, 4)


@pytest.mark.parametrize("side", FOLDERS)
def test_pools_whole_maps_halves_and_thirds(side: str) -> None:
    method = mgn(side, MINI).eval()
    sizes = [(2, 3, 6, 2), (2, 3, 12, 4), (2, 3, 12, 4)]
    shown = [torch.randn(size) for size in sizes]
    method.reductions = nn.Identity()  # the pooled vectors as they are
    pool = torch.amax if method.options.pooling == "max" else torch.mean
    parts = [*shown, *shown[1].split(6, dim=2), *shown[2].split(4, dim=2)]
    expected = torch.stack([pool(each, dim=(2, 3)) for each in parts])
    torch.testing.assert_close(method.vectors(shown)[0], expected)


def test_other_heights_have_equal_shares() -> None:
    for size in ((48, 16), (144, 40)):
        method = mgn("described", MINI.model_copy(update={"size": size})).eval()
        with torch.inference_mode():
            assert method.embed(torch.randn(2, 3, *size)).shape == (2, 256)


def test_refuses_a_height_that_stripes_do_not_divide() -> None:
    with pytest.raises(UserError, match=r"give 10 rows: .*changes\.mgn\.size.* such as 96,"):
        mgn("described", MINI.model_copy(update={"size": (80, 32)}))
    with pytest.raises(UserError, match=r"2 and 3 equal stripes.*200 pixels.*13 rows.* 288,"):
        mgn("described", FULL, RecipeChanges(size=(200, 64)))
