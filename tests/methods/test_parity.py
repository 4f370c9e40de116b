"""Our networks against numbers measured from the authors' implementation (tests/golden)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from methods.released_names import golden_value, released_name

from topdb.methods import build
from topdb.methods.parts.drop import top_drop_mask
from topdb.methods.parts.network import ReIDNetwork
from topdb.methods.parts.streams import StreamNetwork, Streams
from topdb.params import NetworkSettings
from topdb.training.losses import stream_losses, total

GOLDEN = Path(__file__).parents[1] / "golden"
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


@cache
def shapes() -> dict:
    return json.loads((GOLDEN / "model_state_shapes.json").read_text())


def golden_network(method: str) -> ReIDNetwork:
    return with_golden_weights(method, build(method, PAPER, identities=10, recipe="released"))


def with_golden_weights(method: str, network: ReIDNetwork) -> ReIDNetwork:
    network.load_state_dict(
        {
            own: torch.from_numpy(golden_value(released_name(method, own), tuple(value.shape)))
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
    own = {released_name(method, k): list(v.shape) for k, v in network.state_dict().items()}
    released = {
        name: shape
        for name, shape in shapes()[method].items()
        if not name.startswith(UNUSED.get(method, "no such layer"))
    }
    assert own == released


@pytest.mark.parametrize("method", METHODS)
def test_test_features_equal_the_authors(method):
    network = golden_network(method).eval()
    with torch.inference_mode():
        features = network.embed(torch.from_numpy(golden()["images"])).numpy()
    expected = golden()[f"eval_features__{method}"]
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_training_losses_and_gradients_equal_the_authors(method):
    network = golden_network(method)
    if method == "no-reg":  # its golden losses were measured with Top DropBlock
        streams = Streams(drop="top", regularization=False)
        network = with_golden_weights(method, StreamNetwork(PAPER, 10, streams))
    network.train()
    first = shapes()["baseline/dropped_rows"][0]
    outputs = network(
        torch.from_numpy(golden()["train_images"]), generator_that_drops(first, rows=6, block=2)
    )
    labels = torch.from_numpy(golden()["train_labels"])
    losses = stream_losses(outputs, labels, margin=0.3, label_smoothing=0.1)
    total(losses).backward()

    values = np.array([v for x in losses for v in (x.cross_entropy.item(), x.triplet.item())])
    expected = golden()[f"train_losses__{method}"]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    own = {released_name(method, k): p for k, p in network.named_parameters()}
    for name, norm in shapes()[f"{method}/grad_norm"].items():
        assert own[name].grad.norm().item() == pytest.approx(norm, rel=2e-3)


def test_drop_mask_equals_the_authors():
    features = torch.from_numpy(golden()["mask__features"])
    mask = top_drop_mask(features, ratio=0.33, power=2.0, score="normalised-max")
    np.testing.assert_array_equal(
        mask.expand(-1, 1, -1, features.shape[3])[:, 0].numpy(), golden()["mask__released"]
    )
