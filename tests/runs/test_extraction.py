import numpy as np
import pytest
import tiny
import torch
from factories import network as small_network
from factories import recipe_of

from topdb.config import HardwareSettings
from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels
from topdb.engine.batches import resized
from topdb.results.features import read_features
from topdb.runs.extraction import extract, extract_features, extract_rows

SIZE = (48, 16)
HARDWARE = HardwareSettings()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    tiny.draw_market(folder / "images")
    index = build_index(
        "market1501",
        "market1501",
        folder / "images",
        folder / "index.parquet",
        folder / "pixels.npy",
    )
    return index, Pixels.open(folder / "pixels.npy", index)


@pytest.fixture
def network():
    return small_network("top-db-net", recipe_of())


def test_images_are_resized_in_the_order_of_the_rows(dataset):
    index, pixels = dataset
    images = resized(pixels, index.split("train").rows[[2, 0]], SIZE)
    assert images.dtype == torch.uint8
    assert images.shape == (2, 3, 48, 16)
    for image, row in zip(images, (2, 0), strict=True):
        native = pixels[int(index.split("train").rows[row])]
        assert image.float().mean() == pytest.approx(native.mean(), abs=1.5)


def test_an_image_of_the_input_size_is_not_touched(dataset):
    index, pixels = dataset
    images = resized(pixels, index.split("query").rows, (32, 16))
    expected = pixels[int(index.split("query").rows[0])]
    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), expected)


def test_the_batch_size_of_the_extraction_does_not_matter(dataset, network):
    index, pixels = dataset
    images = resized(pixels, index.split("gallery").rows, SIZE)
    whole = extract(network, images, HARDWARE)
    single = extract(network, images, HARDWARE.model_copy(update={"extraction_batch": 1}))
    assert whole.dtype == np.float32
    assert whole.shape == (6, 24)
    np.testing.assert_allclose(whole, single, rtol=1e-4, atol=1e-5)


def test_the_file_holds_query_and_gallery_as_the_index_lists_them(dataset, network, tmp_path):
    index, pixels = dataset
    count = extract_features(tmp_path / "features.npz", network, index, pixels, HARDWARE)
    assert count == 9
    written = read_features(tmp_path / "features.npz")
    assert written.query_features.shape == (3, 24)
    assert written.gallery_features.shape == (6, 24)
    assert written.query_pids.tolist() == [101, 102, 103]
    assert written.gallery_pids.tolist() == [101, 101, 102, 102, 103, 103]
    assert written.query_camids.tolist() == [0, 0, 0]
    assert written.gallery_camids.tolist() == [1] * 6
    assert tuple(written.query_paths) == index.split("query").paths
    assert written.query_pids.dtype == np.int64
    assert written.query_features.dtype == np.float32


def test_extraction_leaves_no_gradient_and_the_network_in_test_mode(dataset, network):
    index, pixels = dataset
    network.train()
    extract(network, resized(pixels, index.split("query").rows, SIZE), HARDWARE)
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_interpolation_is_the_recipes(dataset, network):
    index, pixels = dataset
    rows = index.split("query").rows
    bilinear, bicubic = (resized(pixels, rows, SIZE, kind) for kind in ("bilinear", "bicubic"))
    assert not torch.equal(bilinear, bicubic)
    seen = {}
    for kind, images in (("bilinear", bilinear), ("bicubic", bicubic)):
        network.recipe = recipe_of(interpolation=kind)
        seen[kind] = extract_rows(network, pixels, rows, HARDWARE)
        assert np.array_equal(seen[kind], extract(network, images, HARDWARE))
    assert not np.array_equal(seen["bilinear"], seen["bicubic"])


def test_features_with_parts_are_written_as_they_are(dataset, network, tmp_path, monkeypatch):
    index, pixels = dataset
    whole = network.embed
    monkeypatch.setattr(network, "embed", lambda images: whole(images).unflatten(1, (4, 6)))
    extract_features(tmp_path / "features.npz", network, index, pixels, HARDWARE)
    with np.load(tmp_path / "features.npz") as written:
        assert written["query_features"].shape == (3, 4, 6)
        assert written["gallery_features"].shape == (6, 4, 6)
        assert written["gallery_features"].dtype == np.float32
