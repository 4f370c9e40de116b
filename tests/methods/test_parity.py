"""Our networks against numbers measured from the authors' implementation (tests/golden)."""

from functools import cache

import numpy as np
import pytest
import torch
from methods.golden_weights import GOLDEN, golden_state, golden_value, released_shapes

from topdb.methods import build
from topdb.methods.parts.drop import top_drop_mask
from topdb.methods.parts.network import ReIDNetwork
from topdb.methods.parts.released import released_names, unused_layer
from topdb.methods.parts.streams import StreamNetwork, Streams
from topdb.params import NetworkSettings
from topdb.training.losses import stream_losses, total
from topdb.training.released import read_checkpoint

PAPER = NetworkSettings(
    backbone="resnet50",
    height=96,
    width=32,
    bottleneck_width=512,
    global_features=512,
    drop_features=1024,
)
METHODS = ["baseline", "no-drop", "no-reg", "top-db-net"]
UNUSED = {"no-reg": "bottleneck_drop_bottleneck_features."}
"""A layer that the released `no-reg` carries and never runs."""


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "model.npz") as arrays:
        return dict(arrays)


def golden_network(method: str) -> ReIDNetwork:
    return with_golden_weights(build(method, PAPER, identities=10, recipe="released"))


def with_golden_weights(network: StreamNetwork) -> StreamNetwork:
    names = released_names(network)
    network.load_state_dict(
        {
            own: torch.from_numpy(golden_value(names[own], tuple(value.shape)))
            for own, value in network.state_dict().items()
        }
    )
    return network


def generator_that_drops(first_row: int, rows: int, block: int) -> torch.Generator:
    for seed in range(1000):
        generator = torch.Generator().manual_seed(seed)
        if int(torch.randint(rows - block + 1, (), generator=generator)) == first_row:
            return generator.manual_seed(seed)
    raise AssertionError("no seed found")


@pytest.mark.parametrize("method", METHODS)
def test_state_dict_has_the_released_names_and_shapes(method):
    network = build(method, PAPER, identities=10, recipe="released")
    names = released_names(network)
    own = {names[k]: list(v.shape) for k, v in network.state_dict().items()}
    unused = unused_layer(network)
    assert unused == UNUSED.get(method)
    released = {
        name: shape
        for name, shape in released_shapes()[method].items()
        if not (unused and name.startswith(unused))
    }
    assert own == released


@pytest.mark.parametrize("method", METHODS)
def test_a_released_checkpoint_gives_the_authors_test_features(method, tmp_path):
    # As their code saves it: on a GPU every name has a prefix, and numbers are numpy's.
    path = tmp_path / "model.pth.tar-400"
    state = {f"module.{name}": value for name, value in golden_state(method).items()}
    torch.save({"state_dict": state, "epoch": 400, "rank1": np.float32(0.949)}, path)
    read = read_checkpoint(path, method, PAPER)
    assert (read.identities, read.epoch) == (10, 400)
    network = read.network.eval()
    with torch.inference_mode():
        features = network.embed(torch.from_numpy(golden()["images"])).numpy()
    expected = golden()[f"eval_features__{method}"]
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_training_losses_and_gradients_equal_the_authors(method):
    network = golden_network(method)
    if method == "no-reg":  # its golden losses were measured with Top DropBlock
        streams = Streams(drop="top", regularization=False)
        network = with_golden_weights(StreamNetwork(PAPER, 10, streams))
    network.train()
    first = released_shapes()["baseline/dropped_rows"][0]
    outputs = network(
        torch.from_numpy(golden()["train_images"]), generator_that_drops(first, rows=6, block=2)
    )
    labels = torch.from_numpy(golden()["train_labels"])
    losses = stream_losses(outputs, labels, margin=0.3, label_smoothing=0.1)
    total(losses).backward()

    values = np.array([v for x in losses for v in (x.cross_entropy.item(), x.triplet.item())])
    expected = golden()[f"train_losses__{method}"]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    names = released_names(network)
    own = {names[k]: p for k, p in network.named_parameters()}
    for name, norm in released_shapes()[f"{method}/grad_norm"].items():
        assert own[name].grad.norm().item() == pytest.approx(norm, rel=2e-3)


def test_drop_mask_equals_the_authors():
    features = torch.from_numpy(golden()["mask__features"])
    mask = top_drop_mask(features, ratio=0.33, power=2.0, score="normalised-max")
    np.testing.assert_array_equal(
        mask.expand(-1, 1, -1, features.shape[3])[:, 0].numpy(), golden()["mask__released"]
    )
