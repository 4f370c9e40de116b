"""What every file dropped into topdb/methods has to keep, under every recipe."""

from typing import get_args

import pytest
import torch

from topdb.methods import build
from topdb.methods.parts.network import ReIDNetwork, StreamOutput, initialise
from topdb.params import NetworkSettings, Recipe, dropped_in

IDENTITIES = 5
SMALL = NetworkSettings(
    backbone="small",
    height=96,
    width=32,
    bottleneck_width=8,
    global_features=6,
    drop_features=10,
)
EVERY = [
    pytest.param(method, recipe, id=f"{method}-{recipe}")
    for method in dropped_in("methods")
    for recipe in get_args(Recipe)
]
pytestmark = pytest.mark.parametrize(("method", "recipe"), EVERY)


def network(method: str, recipe: Recipe, seed: int = 0) -> ReIDNetwork:
    built = build(method, SMALL, IDENTITIES, recipe)
    initialise(built, torch.Generator().manual_seed(seed))
    return built


def images(count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 3, SMALL.height, SMALL.width, generator=generator)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_training_gives_named_streams_of_the_right_shapes(method, recipe):
    outputs = network(method, recipe).train()(images(), draws())
    assert outputs
    assert all(isinstance(output, StreamOutput) for output in outputs)
    assert len({output.name for output in outputs}) == len(outputs)
    for output in outputs:
        assert output.features.ndim == 2
        assert len(output.features) == 4
        assert output.logits.shape == (4, IDENTITIES)


def test_figures_are_given_a_map_and_a_mask_that_fits_it(method, recipe):
    built = network(method, recipe).eval()
    with torch.inference_mode():
        features = built.feature_map(images())
        mask = built.drop_mask(features, draws())
    assert features.ndim == 4
    assert len(features) == 4
    if mask is not None:
        assert torch.broadcast_shapes(mask.shape, features.shape) == features.shape
        assert set(mask.unique().tolist()) <= {0.0, 1.0}


def test_an_embedding_does_not_depend_on_the_batch_around_it(method, recipe):
    built = network(method, recipe).train()
    built(images(), draws())  # moves the batch statistics away from their start
    built.eval()
    with torch.inference_mode():
        together = built.embed(images())
        alone = torch.cat([built.embed(image[None]) for image in images()])
    assert together.ndim == 2
    assert len(together) == 4
    assert together.std(dim=0).max() > 0
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_embedding_changes_no_state(method, recipe):
    built = network(method, recipe).eval()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    with torch.inference_mode():
        built.embed(images())
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())


def test_every_stream_sends_a_gradient_into_the_backbone(method, recipe):
    built = network(method, recipe).train()
    for number in range(len(built(images(), draws()))):
        built.zero_grad()
        output = built(images(), draws())[number]
        (output.features.square().mean() + output.logits.square().mean()).backward()
        gradients = [parameter.grad for parameter in built.backbone.parameters()]
        assert all(gradient is not None for gradient in gradients)
        assert sum(gradient.abs().sum().item() for gradient in gradients) > 0


def test_every_trained_parameter_is_used(method, recipe):
    built = network(method, recipe).train()
    outputs = built(images(), draws())
    sum(output.logits.square().sum() + output.features.sum() for output in outputs).backward()
    unused = [
        name
        for name, parameter in built.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    assert unused == []


def test_the_same_generator_gives_the_same_training_pass(method, recipe):
    first = network(method, recipe).train()(images(), draws(3))
    second = network(method, recipe).train()(images(), draws(3))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.logits, other.logits)


def test_nothing_is_drawn_from_torchs_global_generator(method, recipe):
    built = network(method, recipe).train()
    before = torch.get_rng_state()
    initialise(built, draws())
    built(images(), draws())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_starting_weights_come_from_the_generator_alone(method, recipe):
    first, second = (network(method, recipe, seed=1).state_dict() for _ in range(2))
    other = network(method, recipe, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
