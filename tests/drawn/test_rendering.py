import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from topdb.config import RenderSettings
from topdb.datasets.building import build_index
from topdb.datasets.index import Index, read_index
from topdb.datasets.records import MARKER, SEAL
from topdb.drawn.rendering import render
from topdb.errors import UserError

SMALL = RenderSettings(
    seed=5,
    train_people=4,
    test_people=5,
    cameras=2,
    train_images=16,
    query_images=8,
    gallery_images=20,
)
EXTRA = {"distractors": 6, "junk": 3}
LAYOUTS = ["market1501", "dukemtmc-reid", "cuhk03-labeled", "cuhk03-detected"]


def files_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def index_of(root: Path, layout: str) -> Index:
    folder = root.parent
    return build_index("drawn", layout, root, folder / "index.parquet", folder / "pixels.npy")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_rendered_reads_back_in_its_layout(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "set"
    counts = render(SMALL, layout, root)
    index = index_of(root, layout)
    assert index.drawn
    assert read_index(tmp_path / "index.parquet").drawn
    assert counts == {"train": 16, "query": 8, "gallery": 20, "junk": 0}
    assert {name: c.images for name, c in index.split_counts.items()} == {
        "train": 16,
        "query": 8,
        "gallery": 20,
    }
    assert index.split_counts["train"].people == 4
    assert index.split_counts["query"].people == 5
    assert set(index.camids.tolist()) == {0, 1}
    assert set(zip(index.widths, index.heights, strict=True)) == {(64, 128)}
    described = json.loads((root / MARKER).read_text())
    assert described["layout"] == layout
    assert described["settings"]["seed"] == 5


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_query_has_a_match_under_another_camera(tmp_path: Path, layout: str) -> None:
    render(SMALL, layout, tmp_path / "set")
    index = index_of(tmp_path / "set", layout)
    query, gallery = index.split("query"), index.split("gallery")
    for pid, camid in zip(query.pids, query.camids, strict=True):
        assert ((gallery.pids == pid) & (gallery.camids != camid)).any()


def test_distractors_and_junk(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update=EXTRA)
    counts = render(settings, "market1501", tmp_path / "set")
    index = index_of(tmp_path / "set", "market1501")
    assert counts["gallery"] == 26
    assert index.junk == counts["junk"] == 3
    assert (index.split("gallery").pids == 0).sum() == 6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        render(SMALL.model_copy(update={"seed": seed}), "market1501", tmp_path / name)
    a, b, c = (files_of(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() - {MARKER} != set()
    assert all(a[name] != c[name] for name in (a.keys() & c.keys()) - {SEAL})


def test_more_images_leave_the_others_as_they_were(tmp_path: Path) -> None:
    render(SMALL, "market1501", tmp_path / "few")
    more = {"train_images": 24, "gallery_images": 30, "test_people": 6, **EXTRA}
    render(SMALL.model_copy(update=more), "market1501", tmp_path / "more")
    few, many = files_of(tmp_path / "few"), files_of(tmp_path / "more")
    trained = [name for name in few if name.startswith("bounding_box_train")]
    assert len(trained) == 16
    assert all(many[name] == few[name] for name in few.keys() & many.keys() - {MARKER})
    assert set(trained) <= many.keys()


def test_detected_boxes_cut_the_labeled_scenes_worse(tmp_path: Path) -> None:
    for boxes in ("labeled", "detected"):
        render(SMALL, f"cuhk03-{boxes}", tmp_path / boxes)
    labeled = {Path(name).name for name in files_of(tmp_path / "labeled") if "images" in name}
    detected = {Path(name).name for name in files_of(tmp_path / "detected") if "images" in name}
    assert labeled == detected
    first = sorted(labeled)[0]
    a = (tmp_path / "labeled" / "images_labeled" / first).read_bytes()
    assert a != (tmp_path / "detected" / "images_detected" / first).read_bytes()


def test_a_rendered_set_is_drawn_again_after_a_workflow_removed_its_marker(tmp_path: Path) -> None:
    render(SMALL, "market1501", tmp_path / "set")
    (tmp_path / "set" / MARKER).unlink()
    render(SMALL, "market1501", tmp_path / "set")
    assert (tmp_path / "set" / MARKER).is_file()


def test_somebodys_own_data_is_never_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "query").mkdir(parents=True)
    (root / "query" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="set holds files that were not rendered"):
        render(SMALL, "market1501", root)
    assert files_of(root) == {"query/mine.jpg": b"mine"}
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(UserError, match="file is a file"):
        render(SMALL, "market1501", tmp_path / "file")


def test_a_rendered_set_is_replaced_whole(tmp_path: Path) -> None:
    root = tmp_path / "set"
    render(SMALL, "cuhk03-labeled", root)
    render(SMALL, "market1501", root)
    assert not (root / "images_labeled").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_interrupted_rendering_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "set"
    render(SMALL, "market1501", root)
    before = files_of(root)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("topdb.drawn.rendering.draw_image", fail)
    with pytest.raises(KeyboardInterrupt):
        render(SMALL.model_copy(update={"seed": 6}), "market1501", root)
    assert files_of(root) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("layout", "change", "complaint"),
    [
        ("msmt17", {}, "layout 'msmt17' cannot be rendered"),
        ("market1501", {"cameras": 7, "query_images": 35, "gallery_images": 70}, "has 6 cameras"),
        ("dukemtmc-reid", {"distractors": 1}, "no distractors and no junk"),
        ("cuhk03-labeled", {"train_images": 80}, "at most 5 images"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(
    tmp_path: Path, layout: str, change: dict[str, int], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        render(SMALL.model_copy(update=change), layout, tmp_path / "set")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"cameras": 1},
        {"train_images": 7},
        {"query_images": 4},
        {"query_images": 11},
        {"gallery_images": 9},
        {"near_duplicates": 1.5},
        {"boxes": "labeled"},
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RenderSettings.model_validate({**SMALL.model_dump(), **change})


def test_colours_alone_beat_chance_and_do_not_suffice(tmp_path: Path) -> None:
    settings = SMALL.model_copy(
        update={"test_people": 32, "cameras": 6, "query_images": 96, "gallery_images": 128}
    )
    render(settings, "market1501", tmp_path / "set")
    index = index_of(tmp_path / "set", "market1501")
    pixels = np.load(tmp_path / "pixels.npy").reshape(len(index), 8, 16, 4, 16, 3)
    features = pixels.mean((2, 4)).reshape(len(index), -1)
    features -= features.mean(1, keepdims=True)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    query, gallery = index.split("query"), index.split("gallery")
    similarity = features[query.rows] @ features[gallery.rows].T
    same = query.pids[:, None] == gallery.pids
    elsewhere = query.camids[:, None] != gallery.camids
    shown = np.where(same & ~elsewhere, -np.inf, similarity)
    first_is_right = same[np.arange(len(query)), shown.argmax(1)].mean()
    chance = (same & elsewhere).mean()
    assert 2 * chance < first_is_right < 0.6
