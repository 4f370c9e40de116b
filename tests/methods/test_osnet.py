"""OSNet against numbers of its authors' code, and its recipe against that code's facts."""

import math
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
    released_state,
)
from torch import Tensor, nn

from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.backbones import build_backbone
from topdb.methods.backbones.osnet import ChannelGate, OSBlock, convolve_and_normalise
from topdb.methods.contract import Adam, Method, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.osnet import OSNet
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.norms import joined_norms
from topdb.methods.parts.starts import initialise

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
GOLDEN_SIZE = RecipeChanges(size=(128, 64))
LATER = Moment(20, 20.0, 20.1)
GENERATOR = torch.Generator()


def osnet(side: str = "released", scale: ScaleSettings = FULL, *changes: RecipeChanges) -> Method:
    return build(OSNet, resolved(OSNet, "osnet", side, scale, changes), IDENTITIES, scale)


def started(scale: ScaleSettings = MINI) -> Method:
    method = osnet("released", scale)
    method.initialise(torch.Generator().manual_seed(0))
    return method


@cache
def trained() -> tuple[Method, dict[str, Tensor], dict[str, Tensor]]:
    """The network of the golden numbers in double, after a training pass with its gradients."""
    method = filled(osnet("released", FULL, GOLDEN_SIZE), double=True)
    method.begin(LATER)
    outputs = method(images(128, 64, 8).double(), LATER, GENERATOR)
    losses = method.losses(outputs, LABELS, LATER, GENERATOR)
    torch.stack(list(losses.values())).sum().backward()
    return method, outputs, losses


def test_is_found_by_its_name_and_called_as_in_the_table() -> None:
    assert find("osnet") is OSNet
    assert OSNet.title == "OSNet (Zhou 2019)"
    assert set(OSNet.recipes) == {"released", "described", "cosine"}


def test_has_the_released_names_and_shapes() -> None:
    method = osnet()
    assert_names_and_shapes(method, "osnet_x1_0")
    assert len(method.state_dict()) == 567
    assert sum(each.numel() for each in method.parameters()) == pytest.approx(2.17e6, rel=5e-3)
    names = method.released({})
    assert names.released("backbone.conv2.0.conv2b.1.bn.weight") == "conv2.0.conv2b.1.bn.weight"
    assert names.released("fc.0.weight") == "fc.0.weight"
    assert names.classifier == "classifier.weight"


def test_has_the_released_test_features() -> None:
    expected = arrays("osnet_x1_0")
    method = filled(osnet("released", FULL, GOLDEN_SIZE)).eval()
    with torch.inference_mode():
        assert_near(method.feature_map(images(128, 64)), expected["map"], 1e-5)
        assert_near(method.embed(images(128, 64)), expected["feature"], 1e-5)


def test_has_the_released_training_features() -> None:
    expected, (_, outputs, _) = arrays("osnet_x1_0"), trained()
    assert_near(outputs["features"], expected["train_v"], 5e-4)
    assert_near(outputs["logits"], expected["train_logits"], 5e-4)


def test_has_the_released_loss() -> None:
    _, _, losses = trained()
    expected = numbers("osnet_x1_0")["xent_ls01"]
    assert {name: each.item() for name, each in losses.items()} == {
        "cross_entropy": pytest.approx(expected, rel=2e-4)
    }


def test_has_the_released_gradients() -> None:
    method, _, _ = trained()
    expected = gradients("osnet_x1_0")["grad_norm_float64"]
    names = method.released({})
    norms = {
        names.released(name): each.grad.norm().item() for name, each in method.named_parameters()
    }
    everything = np.linalg.norm(list(norms.values()))
    assert everything == pytest.approx(expected.pop("all_parameters"), rel=1e-6)
    assert len(expected) == 4
    for name, norm in expected.items():
        assert norms[name] == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("side", ["released", "described", "cosine"])
def test_recipe_is_that_of_the_configuration(side: str) -> None:
    recipe = OSNet.recipes[side]
    assert (recipe.size, recipe.people * recipe.images) == ((256, 128), 64)
    assert recipe.epochs == (250 if side == "cosine" else 150)
    assert recipe.rules == {"network": Adam(1.5e-3, (0.9, 0.999), 5e-4, amsgrad=True)}
    assert (recipe.clip, recipe.fresh, recipe.resize) == (None, (), None)
    assert recipe.interpolation == "bilinear"
    erasing = Erase(0.5, (0.02, 0.4), (0.3, 3.33), fill=(0.485, 0.456, 0.406))
    assert recipe.augmentation == (
        (Flip(0.5), Normalise(), erasing) if side == "described" else (Flip(0.5), Normalise())
    )
    assert recipe.options.frozen == 10


