"""Part maps: found by name, checked, kept behind the pixels, and moved together with images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from topdb.config import RenderSettings
from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels, read_index
from topdb.datasets.part_maps import read_map, verify_maps, write_map
from topdb.datasets.reading import Source, read_source
from topdb.drawn.rendering import render
from topdb.engine.batches import resized_parts
from topdb.errors import UserError
from topdb.methods.contract import Moment
from topdb.methods.parts.augmentation import (
    CropLarger,
    EnlargeAndCrop,
    Erase,
    EraseMore,
    Flip,
    Jitter,
    Normalise,
    PadAndCrop,
    augmented,
)
from topdb.methods.parts.part_maps import atlas, augmented_together, followed, part_images

SETTINGS = RenderSettings(**tiny.RENDER)
MOMENT = Moment(0, 0.0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn data set without and one with maps."""
    folder = tmp_path_factory.mktemp("drawn")
    render(SETTINGS, "cuhk03-labeled", folder / "plain")
    render(SETTINGS, "cuhk03-labeled", folder / "mapped", folder / "mapped/parts")
    return folder


def contents(root: Path) -> dict[str, bytes]:
    """All but the maps, and what states a digest of all that was drawn."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "parts" not in path.parts and path.name != "rendered.json"
    }


def built(folder: Path, parts: Path | None):
    paths = folder / "index.parquet", folder / "pixels.npy"
    root = folder / "mapped"
    return (*paths, build_index("drawn", "cuhk03-labeled", root, *paths, parts=parts))


def test_drawn_maps_leave_images_alone_and_know_the_body(drawn):
    assert contents(drawn / "plain") == contents(drawn / "mapped")
    maps = sorted((drawn / "mapped/parts").rglob("*.png"))
    assert len(maps) == SETTINGS.train_images
    known = set()
    for path in maps:
        found, _ = read_map(path, (128, 64))
        body = found[:, :, 0] > 0
        known |= set(found[:, :, 0][body].tolist())
        assert not found[~body].any()
        assert 0.03 < body.mean() < 0.6
        heads, feet = (np.nonzero(np.isin(found[:, :, 0], each))[0] for each in ((23, 24), (5, 6)))
        if len(heads) and len(feet):
            assert heads.max() < feet.min()
    assert {23, 24} <= known <= set(range(1, 25))
    assert {1, 2} & known


def test_maps_follow_the_pixels_and_change_no_image_and_no_digest(drawn):
    index_path, pixels_path, plain = built(drawn, None)
    without = pixels_path.read_bytes()[128:]
    parts = drawn / "mapped/parts"
    _, _, index = built(drawn, parts)
    assert pixels_path.read_bytes()[128 : 128 + len(without)] == without
    assert index.digest == plain.digest
    assert (plain.has_parts, index.has_parts) == (False, True)
    again = read_index(index_path)
    assert again.parts_digest == index.parts_digest
    pixels = Pixels.open(pixels_path, again)
    for row, path in enumerate(again.split("train").paths):
        expected, _ = read_map((parts / path).with_suffix(".png"), (128, 64))
        assert np.array_equal(pixels.parts(row), expected)
    maps = resized_parts(pixels, again.split("train").rows, (96, 32))
    assert maps.shape == (SETTINGS.train_images, 3, 96, 32)
    assert set(maps[:, 0].unique().tolist()) <= set(range(25))
    damaged = bytearray(pixels_path.read_bytes())
    damaged[-1] ^= 1
    pixels_path.write_bytes(damaged)
    with pytest.raises(UserError, match="is damaged"):
        Pixels.open(pixels_path, again).parts(SETTINGS.train_images - 1)


def test_missing_maps_are_named_counted_and_empty(drawn, tmp_path, capfd):
    parts = shutil.copytree(drawn / "mapped/parts", tmp_path / "parts")
    first, second, *_ = sorted(parts.rglob("*.png"))
    first.unlink()
    second.rename(second.with_name(f"{second.stem}_IUV.png"))
    paths = tmp_path / "index.parquet", tmp_path / "pixels.npy"
    index = build_index("drawn", "cuhk03-labeled", drawn / "mapped", *paths, parts=parts)
    said = capfd.readouterr().err
    assert "7 of 8 training images have a part map (87.5 %)" in said
    assert f"1 have none: images_labeled/{first.name}." in said
    pixels = Pixels.open(paths[1], index)
    row = index.paths.index(f"images_labeled/{first.name}")
    assert not pixels.parts(row).any()
    assert pixels.parts(index.paths.index(f"images_labeled/{second.name}")).any()


def test_verify_tells_the_share_and_refuses_what_is_no_map(drawn, tmp_path, monkeypatch, capfd):
    root = drawn / "mapped"
    read = read_source(Source("cuhk03-labeled", root))
    files, records = read.files, read.records
    assert "8 of 8" in verify_maps(root / "parts", files, records).told()
    parts = shutil.copytree(root / "parts", tmp_path / "parts")
    options = ("verify", "cuhk03-labeled", "--root", root, "--allow-partial", "--parts", parts)
    assert tiny.topdb(monkeypatch, *options) == 0
    assert "8 of 8 training images have a part map (100.0 %)" in capfd.readouterr().out
    path = sorted(parts.rglob("*.png"))[0]
    found, _ = read_map(path, (128, 64))
    for wrong, sentence in (
        (found[:64], "has 64x64 pixels, and its image 64x128"),
        (found[:, :, ::-1], r"in its blue channel.*its red has"),
        (found + np.uint8(30), "in its blue channel"),
        (found[:, :, :1].repeat(3, axis=2), "no U and V"),
    ):
        write_map(wrong, path)
        with pytest.raises(UserError, match=sentence):
            verify_maps(parts, files, records)
    assert tiny.topdb(monkeypatch, *options) == 2
    with pytest.raises(UserError, match="has no part map of any training image"):
        verify_maps(tmp_path, files, records)
    with pytest.raises(UserError, match="does not exist"):
        verify_maps(root / "none", files, records)


def test_drawn_maps_lie_below_the_root(tmp_path):
    changes = {"datasets.market1501.render": tiny.RENDER, "datasets.market1501.parts": "elsewhere"}
    with pytest.raises(UserError, match="drawn data set's maps lie below its root"):
        tiny.params(tmp_path, changes)


def coded(height: int = 24, width: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose red tells the part of their map, and those maps: left arm, torso, right arm."""
    parts = torch.zeros(6, 1, height, width, dtype=torch.uint8)
    parts[:, :, 4:20, 1:4], parts[:, :, 4:20, 4:8], parts[:, :, 4:20, 8:11] = 15, 2, 16
    maps = torch.cat((parts, torch.full_like(parts, 7), torch.full_like(parts, 9)), dim=1)
    return (10 * parts).repeat(1, 3, 1, 1), maps


