"""Our networks against numbers measured from the authors' implementation (tests/golden)."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tiny
import torch
from factories import START, recipe_of
from methods.golden import GOLDEN, golden_state, golden_value, released_shapes

from topdb.config import Profile, ScaleSettings
from topdb.methods import build, find
from topdb.methods.contract import Method, Names
from topdb.methods.parts.drop import top_drop_mask
from topdb.methods.parts.streams import StreamNetwork
from topdb.runs.record import chosen
from topdb.runs.released import read_checkpoint

PAPER = ScaleSettings(size=(96, 32))
METHODS = ["baseline", "no-drop", "no-reg", "top-db-net"]
UNUSED = {"no-reg": ("bottleneck_drop_bottleneck_features",)}
"""A layer that the released `no-reg` carries and never runs."""


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "model.npz") as arrays:
        return dict(arrays)


def released_names(network: Method) -> Names:
    names = network.released({})
    assert names is not None
    return names


def paper_network(method: str, **options) -> Method:
    """A method of the paper's sizes but for the image's; with other options where named."""
    recipe = recipe_of(method, "released", PAPER)
    recipe = replace(recipe, options=replace(recipe.options, **options))
    return build(find(method), recipe, 10, PAPER)


def golden_network(method: str, **options) -> StreamNetwork:
    network = paper_network(method, **options)
    assert isinstance(network, StreamNetwork)
    names = released_names(network)
    network.load_state_dict(
        {
            own: torch.from_numpy(golden_value(names.released(own), tuple(value.shape)))
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
    network = paper_network(method)
    names = released_names(network)
    own = {names.released(k): list(v.shape) for k, v in network.state_dict().items()}
    assert names.unused == UNUSED.get(method, ())
    released = {
        name: shape
        for name, shape in released_shapes()[method].items()
        if not any(name.startswith(f"{unused}.") for unused in names.unused)
    }
    assert own == released


@pytest.mark.parametrize("method", METHODS)
def test_a_released_checkpoint_gives_the_authors_test_features(method, tmp_path):
    # As their code saves it: on a GPU every name has a prefix, and numbers are numpy's.
    path = tmp_path / "model.pth.tar-400"
    state = {f"module.{name}": value for name, value in golden_state(method).items()}
    torch.save({"state_dict": state, "epoch": 400, "rank1": np.float32(0.949)}, path)
    profile = Profile.model_validate(
        tiny.content({"scale": {"size": [96, 32]}, "changes": {}})["profiles"]["tiny"]
    )
    read = read_checkpoint(path, method, chosen(profile, "", method), profile)
    assert (read.identities, read.epoch) == (10, 400)
    network = read.network.eval()
    with torch.inference_mode():
        features = network.embed(torch.from_numpy(golden()["images"])).numpy()
    expected = golden()[f"eval_features__{method}"]
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_training_losses_and_gradients_equal_the_authors(method):
    # The golden losses of no-reg were measured with Top DropBlock.
    network = golden_network(method, **({"drop": "top"} if method == "no-reg" else {}))
    assert (network.streams.margin, network.streams.label_smoothing) == (0.3, 0.1)
    network.train()
    first = released_shapes()["baseline/dropped_rows"][0]
    outputs = network(
        torch.from_numpy(golden()["train_images"]),
        START,
        generator_that_drops(first, rows=6, block=2),
    )
    labels = torch.from_numpy(golden()["train_labels"])
    losses = network.losses(outputs, labels, START, torch.Generator())
    kinds = [name.rpartition("_")[2] for name in losses]
    assert kinds == ["entropy", "triplet"] * (len(losses) // 2)
    torch.stack(list(losses.values())).sum().backward()

    values = np.array([each.item() for each in losses.values()])
    expected = golden()[f"train_losses__{method}"]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    names = released_names(network)
    own = {names.released(k): p for k, p in network.named_parameters()}
    for name, norm in released_shapes()[f"{method}/grad_norm"].items():
        assert own[name].grad.norm().item() == pytest.approx(norm, rel=2e-3)


def test_drop_mask_equals_the_authors():
    features = torch.from_numpy(golden()["mask__features"])
    mask = top_drop_mask(features, ratio=0.33, power=2.0, score="normalised-max")
    np.testing.assert_array_equal(
        mask.expand(-1, 1, -1, features.shape[3])[:, 0].numpy(), golden()["mask__released"]
    )