def stepped(epoch: int) -> float:
    return 1.5e-3 * 0.1 ** (epoch // 60)


def annealed(epoch: int) -> float:
    return 1.5e-3 * (1 + math.cos(math.pi * epoch / 250)) / 2


@pytest.mark.parametrize(
    ("side", "expected"),
    [("released", stepped), ("described", stepped), ("cosine", annealed)],
)
def test_learning_rate_of_every_epoch(side: str, expected) -> None:
    recipe = OSNet.recipes[side]
    for epoch in range(recipe.epochs):
        for share in (0.0, 0.99):
            moment = Moment(epoch, epoch + share, epoch + 1.0)
            rate = recipe.schedule.rate(1.5e-3, moment, recipe.epochs)
            assert rate == pytest.approx(expected(epoch), rel=1e-12)


def test_classifier_trains_alone_for_ten_epochs() -> None:
    method = started()
    for epoch, moves in [(20.0, True), (0.0, False), (9.99, False), (10.0, True), (149.0, True)]:
        method.begin(Moment(0, epoch, epoch))
        assert method.training
        for name, part in method.named_children():
            opened = moves or name == "classifier"
            assert all(each.requires_grad == opened for each in part.parameters()), name
            assert all(each.training == opened for each in part.modules()), name
    frozen = RecipeChanges(options={"frozen": 3})
    assert resolved(OSNet, "osnet", "released", FULL, [frozen]).options.frozen == 3


@pytest.mark.parametrize("epoch", [0.0, 149.0])
def test_optimiser_has_every_parameter_at_any_time(epoch: float) -> None:
    method = started()
    method.begin(Moment(0, epoch, epoch))
    assert list(map(id, method.groups()["network"])) == list(map(id, method.parameters()))
    assert method.groups().keys() == method.recipe.rules.keys()


def test_what_stands_still_stands_bit_for_bit() -> None:
    method = started()
    before = {name: each.clone() for name, each in method.state_dict().items()}
    method.begin(Moment(0, 0.0, 1.0))
    step(method, Moment(0, 0.0, 1.0), torch.optim.Adam(method.parameters(), 1e-2))
    moved = {
        name for name, each in method.state_dict().items() if not torch.equal(each, before[name])
    }
    assert moved == {"classifier.weight", "classifier.bias"}


def test_batches_hold_every_image_once_in_any_order() -> None:
    people = np.arange(1000) % 100
    method = osnet()
    drawn = method.batches(people, LATER, np.random.default_rng(0), lambda rows, embed: rows)
    assert [len(batch) for batch in drawn] == [64] * 15
    rows = np.concatenate(drawn)
    assert len(set(rows.tolist())) == 960
    assert not (np.diff(rows) > 0).all()
    with pytest.raises(UserError, match="fewer than the 64 of a batch"):
        method.batches(people[:63], LATER, np.random.default_rng(0), lambda rows, embed: rows)


def test_starts_from_the_backbone_alone() -> None:
    # As our own pretraining writes it.
    backbone = build_backbone("osnet", MINI)
    initialise(backbone, torch.Generator().manual_seed(7))
    method = started()
    last = method.fc[0].weight.clone()
    method.start(backbone.state_dict())
    for name, value in backbone.state_dict().items():
        assert torch.equal(method.backbone.state_dict()[name], value)
    assert torch.equal(method.fc[0].weight, last)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_starts_from_the_authors_weights(prefix: str) -> None:
    method = started(FULL)
    classifier = method.classifier.weight.clone()
    # Theirs has the thousand classes of ImageNet.
    weights = released_state("osnet_x1_0") | {"classifier.weight": torch.zeros(1000, 512)}
    method.start({prefix + name: value for name, value in weights.items()})
    names = method.released({})
    for name, value in method.state_dict().items():
        if not name.startswith("classifier."):
            assert torch.equal(value, weights[names.released(name)]), name
    assert torch.equal(method.classifier.weight, classifier)


def test_refuses_to_start_from_other_weights() -> None:
    weights = started().backbone.state_dict()
    for wrong in (
        {name: value for name, value in weights.items() if not name.startswith("conv5.")},
        weights | {"conv5.conv.weight": torch.zeros(3, 3, 1, 1)},
        weights | {"layer1.weight": torch.zeros(3)},
        weights | {"fc.0.weight": torch.zeros(64, 64)},
    ):
        with pytest.raises(RuntimeError):
            started().start(wrong)


def test_starting_weights() -> None:
    method = started(FULL)
    stem, window = method.backbone.conv1.conv.weight, method.backbone.conv4[0].conv2a.conv2.weight
    assert stem.std().item() == pytest.approx(math.sqrt(2 / (64 * 49)), rel=0.05)
    assert window.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.1)
    assert method.fc[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert (method.backbone.conv4[0].gate.fc1.bias == 0.0).all()


def test_widths_follow_the_scale() -> None:
    method = osnet("released", MINI)
    assert method.backbone.stage_channels == {
        "stem": 8,
        "conv2": 32,
        "conv3": 48,
        "conv4": 64,
        "conv5": 64,
    }
    gates = [each for each in method.modules() if isinstance(each, ChannelGate)]
    assert [each.fc1.out_channels for each in gates] == [1] * 6
    assert method.feature_map(torch.zeros(2, 3, 96, 32)).shape == (2, 64, 6, 2)
    assert method.eval().embed(torch.zeros(2, 3, 96, 32)).shape == (2, 64)
    tiny = ScaleSettings(size=(32, 32), width=0.01)
    assert osnet("released", tiny).eval().embed(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize("stage", ["stem", "conv2", "conv3", "conv4", "conv5"])
def test_stages_are_as_large_as_they_say(stage: str) -> None:
    backbone = build_backbone("osnet", MINI)
    found = backbone.through(stage)(torch.zeros(1, 3, 96, 32))
    assert found.shape[1:3] == (backbone.stage_channels[stage], backbone.rows(96, stage))


@pytest.mark.parametrize("size", [(256, 128), (160, 64), (101, 37), (16, 16)])
def test_takes_other_sizes(size: tuple[int, int]) -> None:
    method = osnet("released", MINI, RecipeChanges(size=size))
    shown = torch.randn(4, 3, *size)
    assert method.train()(shown, LATER, GENERATOR)["logits"].shape == (4, IDENTITIES)
    found = method.eval().embed(shown)
    assert found.shape == (4, 64)
    assert (found >= 0.0).all()


def test_images_without_a_map_are_refused() -> None:
    with pytest.raises(UserError, match=r"images of 64x8 leave OSNet no map: make both sides"):
        osnet("released", FULL, RecipeChanges(size=(64, 8)))


def test_another_backbone_may_stand_in() -> None:
    scale = ScaleSettings(size=(96, 32), backbones={"osnet": "small"})
    assert osnet("released", scale).eval().embed(torch.zeros(2, 3, 96, 32)).shape == (2, 512)


@pytest.mark.parametrize("training", [True, False])
def test_streams_side_by_side_are_the_streams_one_by_one(training: bool) -> None:
    found = []
    for side_by_side in (True, False):
        block = OSBlock(16, 48).double()
        initialise(block, torch.Generator().manual_seed(0))
        assert block.side_by_side
        block.side_by_side = side_by_side
        shown = torch.randn(5, 16, 7, 3, generator=torch.Generator().manual_seed(1))
        shown = shown.double().requires_grad_()
        block.train()(shown)  # moves the running statistics
        result = block.train(training)(shown)
        (result * torch.linspace(-1, 2, result.numel()).view_as(result)).sum().backward()
        own = {name: each.grad for name, each in block.named_parameters()}
        found.append({"result": result, "shown": shown.grad} | own | dict(block.named_buffers()))
    together, alone = found
    assert together.keys() == alone.keys()
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-9, atol=1e-9)


def test_wide_streams_run_one_by_one() -> None:
    blocks = [each for each in osnet().modules() if isinstance(each, OSBlock)]
    assert [each.side_by_side for each in blocks] == [False] * 6


def plain_gate(gate: ChannelGate, *streams: Tensor) -> Tensor:
    """The gate step by step, as the paper has it."""
    total = torch.zeros_like(streams[0])
    for stream in streams:
        hidden = gate.fc1(stream.mean(dim=(2, 3), keepdim=True)).relu()
        total = total + stream * gate.fc2(hidden).sigmoid()
    return total


def test_gate_is_the_papers() -> None:
    gate = ChannelGate(6, 3).double()
    streams = [torch.randn(4, 6, 5, 3).double().requires_grad_() for _ in range(4)]
    weights = torch.randn(4, 6, 5, 3).double()
    found = []
    for run in (gate, lambda *each: plain_gate(gate, *each)):
        result = run(*streams)
        inputs = [*streams, *gate.parameters()]
        found.append([result, *torch.autograd.grad((result * weights).sum(), inputs)])
    for own, expected in zip(*found, strict=True):
        torch.testing.assert_close(own, expected)


def test_gate_keeps_the_layout_of_its_streams() -> None:
    gate = ChannelGate(6, 3)
    streams = [
        torch.randn(4, 6, 5, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
        for _ in range(2)
    ]
    result = gate(*streams)
    result.backward(torch.ones_like(result))
    for each in (result, *(stream.grad for stream in streams)):
        assert each.is_contiguous(memory_format=torch.channels_last)


def test_gate_under_autocast_is_near() -> None:
    gate = ChannelGate(6, 3)
    streams = [torch.randn(4, 6, 5, 3, requires_grad=True) for _ in range(4)]
    short = [each.detach().bfloat16().requires_grad_() for each in streams]
    exact = gate(*streams)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = gate(*short)
    assert near.dtype == torch.bfloat16
    torch.testing.assert_close(near.float(), exact, rtol=0.02, atol=0.05)
    exact.square().sum().backward()
    near.float().square().sum().backward()
    for own, expected in zip(short, streams, strict=True):
        torch.testing.assert_close(own.grad.float(), expected.grad, rtol=0.05, atol=0.1)


def test_trains_under_autocast() -> None:
    method = started()
    method.begin(LATER)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = method(torch.randn(8, 3, 96, 32), LATER, GENERATOR)
    outputs["logits"].float().square().sum().backward()
    assert all(each.grad.isfinite().all() for each in method.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_folded_normalisation_is_the_normalisation(training: bool) -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=False).double(), nn.BatchNorm2d(6).double()
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias)
    norm(torch.randn(8, 6, 3, 3).double() * 3 + 1)
    norm.train(training)
    shown = torch.randn(4, 4, 9, 5).double()
    torch.testing.assert_close(convolve_and_normalise(shown, conv, norm), norm(conv(shown)))


@pytest.mark.parametrize("training", [True, False])
def test_joined_normalisations_are_those_of_each(training: bool) -> None:
    torch.manual_seed(0)
    together = [nn.BatchNorm2d(3).double() for _ in range(3)]
    alone = [nn.BatchNorm2d(3).double() for _ in range(3)]
    for own, other in zip(together, alone, strict=True):
        nn.init.uniform_(own.weight, 0.5, 1.5)
        nn.init.uniform_(own.running_mean)
        other.load_state_dict(own.state_dict())
        own.train(training)
        other.train(training)
    shown = torch.randn(4, 9, 5, 2).double()
    expected = torch.cat(
        [norm(part) for norm, part in zip(alone, shown.chunk(3, 1), strict=True)], 1
    )
    torch.testing.assert_close(joined_norms(shown, together), expected)
    for own, other in zip(together, alone, strict=True):
        torch.testing.assert_close(own.state_dict(), other.state_dict())


def step(method: Method, moment: Moment, optimiser: torch.optim.Optimizer) -> float:
    """A training step on eight people whom noise hides a little."""
    looks = torch.randn(8, 3, 96, 32, generator=torch.Generator().manual_seed(1))
    people = torch.arange(8).repeat_interleave(4)
    shown = looks.repeat_interleave(4, 0) + 0.3 * torch.randn(32, 3, 96, 32)
    losses = method.losses(method(shown, moment, GENERATOR), people, moment, GENERATOR)
    loss = torch.stack(list(losses.values())).sum()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def test_learns_at_the_mini_scale() -> None:
    torch.manual_seed(0)
    method = started()
    before = {name: each.detach().clone() for name, each in method.named_parameters()}
    optimiser = torch.optim.Adam(
        method.groups()["network"], 1.5e-3, weight_decay=5e-4, amsgrad=True
    )
    method.begin(LATER)
    history = [step(method, LATER, optimiser) for _ in range(15)]
    assert history[-1] < 0.9 * history[0]
    assert not any(torch.equal(each, before[name]) for name, each in method.named_parameters())
