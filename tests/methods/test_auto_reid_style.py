"""The network after Auto-ReID: its cells against the authors' own, and the frame around them."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from methods.golden import arrays, assert_near, golden_value, numbers, shapes
from torch import Tensor, nn

from topdb.config import declared, method_files
from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build, find
from topdb.methods.auto_reid_style import AutoReIDStyle
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Cosine, Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.parts.augmentation import Erase, Flip, Normalise
from topdb.methods.parts.cells import NORMAL, REDUCTION, Cell, Cells, PartAware, operation
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.methods.parts.starts import initialise

MINI = ScaleSettings(size=(96, 32), epochs=5, people=8, width=0.125)
MOMENT = Moment(0, 0.0)
GENERATOR = torch.Generator()
PEOPLE = torch.arange(8).repeat_interleave(4)


def auto_reid(scale: ScaleSettings = MINI, *changes: RecipeChanges) -> AutoReIDStyle:
    recipe = resolved(AutoReIDStyle, "auto-reid-style", "described", scale, changes)
    method = build(AutoReIDStyle, recipe, 10, scale)
    assert isinstance(method, AutoReIDStyle)
    method.initialise(torch.Generator().manual_seed(0))
    return method


def filled(module: nn.Module, prefix: str = "") -> nn.Module:
    """Fill a module's weights by the rule behind the golden numbers."""
    module.load_state_dict(
        {
            name: torch.from_numpy(np.asarray(golden_value(prefix + name, tuple(value.shape))))
            for name, value in module.state_dict().items()
        }
    )
    return module.eval()


def assert_shapes(module: nn.Module, expected: Mapping[str, list[int]], prefix: str = "") -> None:
    assert {prefix + name: list(each.shape) for name, each in module.state_dict().items()} == (
        expected
    )


def golden_cells() -> Cells:
    return Cells(64, 16, (1, 1, 1, 1))


def test_cells_have_the_authors_names_and_shapes() -> None:
    assert_shapes(golden_cells(), shapes("autoreid_cells"), "cells.")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cells_have_the_authors_numbers(dtype: torch.dtype) -> None:
    golden = arrays("autoreid_cells")
    cells = filled(golden_cells(), "cells.").to(dtype)
    with torch.inference_mode():
        found = cells(torch.from_numpy(golden["x"]).to(dtype))
    assert_near(found, golden["features"], 2e-6)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_part_aware_operation_has_the_authors_numbers(stride: int, dtype: torch.dtype) -> None:
    golden = arrays("autoreid_partaware")
    module = PartAware(48, 48, stride)
    assert_shapes(module, numbers("autoreid_partaware", f"shapes_stride{stride}.json"))
    filled(module).to(dtype)
    with torch.inference_mode():
        found = module(torch.from_numpy(golden["x"]).to(dtype))
    assert_near(found, golden[f"stride{stride}"], 2e-6)


def test_parts_are_cut_where_the_authors_cut_them() -> None:
    # Of 6 rows, int(i * 6 / 4): rows 0, 1 to 2, 3, and 4 to 5.
    module = filled(PartAware(6, 6, 1))
    seen: list[Tensor] = []
    for local in module.local_conv_list:
        local.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(1)))
    shown = torch.randn(2, 6, 6, 3)
    module(shown)
    rows = [(0, 1), (1, 3), (3, 4), (4, 6)]
    for found, (first, last) in zip(seen, rows, strict=True):
        torch.testing.assert_close(found, shown[:, :, first:last].mean(dim=(2, 3)))


