"""Features of another toolkit held against the index of the data set that they are of."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny

from topdb.datasets.building import build_index
from topdb.datasets.index import read_index
from topdb.errors import UserError
from topdb.formats import read
from topdb.runs.indexed import with_index


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    tiny.draw_market(folder / "data")
    build_index("small", "market1501", folder / "data", folder / "i.parquet", folder / "pixels.npy")
    return folder / "i.parquet"


def arrays_of(index):
    """What a toolkit writes of the test images, in the index's order, cameras from 1."""
    known, found = read_index(index), {}
    rng = np.random.default_rng(1)
    for side in ("query", "gallery"):
        rows = known.split(side)
        found |= {
            f"{side}_features": rng.normal(size=(len(rows), 4)).astype(np.float32),
            f"{side}_pids": rows.pids,
            f"{side}_camids": rows.camids + 1,
            f"{side}_paths": np.array([f"/home/me/{path}" for path in rows.paths]),
        }
    return found


def indexed(index, tmp_path, **changes):
    arrays = arrays_of(index) | changes
    path = tmp_path / "theirs.npz"
    np.savez(path, **{name: each for name, each in arrays.items() if each is not None})
    return with_index(read([path]), read_index(index), path.name)


def test_paths_and_cameras_become_those_of_the_index(index, tmp_path):
    known = read_index(index)
    found = indexed(index, tmp_path)
    assert found.features.gallery_paths.tolist() == list(known.split("gallery").paths)
    assert found.features.query_camids.tolist() == known.split("query").camids.tolist()
    assert found.notes[-1].startswith("Paths and cameras are those of the index of small")


def test_images_without_paths_and_cameras_are_taken_in_the_indexs_order(index, tmp_path):
    nothing = {
        f"{side}_{what}": None for side in ("query", "gallery") for what in ("paths", "camids")
    }
    found = indexed(index, tmp_path, **nothing)
    assert found.cameras
    assert found.features.query_paths.tolist() == list(read_index(index).split("query").paths)
    assert len(found.notes) == 1


def test_paths_in_another_order_are_found_by_name(index, tmp_path):
    back = slice(None, None, -1)
    own = arrays_of(index)
    turned = {name: each[back] for name, each in own.items() if name.startswith("gallery")}
    found = indexed(index, tmp_path, **turned)
    known = read_index(index).split("gallery")
    assert found.features.gallery_paths.tolist() == list(known.paths[back])
    assert np.array_equal(found.features.gallery_features, own["gallery_features"][back])


def test_what_is_of_another_data_set_is_refused_by_name(index, tmp_path):
    own = arrays_of(index)
    pids, cameras, paths = (own[f"gallery_{what}"].copy() for what in ("pids", "camids", "paths"))
    pids[1] = 999
    with pytest.raises(UserError, match=r"gallery image 1 .* is person 999 in the file and 101"):
        indexed(index, tmp_path, gallery_pids=pids)
    cameras[1] = 9
    with pytest.raises(UserError, match="theirs.npz names other cameras than the index: 3 there"):
        indexed(index, tmp_path, gallery_camids=cameras)
    paths[2] = "elsewhere/strange.jpg"
    with pytest.raises(UserError, match=r"not those of the index \(as strange.jpg\)"):
        indexed(index, tmp_path, gallery_paths=paths)
    fewer = {name: each[1:] for name, each in own.items() if name.startswith("query")}
    with pytest.raises(UserError, match="query has 2 images and the index 3"):
        indexed(index, tmp_path, **fewer)


def test_the_command_takes_an_index(index, tmp_path, monkeypatch, capfd):
    file = tmp_path / "theirs.npz"
    np.savez(file, **arrays_of(index))
    out = tmp_path / "out"
    assert tiny.topdb(monkeypatch, "evaluate", file, "--index", index, "--out", out) == 0
    rows = pq.read_table(out / "plain/queries.parquet")["path"].to_pylist()
    assert rows == list(read_index(index).split("query").paths)
    assert "those of the index" in json.loads((out / "plain/metrics.json").read_text())["doubts"][0]
    assert "3 queries, 6 gallery images" in capfd.readouterr().out
