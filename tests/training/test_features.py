import numpy as np
import pytest
import tiny
import torch

from topdb.datasets.building import build_index
from topdb.datasets.pixels import Pixels
from topdb.evaluation import read_features
from topdb.methods import build
from topdb.methods.parts.network import initialise
from topdb.params import NetworkSettings, TrainingSettings
from topdb.training.features import extract, write_features
from topdb.training.images import resized

SMALL = NetworkSettings(
    backbone="small",
    height=48,
    width=16,
    bottleneck_width=4,
    global_features=8,
    drop_features=12,
)
TRAINING = TrainingSettings(
    epochs=2,
    people_per_batch=3,
    images_per_person=2,
    schedule={"kind": "cosine", "base": 0.01, "warmup_epochs": 1.0},
)


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
    built = build("top-db-net", SMALL, 4, "released")
    initialise(built, torch.Generator().manual_seed(0))
    return built


def test_images_are_resized_in_the_order_of_the_rows(dataset):
    index, pixels = dataset
    images = resized(pixels, index.split("train").rows[[2, 0]], SMALL)
    assert images.dtype == torch.uint8
    assert images.shape == (2, 3, 48, 16)
    for image, row in zip(images, (2, 0), strict=True):
        native = pixels[int(index.split("train").rows[row])]
        assert image.float().mean() == pytest.approx(native.mean(), abs=1.5)


def test_an_image_of_the_input_size_is_not_touched(dataset):
    index, pixels = dataset
    native = SMALL.model_copy(update={"height": 32, "width": 16})
    images = resized(pixels, index.split("query").rows, native)
    expected = pixels[int(index.split("query").rows[0])]
    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), expected)


def test_the_batch_size_of_the_extraction_does_not_matter(dataset, network):
    index, pixels = dataset
    images = resized(pixels, index.split("gallery").rows, SMALL)
    whole = extract(network, images, TRAINING)
    single = extract(network, images, TRAINING.model_copy(update={"extraction_batch": 1}))
    assert whole.dtype == np.float32
    assert whole.shape == (6, 20)
    np.testing.assert_allclose(whole, single, rtol=1e-4, atol=1e-5)


def test_the_file_holds_query_and_gallery_as_the_index_lists_them(dataset, network, tmp_path):
    index, pixels = dataset
    count = write_features(tmp_path / "features.npz", network, index, pixels, SMALL, TRAINING)
    assert count == 9
    written = read_features(tmp_path / "features.npz")
    assert written.query_features.shape == (3, 20)
    assert written.gallery_features.shape == (6, 20)
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
    extract(network, resized(pixels, index.split("query").rows, SMALL), TRAINING)
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