@pytest.mark.parametrize(
    "transform",
    [PadAndCrop(3), CropLarger(1.5), Erase(1.0), EraseMore(1.0), Jitter(0, 0, 0)],
)
def test_maps_follow_their_images(transform):
    images, maps = coded()
    moved, followed = augmented_together(
        images, maps, (transform,), torch.Generator().manual_seed(1), MOMENT
    )
    erased = followed[:, 1] == 0  # U is 7 wherever the map is still a map
    shown = torch.where(erased, 0, moved[:, 0].float() / 10)
    assert torch.equal(shown, followed[:, 0].float())
    assert followed.dtype == torch.uint8


def test_an_enlarged_map_shows_parts_alone():
    images, maps = (each.repeat_interleave(4, 2).repeat_interleave(4, 3) for each in coded())
    moved, followed = augmented_together(
        images, maps, (EnlargeAndCrop(1.0),), torch.Generator().manual_seed(1), MOMENT
    )
    assert set(followed[:, 0].unique().tolist()) == {0, 2, 15, 16}
    assert ((moved[:, 0].float() / 10 - followed[:, 0]).abs() < 0.5).float().mean() > 0.8


def test_a_mirror_swaps_left_and_right():
    images, maps = coded()
    moved, followed = augmented_together(
        images, maps, (Flip(0.5),), torch.Generator().manual_seed(1), MOMENT
    )
    mirrored = (moved != images).flatten(1).any(dim=1)
    assert 0 < mirrored.sum() < 6
    # The left arm lies on the image's left again: the mirrored right one is called left.
    assert torch.equal(followed, maps)
    assert torch.equal(moved[mirrored, 0, 10, 2], torch.full((int(mirrored.sum()),), 160).byte())


def test_images_are_augmented_as_without_maps_and_strangers_are_refused():
    images, maps = coded()
    recipe = (Flip(0.5), EnlargeAndCrop(0.5), Normalise(), Erase(0.5))
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    alone = augmented(images, recipe, generators[0], MOMENT)
    together, _ = augmented_together(images, maps, recipe, generators[1], MOMENT)
    assert torch.equal(alone, together)
    assert torch.equal(*(each.get_state() for each in generators))
    with pytest.raises(UserError, match="cannot follow the transform str"):
        followed("strange", maps, generators[0], MOMENT)


def test_a_part_is_unrolled_by_its_coordinates():
    images = torch.zeros(2, 3, 2, 2)
    images[0, :, 0, 0], images[0, :, 0, 1], images[0, :, 1, 0] = 1.0, 3.0, 5.0
    maps = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    maps[0, :, 0, 0] = torch.tensor([2, 10, 20])
    maps[0, :, 0, 1] = torch.tensor([2, 60, 60])  # the same quarter of part 2
    maps[0, :, 1, 0] = torch.tensor([24, 255, 0])
    found = part_images(images, maps, 2)
    assert found.shape == (2, 24, 3, 2, 2)
    assert found[0, 1, :, 0, 0].tolist() == [2.0, 2.0, 2.0]
    assert found[0, 23, :, 0, 1].tolist() == [5.0, 5.0, 5.0]
    assert found.abs().sum() == 3 * 7.0
    laid = atlas(found)
    assert laid.shape == (2, 3, 8, 12)
    assert laid[0, 0, 0, 2] == 2.0
    assert laid[0, 0, 6, 11] == 5.0
