"""What each recipe gives the paper's four methods, and what the streams compute."""

import pytest
import torch
from factories import START, TWELVE_ROWS, recipe_of
from factories import network as small_network
from torch import nn

from topdb.methods.parts.streams import Streams

PARTS = ("features", "logits")
FACTS = {
    # drop, regularization, bottlenecks, BN neck, trained shift, row score
    ("baseline", "released"): ("random", False, 1, False, None, None),
    ("baseline", "described"): ("random", False, 2, True, False, None),
    ("no-drop", "released"): (None, True, 2, True, True, None),
    ("no-drop", "described"): (None, True, 2, True, False, None),
    ("no-reg", "released"): ("random", False, 2, True, True, None),
    ("no-reg", "described"): ("top", False, 2, True, False, "mean"),
    ("top-db-net", "released"): ("top", True, 2, True, True, "normalised-max"),
    ("top-db-net", "described"): ("top", True, 2, True, False, "mean"),
}


def network(method, recipe):
    return small_network(method, recipe_of(method, recipe, TWELVE_ROWS), 5, scale=TWELVE_ROWS)


def images():
    return torch.randn(4, 3, 96, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("method", "recipe"), FACTS)
def test_a_recipe_gives_a_method_its_streams(method, recipe):
    drop, regularization, bottlenecks, neck, shift, score = FACTS[method, recipe]
    built = network(method, recipe)
    outputs = built.train()(images(), START, torch.Generator())
    expected = ["global"] + ["drop"] * (drop is not None) + ["regularization"] * regularization
    assert list(outputs) == [f"{name}_{what}" for name in expected for what in PARTS]
    for name in expected:
        assert outputs[f"{name}_features"].ndim == 2
        assert len(outputs[f"{name}_features"]) == 4
        assert outputs[f"{name}_logits"].shape == (4, 5)
    assert built.streams.drop == drop
    assert len(built.bottlenecks) == bottlenecks
    necks = [layer.neck for name, layer in built.named_children() if name.endswith("_head")]
    assert len(necks) == len(expected)
    assert all(isinstance(each, nn.BatchNorm1d) == neck for each in necks)
    if neck:
        assert {each.bias.requires_grad for each in necks} == {shift}
    if score:
        assert built.streams.row_score == score


@pytest.mark.parametrize(("method", "recipe"), FACTS)
def test_the_test_feature_is_the_global_and_the_second_stream(method, recipe):
    second = 64 if method == "no-drop" else 16
    with torch.inference_mode():
        assert network(method, recipe).eval().embed(images()).shape == (4, 8 + second)


@pytest.mark.parametrize(("method", "recipe"), FACTS)
def test_every_stream_sends_a_gradient_into_the_backbone(method, recipe):
    built = network(method, recipe).train()
    streams = [name for name in built(images(), START, torch.Generator()) if "features" in name]
    for name in streams:
        built.zero_grad()
        outputs = built(images(), START, torch.Generator())
        logits = outputs[name.replace("features", "logits")]
        (outputs[name].square().mean() + logits.square().mean()).backward()
        gradients = [parameter.grad for parameter in built.backbone.parameters()]
        assert all(gradient is not None for gradient in gradients)
        assert sum(gradient.abs().sum().item() for gradient in gradients) > 0


def test_released_baseline_is_tested_before_any_normalisation():
    built = network("baseline", "released").eval()
    with torch.inference_mode():
        features = built.embed(images())
    assert features.min() >= 0  # the reductions end in a ReLU, and no neck follows
    assert features.max() > 0


@pytest.mark.parametrize("method", ["baseline", "no-reg", "top-db-net"])
def test_a_third_of_twelve_rows_is_dropped(method):
    built = network(method, "released")
    refined = built.feature_map(images())
    assert refined.shape == (4, 64, 12, 4)
    mask = built.drop_mask(refined, torch.Generator())
    assert ((mask == 0).sum(dim=2) == 4).all()


@pytest.mark.parametrize(
    ("method", "recipe", "per_image"),
    [
        ("baseline", "released", False),
        ("no-reg", "released", False),
        ("no-reg", "described", True),
        ("top-db-net", "released", True),
    ],
)
def test_top_drop_masks_each_image_and_random_drop_the_batch(method, recipe, per_image):
    built = network(method, recipe)
    mask = built.drop_mask(built.feature_map(images()), torch.Generator())
    assert mask.shape[0] == (4 if per_image else 1)


def test_the_drop_stream_sees_no_dropped_row():
    built = network("top-db-net", "released").train()
    seen = []
    built.drop_reduction.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    built(images(), START, torch.Generator())
    network_again = network("top-db-net", "released").train()
    refined = network_again.feature_map(images())
    mask = network_again.drop_mask(refined, torch.Generator())
    kept = torch.where(mask == 1, refined, -torch.inf).amax(dim=(2, 3))
    torch.testing.assert_close(seen[0], kept.clamp(min=0))


def test_testing_drops_nothing():
    built = network("top-db-net", "released").eval()
    seen = []
    built.drop_reduction.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        built.embed(images())
        torch.testing.assert_close(seen[0], built.feature_map(images()).amax(dim=(2, 3)))


def test_no_drop_has_no_mask_to_show():
    built = network("no-drop", "released")
    assert built.drop_mask(torch.ones(1, 64, 12, 4), torch.Generator()) is None


def test_streams_need_a_second_stream():
    with pytest.raises(ValueError, match="beside the global one"):
        Streams(drop=None, regularization=False)


def test_starting_weights_follow_the_stated_rules():
    built = network("top-db-net", "released")
    for layer in built.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.Linear):
            assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    reduction = built.drop_reduction[0].weight
    assert reduction.std().item() == pytest.approx(0.01, rel=0.2)
    convolution = built.backbone[5].conv1.weight
    assert convolution.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