def test_parts_attend_to_each_other_and_tell_their_rows() -> None:
    module = filled(PartAware(6, 6, 1))
    shown = torch.randn(2, 6, 8, 3)
    joined: list[Tensor] = []
    module.last.register_forward_pre_hook(lambda _, given: joined.append(given[0]))
    module(shown)
    (found,) = joined
    assert torch.equal(found[:, :6], shown)
    parts = torch.stack(
        [
            local(part.mean(dim=(2, 3), keepdim=True)).flatten(1)
            for local, part in zip(module.local_conv_list, shown.chunk(4, dim=2), strict=True)
        ],
        dim=1,
    )
    told = torch.softmax(module.W_K(parts) @ module.W_Q(parts).mT, dim=2) @ parts
    for row in range(8):
        for column in range(3):
            torch.testing.assert_close(found[:, 6:, row, column], told[:, row // 2])


def test_genotype_is_the_published_one() -> None:
    used = [name for cell in (NORMAL, REDUCTION) for node in cell for name, _ in node]
    assert used.count("part_aware") == 1
    assert REDUCTION[0][1] == ("part_aware", 1)
    assert [source for node in NORMAL for _, source in node] == [0, 1, 2, 0, 3, 2, 4, 3]
    assert [source for node in REDUCTION for _, source in node] == [0, 1, 0, 2, 2, 0, 4, 3]
    with pytest.raises(ValueError, match="no operation is called conv_7x7"):
        operation("conv_7x7", 4, 1)


@pytest.mark.parametrize("name", ["sep_conv_3x3", "dil_conv_3x3", "max_pool_3x3", "skip_connect"])
@pytest.mark.parametrize("stride", [1, 2])
def test_operations_keep_channels_and_round_halves_up(name: str, stride: int) -> None:
    shown = torch.randn(2, 4, 7, 5)
    before = shown.clone()
    found = operation(name, 4, stride)(shown)
    assert found.shape == ((2, 4, 7, 5) if stride == 1 else (2, 4, 4, 3))
    assert torch.equal(shown, before)  # others read the same map


def test_a_cell_after_a_reduction_halves_its_first_input() -> None:
    cell = Cell(8, 16, 4, reduces=False, halved=True)
    assert cell(torch.randn(2, 8, 7, 5), torch.randn(2, 16, 4, 3)).shape == (2, 16, 4, 3)


def products(network: nn.Module, height: int, width: int) -> int:
    """Products of all convolutions for one image."""
    counts: list[int] = []

    def count(layer: nn.Module, _: object, found: Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            counts.append(found[0].numel() * layer.weight[0].numel())

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.device("meta"):
        network(torch.empty(2, 3, height, width))
    return sum(counts)


def size_of(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters())


def test_the_frame_has_the_published_share_of_a_resnets_size() -> None:
    """The abstract: half of ResNet-50's parameters, and 53 % fewer products."""
    with torch.device("meta"):
        ours, resnet = build_backbone("auto-reid", FULL), build_backbone("resnet50", FULL)
        stride_2 = build_backbone("resnet50", FULL, last_stride=2)
        cells = [Cells(64, 64, each) for each in [(1, 1, 1, 1), (1, 1, 2, 1), (2, 2, 2, 2)]]
    imagenet = 2048 * 1000 + 1000
    share = (size_of(ours) + imagenet) / (size_of(resnet) + imagenet)
    assert 0.45 < share < 0.55
    assert 12e6 < size_of(ours) + imagenet < 13.5e6
    assert products(ours, 224, 224) / products(stride_2, 224, 224) == pytest.approx(0.47, abs=0.01)
    assert [round(size_of(each) / 1e6, 1) for each in cells] == [9.8, 10.9, 15.8]
    assert ours.channels == 2048


@pytest.mark.parametrize(("size", "rows"), [((384, 128), 12), ((96, 32), 3), ((101, 37), 4)])
def test_maps_are_as_large_as_the_backbone_says(size: tuple[int, int], rows: int) -> None:
    backbone = build_backbone("auto-reid", MINI)
    found = backbone.eval()(torch.zeros(1, 3, *size))
    assert found.shape[1:3] == (256, rows)
    assert backbone.rows(size[0]) == rows
    stem = backbone.through("stem")(torch.zeros(1, 3, *size))
    assert stem.shape[1:3] == (backbone.stage_channels["stem"], backbone.rows(size[0], "stem"))


def test_the_number_of_cells_is_an_option() -> None:
    more = auto_reid(MINI, RecipeChanges(options={"cells": [2, 0, 1, 0], "neck": True}))
    assert len(more.backbone.cells) == 3 + 3
    assert isinstance(more.neck, nn.BatchNorm1d)
    with pytest.raises(UserError, match=r"options\.cells"):
        auto_reid(MINI, RecipeChanges(options={"cells": [0, 1, 1, 1]}))


def test_images_too_low_for_the_parts_are_refused() -> None:
    with pytest.raises(UserError, match=r"48 pixels high .* 4 rows, one for each part"):
        auto_reid(MINI, RecipeChanges(size=(48, 32)))
    lowest = auto_reid(MINI, RecipeChanges(size=(49, 17))).eval()
    assert lowest.embed(torch.zeros(1, 3, 49, 17)).shape == (1, 256)


def test_another_backbone_may_stand_in() -> None:
    scale = ScaleSettings(size=(48, 32), backbones={"auto-reid": "small"})
    assert auto_reid(scale).eval().embed(torch.zeros(2, 3, 48, 32)).shape == (2, 64)


def test_losses_share_one() -> None:
    method = auto_reid()
    outputs = method(torch.randn(32, 3, 96, 32), MOMENT, GENERATOR)
    found = method.losses(outputs, PEOPLE, MOMENT, GENERATOR)
    entropy = nn.functional.cross_entropy(outputs["logits"], PEOPLE)
    assert found["cross_entropy"] == 0.5 * entropy
    assert found["triplet"] == 0.5 * batch_hard_triplet(outputs["features"], PEOPLE, 0.3)
    assert set(found) == {"cross_entropy", "triplet"}


def test_recipe_is_the_described_one() -> None:
    recipe = resolved(AutoReIDStyle, "auto-reid-style", "released")  # it has no such side
    assert recipe == AutoReIDStyle.recipes["described"]
    assert (recipe.size, recipe.epochs, recipe.people, recipe.images) == ((384, 128), 240, 16, 4)
    assert recipe.rules == {"network": Adam(3.5e-4, weight_decay=5e-4)}
    assert recipe.augmentation == (Flip(0.5), Normalise(), Erase(0.5))
    rates = [recipe.schedule.rate(1.0, Moment(0, epoch), 240) for epoch in (0, 79, 80, 149, 150)]
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])
    assert "in a frame that was chosen here" in recipe.note


def test_a_variant_has_a_rate_for_a_random_start() -> None:
    recipe = AutoReIDStyle.recipes["scratch"]
    assert recipe.rules == {"network": Adam(3.5e-3)}
    assert recipe.schedule == Cosine(warmup=10.0)
    described = AutoReIDStyle.recipes["described"]
    assert replace(recipe, rules=described.rules, schedule=described.schedule) == described


def test_starts_from_a_backbone_that_was_pretrained() -> None:
    backbone = build_backbone("auto-reid", MINI)
    initialise(backbone, torch.Generator().manual_seed(7))
    method = auto_reid()
    method.start(backbone.state_dict())
    for name, value in backbone.state_dict().items():
        assert torch.equal(method.backbone.state_dict()[name], value)


def test_never_passes_for_the_original() -> None:
    assert find("auto-reid-style") is AutoReIDStyle
    assert AutoReIDStyle.title == "Auto-ReID-style (after Quan 2019)"
    told = declared(method_files()["auto-reid-style"])
    assert (told.title, told.backbone) == (AutoReIDStyle.title, "auto-reid")
    assert told.rebuilt == AutoReIDStyle.rebuilt
    assert "chosen here" in told.rebuilt
    assert "no number can confirm it" in told.rebuilt
    assert "released" not in AutoReIDStyle.recipes


def test_learns_at_the_mini_scale() -> None:
    torch.manual_seed(0)
    method = auto_reid()
    looks = torch.randn(8, 3, 96, 32)
    before = {name: each.detach().clone() for name, each in method.named_parameters()}
    optimiser = torch.optim.Adam(method.groups()["network"], 1e-3)
    method.begin(MOMENT)
    history = []
    for _ in range(10):
        shown = looks[PEOPLE] + 0.3 * torch.randn(32, 3, 96, 32)
        outputs = method(shown, MOMENT, GENERATOR)
        losses = method.losses(outputs, PEOPLE, MOMENT, GENERATOR)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(total.item())
    assert all(map(math.isfinite, history))
    assert history[-1] < 0.9 * history[0]
    assert not [n for n, each in method.named_parameters() if torch.equal(each, before[n])]
