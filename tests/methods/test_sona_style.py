"""The network after SONA: its attention worked out by hand, its rectangles, and its recipe.

There is no released code, so that no golden numbers exist.
"""

import math

import pytest
import torch
from torch import Tensor, nn

from topdb.config import declared, method_files
from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.drop import rectangle_drop_mask
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.second_order import SecondOrderNonLocal, covariance_of_positions
from topdb.methods.parts.stages import dilate_last_stage
from topdb.methods.sona_style import SonaStyle

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
MOMENT = Moment(0, 0.0)
GENERATOR = torch.Generator()
PEOPLE = torch.arange(8).repeat_interleave(4)


def sona(side: str = "described", scale: ScaleSettings = MINI, **options: object) -> SonaStyle:
    changes = [RecipeChanges(options=options)]
    method = build(SonaStyle, resolved(SonaStyle, "sona-style", side, scale, changes), 10, scale)
    assert isinstance(method, SonaStyle)
    method.initialise(torch.Generator().manual_seed(0))
    return method


def filled(layer: nn.Conv2d, values: list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(values)[..., None, None])
        layer.bias.copy_(torch.tensor(bias))


def by_hand(scaled: bool) -> SecondOrderNonLocal:
    """Two channels inside and out; theta and g are the identity, p turns channels round."""
    module = SecondOrderNonLocal(2, 2, scaled, "scalar")
    for layer in (module.theta, module.g):
        filled(layer, [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    filled(module.p, [[0.0, 1.0], [1.0, 0.0]], [10.0, 20.0])
    return module


PLACES = torch.tensor([[[[3.0, 0.0]], [[1.0, 2.0]]]])
"""One image of two places, (3, 1) and (0, 2)."""


def test_covariance_worked_out_by_hand() -> None:
    # (3, 1) has the mean 2 and differs from it by (1, -1); (0, 2) by (-1, 1).
    found = covariance_of_positions(torch.tensor([[[3.0, 1.0], [0.0, 2.0]]]))
    assert found.tolist() == [[[1.0, -1.0], [-1.0, 1.0]]]


def test_covariance_is_the_papers_product_of_three_matrices() -> None:
    theta = torch.randn(3, 7, 5).double()
    middle = (torch.eye(5) - torch.ones(5, 5) / 5).double() / 5
    torch.testing.assert_close(covariance_of_positions(theta), theta @ middle @ theta.mT)


@pytest.mark.parametrize("scaled", [True, False])
def test_attention_worked_out_by_hand(scaled: bool) -> None:
    # Each row is (1, -1) or (-1, 1), over the root of two channels: the softmax of their gap.
    share = 1 / (1 + math.exp(-2 / math.sqrt(2) if scaled else -2))
    found = by_hand(scaled).attention(PLACES)
    expected = torch.tensor([[[share, 1 - share], [1 - share, share]]])
    torch.testing.assert_close(found, expected)


def test_attention_takes_theta_after_its_relu() -> None:
    # (3, -5) becomes (3, 0), which differs from its mean by 1.5; (0, 2) by -1 and 1.
    shown = torch.tensor([[[[3.0, 0.0]], [[-5.0, 2.0]]]])
    found = by_hand(False).attention(shown)
    share = 1 / (1 + math.exp(-(2.25 + 1.5)))
    assert found[0, 0].tolist() == pytest.approx([share, 1 - share])
    assert found[0, 1, 1].item() == pytest.approx(1 / (1 + math.exp(-(1.0 + 1.5))))


def test_the_block_worked_out_by_hand() -> None:
    module = by_hand(False)
    with torch.no_grad():
        module.weight.weight.fill_(0.5)
    share = 1 / (1 + math.exp(-2))
    # The first place gathers 3 s + 0 (1 - s) and 1 s + 2 (1 - s); p turns them round and adds
    # 10 and 20; half of that joins what was there.
    first = (3 * share, 1 * share + 2 * (1 - share))
    second = (3 * (1 - share), 1 * (1 - share) + 2 * share)
    expected = [
        [3 + 0.5 * (first[1] + 10), 0 + 0.5 * (second[1] + 10)],
        [1 + 0.5 * (first[0] + 20), 2 + 0.5 * (second[0] + 20)],
    ]
    torch.testing.assert_close(module(PLACES)[0, :, 0], torch.tensor(expected))


@pytest.mark.parametrize("weight", ["scalar", "norm"])
def test_the_block_starts_as_nothing_and_learns(weight: str) -> None:
    module = sona(weight=weight).attention["layer1"]
    shown = torch.randn(4, 16, 6, 2)
    assert torch.equal(module(shown), shown)
    module(shown).square().sum().backward()
    assert module.weight.weight.grad.abs().max() > 0
    with torch.no_grad():
        module.weight.weight.fill_(0.1)
    assert not torch.equal(module(shown), shown)


def test_the_block_has_its_gradients() -> None:
    module = SecondOrderNonLocal(3, 2, True, "scalar").double()
    with torch.no_grad():
        module.weight.weight.fill_(0.7)
        module.theta.bias.fill_(2.0)  # away from the ReLU's corner
    shown = torch.rand(2, 3, 2, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(module, (shown,))


@pytest.mark.parametrize(
    ("after", "stages"),
    [("res2", ["layer1"]), ("res3", ["layer2"]), ("both", ["layer1", "layer2"])],
)
def test_attention_stands_after_the_stages_that_an_option_names(
    after: str, stages: list[str]
) -> None:
    method = sona(after=after)
    assert list(method.attention) == stages
    seen: list[tuple[int, ...]] = []
    for module in method.attention.values():
        module.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    method.feature_map(torch.zeros(2, 3, 96, 32))
    shapes = {"layer1": (2, 16, 24, 8), "layer2": (2, 32, 12, 4)}
    assert seen == [shapes[stage] for stage in stages]
    assert sona("described" if after == "both" else after).options.after == after


def test_the_whole_backbone_runs_once() -> None:
    method = sona().eval()
    shown = torch.randn(2, 3, 96, 32)
    with torch.inference_mode():
        assert torch.equal(method.shared(shown), method.backbone(shown))


def test_inner_channels_follow_the_reduction() -> None:
    with torch.device("meta"):
        method = build(SonaStyle, resolved(SonaStyle, "sona-style", "described"), 10)
    found = {name: module.theta.out_channels for name, module in method.attention.items()}
    assert found == {"layer1": 128, "layer2": 256}
    assert sona(reduction=4).attention["layer2"].g.out_channels == 8


def test_the_last_stage_is_dilated_as_torchvision_does_it() -> None:
    from torchvision.models import resnet50

    with torch.device("meta"):
        theirs = resnet50(replace_stride_with_dilation=[False, False, True]).layer4
        backbone = build_backbone("resnet50", FULL, last_stride=1)
    dilate_last_stage(backbone)

    def windows(layer: nn.Module) -> list[tuple[object, ...]]:
        return [
            (name, each.kernel_size, each.stride, each.dilation, each.padding)
            for name, each in layer.named_modules()
            if isinstance(each, nn.Conv2d)
        ]

    assert windows(backbone.layer4) == windows(theirs)
    plain = sona(dilated=False)
    assert all(each.dilation == (1, 1) for each in plain.modules() if isinstance(each, nn.Conv2d))


def bounds(mask: Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is dropped, which has to be a rectangle."""
    rows, columns = (mask[0, 0] == 0).nonzero(as_tuple=True)
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) - top + 1, int(columns.max()) - left + 1
    assert height * width == len(rows)
    return top, left, height, width


def test_a_rectangle_is_dropped_of_sizes_between_the_bounds_anywhere() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 2, 10, 6)
    found = set()
    for _ in range(2000):
        mask = rectangle_drop_mask(features, (0.2, 0.4), (0.5, 1.0), generator)
        assert mask.shape == (1, 1, 10, 6)  # the same for the batch
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        found.add(bounds(mask))
    assert {height for _, _, height, _ in found} == {2, 3, 4}
    assert {width for _, _, _, width in found} == {3, 4, 5, 6}
    drawn = (rectangle_drop_mask(features, (0.2, 0.2), (0.5, 0.5), generator) for _ in range(500))
    assert {bounds(mask)[:2] for mask in drawn} == {
        (top, left) for top in range(9) for left in range(4)
    }


@pytest.mark.parametrize(("shape", "size"), [((3, 2), (2, 2)), ((1, 4), (1, 3)), ((4, 1), (3, 1))])
def test_a_rectangle_never_drops_the_whole_map(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    mask = rectangle_drop_mask(torch.zeros(1, 1, *shape), (1.0, 1.0), (1.0, 1.0), GENERATOR)
    assert bounds(mask)[2:] == size


def test_a_rectangle_drops_at_least_a_place_and_follows_its_generator() -> None:
    drawn = [
        rectangle_drop_mask(
            torch.zeros(1, 1, 5, 5), (0.01, 0.02), (0.01, 0.02), torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    ]
    assert bounds(drawn[0])[2:] == (1, 1)
    assert torch.equal(*drawn)


def test_testing_drops_nothing_and_training_does() -> None:
    method = sona()
    shown = torch.randn(8, 3, 96, 32)
    features = method.feature_map(shown)
    mask = method.drop_mask(features, torch.Generator().manual_seed(0))
    assert bounds(mask)[2] <= 6
    found = [
        method(shown, MOMENT, torch.Generator().manual_seed(seed))["drop_features"]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    method.eval()
    assert method.embed(shown).shape == (8, 64 + 128)


def test_soft_margin_is_the_softplus_of_the_gap() -> None:
    features = torch.tensor([[0.0], [1.0], [3.0], [5.0]])
    people = torch.tensor([0, 0, 1, 1])
    # Farthest of one's own, nearest of others: 1-3, 1-2, 2-2, 2-4.
    expected = sum(math.log1p(math.exp(gap)) for gap in (-2.0, -1.0, 0.0, -2.0)) / 4
    assert batch_hard_triplet(features, people, None).item() == pytest.approx(expected)


def test_losses_are_those_of_batch_dropblock() -> None:
    method = sona()
    outputs = method(torch.randn(32, 3, 96, 32), MOMENT, torch.Generator().manual_seed(0))
    found = method.losses(outputs, PEOPLE, MOMENT, GENERATOR)
    assert list(found) == [
        "global_cross_entropy",
        "global_triplet",
        "drop_cross_entropy",
        "drop_triplet",
    ]
    for name in ("global", "drop"):
        logits, features = outputs[f"{name}_logits"], outputs[f"{name}_features"]
        assert found[f"{name}_cross_entropy"] == nn.functional.cross_entropy(logits, PEOPLE)
        assert found[f"{name}_triplet"] == batch_hard_triplet(features, PEOPLE, None)


def test_recipe_is_the_described_one() -> None:
    recipe = resolved(SonaStyle, "sona-style", "released")  # it has no such side
    assert recipe == SonaStyle.recipes["described"]
    assert (recipe.size, recipe.epochs, recipe.people, recipe.images) == ((384, 128), 400, 16, 4)
    assert recipe.rules == {"network": Adam(1e-3, weight_decay=5e-4)}
    assert recipe.augmentation == (Flip(0.5), Normalise(), Erase(0.5))
    rates = [recipe.schedule.rate(1e-3, Moment(0, epoch), 400) for epoch in (0, 25, 50, 199)]
    assert rates == pytest.approx([1e-4, 5.5e-4, 1e-3, 1e-3])
    later = [recipe.schedule.rate(1e-3, Moment(0, epoch), 400) for epoch in (200, 299, 300)]
    assert later == pytest.approx([1e-4, 1e-4, 1e-5])
    assert "released no code" in recipe.note


def test_options_that_cannot_be_are_refused() -> None:
    for options in ({"after": "res4"}, {"reduction": 0}, {"heights": [0.0, 1.0]}):
        with pytest.raises(UserError, match=r"changes\.sona-style\.options"):
            sona(**options)


def test_never_passes_for_the_original() -> None:
    assert find("sona-style") is SonaStyle
    assert SonaStyle.title == "SONA-style (after Xia 2019)"
    told = declared(method_files()["sona-style"])
    assert (told.title, told.backbone) == (SonaStyle.title, "resnet50")
    assert told.rebuilt == SonaStyle.rebuilt
    assert "chosen here" in told.rebuilt
    assert "no number can confirm it" in told.rebuilt
    assert "released" not in SonaStyle.recipes


@pytest.mark.parametrize("side", SonaStyle.recipes)
def test_learns_at_the_mini_scale(side: str) -> None:
    torch.manual_seed(0)
    method = sona(side)
    looks = torch.randn(8, 3, 96, 32)
    before = {name: each.detach().clone() for name, each in method.named_parameters()}
    optimiser = torch.optim.Adam(method.groups()["network"], 1e-3)
    method.begin(MOMENT)
    history = []
    for _ in range(8):
        shown = looks[PEOPLE] + 0.3 * torch.randn(32, 3, 96, 32)
        outputs = method(shown, MOMENT, torch.Generator().manual_seed(0))
        losses = method.losses(outputs, PEOPLE, MOMENT, GENERATOR)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(total.item())
    assert all(map(math.isfinite, history))
    assert history[-1] < 0.9 * history[0]
    assert not [n for n, each in method.named_parameters() if torch.equal(each, before[n])]
