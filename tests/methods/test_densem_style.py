"""The network after DenSem: two streams in training, one in testing, and images without a map.

There is no released code, so that no golden numbers exist.
"""

import pytest
import tiny
import torch

from topdb.config import declared, method_files
from topdb.config.scale import RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import build
from topdb.methods.contract import Moment
from topdb.methods.contract.resolving import resolved
from topdb.methods.densem_style import DenSemStyle
from topdb.planning import plan
from topdb.runs.conformance.subject import part_maps

MINI = ScaleSettings(
    size=(96, 32), epochs=5, people=8, width=0.125, backbones={"resnet50": "small"}
)
MOMENT = Moment(0, 0.0)
PEOPLE = torch.arange(4).repeat_interleave(4)


def densem(scale: ScaleSettings = MINI, **options: object) -> DenSemStyle:
    recipe = resolved(
        DenSemStyle, "densem-style", "described", scale, [RecipeChanges(options=options)]
    )
    method = build(DenSemStyle, recipe, 4, scale)
    assert isinstance(method, DenSemStyle)
    method.initialise(torch.Generator().manual_seed(0))
    return method


def losses(method: DenSemStyle, maps: torch.Tensor) -> dict[str, torch.Tensor]:
    images = torch.randn(16, 3, 96, 32, generator=torch.Generator().manual_seed(1))
    outputs = method(images, MOMENT, torch.Generator(), parts=maps)
    return method.losses(outputs, PEOPLE, MOMENT, torch.Generator())


def test_the_part_stream_teaches_the_first_and_is_not_tested() -> None:
    method = densem()
    found = losses(method, part_maps(16, (96, 32)))
    found["fused_cross_entropy"].backward()
    assert method.backbone[0].weight.grad.abs().sum() > 0
    assert method.part_backbone[0].weight.grad.abs().sum() > 0
    images = torch.randn(3, 3, 96, 32)
    method.eval()
    before = method.embed(images)
    for parameter in method.part_backbone.parameters():
        parameter.data.zero_()
    assert torch.equal(method.embed(images), before)
    assert before.shape == (3, 3 * 64)


def test_images_without_a_map_are_left_out_of_the_part_stream() -> None:
    method = densem()
    found = losses(method, torch.zeros(16, 3, 96, 32, dtype=torch.uint8))
    assert found["parts_cross_entropy"] == 0.0
    # With no parts to add the sum is the first stream; its classifiers are others.
    assert torch.equal(found["image_triplet"], found["fused_triplet"])
    maps = part_maps(16, (96, 32))
    some = losses(method, maps)
    maps[:8] = 0
    fewer = losses(method, maps)
    assert fewer["parts_cross_entropy"] > 0.0
    assert fewer["parts_cross_entropy"] != some["parts_cross_entropy"]


def test_its_size_and_its_mark() -> None:
    full = densem(ScaleSettings(backbones={"resnet50": "small"}))
    assert full.side == 32
    assert full.embed(torch.zeros(2, 3, 384, 128)).shape == (2, 1536)
    told = declared(method_files()["densem-style"])
    assert told.needs == ("parts",)
    assert told.rebuilt == DenSemStyle.rebuilt
    assert "chosen here" in told.rebuilt
    assert "no number can confirm it" in told.rebuilt
    with pytest.raises(UserError, match="two rows or more"):
        densem(ScaleSettings(size=(8, 8), width=0.125, backbones={"resnet50": "small"}))


def test_a_data_set_without_maps_is_refused_before_anything_trains(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tiny.ROOT)
    changes = {
        "methods": ["baseline", "densem-style"],
        "datasets.market1501.root": str(tmp_path),
    }
    with pytest.raises(UserError, match=r"name their folder as datasets\.market1501\.parts"):
        plan(tiny.params(tmp_path, changes), None)
    named = changes | {"datasets.market1501.parts": str(tmp_path / "maps")}
    with pytest.raises(UserError, match="maps of data set market1501 does not exist"):
        plan(tiny.params(tmp_path, named), None)
    (tmp_path / "maps").mkdir()
    found = plan(tiny.params(tmp_path, named), None)
    assert found["index"]["market1501"]["parts"] == str(tmp_path / "maps")
    others = named | {"methods": ["baseline", "top-db-net"]}
    assert "parts" not in plan(tiny.params(tmp_path, others), None)["index"]["market1501"]
