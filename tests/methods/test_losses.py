from dataclasses import replace
from math import cos, log, pi, sin
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import START, network, recipe_of
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.config import HardwareSettings
from topdb.engine.loop import train_step
from topdb.engine.state import Optimisers
from topdb.methods.parts.losses import batch_hard_triplet

GOLDEN = Path(__file__).parents[1] / "golden" / "losses.npz"
KINDS = ("cross_entropy", "triplet")


def stream_losses(outputs, labels, margin=0.3, smoothing=0.1):
    """The losses of a stream network, which depend on its outputs and on its options alone."""
    plain = recipe_of()
    options = replace(plain.options, margin=margin, label_smoothing=smoothing)
    built = network("top-db-net", replace(plain, options=options))
    return built.losses(outputs, labels, START, torch.Generator())


def on_a_circle(*degrees: float) -> torch.Tensor:
    return torch.tensor([[cos(d * pi / 180), sin(d * pi / 180)] for d in degrees])


def chord(degrees: float) -> float:
    return 2 * sin(degrees * pi / 360)


def test_both_losses_equal_the_authors():
    with np.load(GOLDEN) as golden:
        features, logits, labels = (
            torch.from_numpy(golden[name]) for name in ("features", "logits", "labels")
        )
        outputs = {"global_features": features, "global_logits": logits}
        losses = stream_losses(outputs, labels)
        assert list(losses) == ["global_cross_entropy", "global_triplet"]
        for name, value in losses.items():
            expected = golden[name.removeprefix("global_")].item()
            assert value.item() == pytest.approx(expected, rel=1e-4)


def test_triplet_of_points_on_a_circle():
    # Person 0 at 0 and 40 degrees, person 1 at 80 and 130.
    features = on_a_circle(0, 40, 80, 130)
    labels = torch.tensor([0, 0, 1, 1])
    terms = [
        0.3 + chord(40) - chord(80),  # 0: farthest own at 40, nearest other at 80
        0.3 + chord(40) - chord(40),
        0.3 + chord(50) - chord(40),
        0.3 + chord(50) - chord(90),
    ]
    expected = sum(max(term, 0.0) for term in terms) / 4
    assert sum(term > 0 for term in terms) == 2
    found = batch_hard_triplet(features, labels, 0.3)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_the_hardest_positive_and_negative_count_and_no_others():
    # Person 0 at 0, 10 and 50 degrees, person 1 at 70 and 180: the anchor at 0 has its farthest
    # positive at 50 and its nearest negative at 70.
    labels = torch.tensor([0, 0, 0, 1, 1])
    found = batch_hard_triplet(on_a_circle(0, 10, 50, 70, 180), labels, 10.0)
    terms = [
        chord(50) - chord(70),
        chord(40) - chord(60),
        chord(50) - chord(20),
        chord(110) - chord(20),
        chord(110) - chord(130),
    ]
    assert found.item() == pytest.approx(10 + sum(terms) / 5, abs=1e-5)


def test_far_apart_people_cost_nothing_and_equal_features_cost_the_margin():
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[0.0], [0.0], [9.0], [9.0]])
    assert batch_hard_triplet(apart, labels, 0.3).item() == 0.0
    assert batch_hard_triplet(torch.zeros(4, 2), labels, 0.3).item() == pytest.approx(0.3)


def test_equal_features_have_a_finite_gradient():
    features = torch.zeros(4, 2, requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert features.grad.isfinite().all()


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 4), st.integers(1, 4))
def test_triplet_equals_its_definition_and_ignores_the_order(seed, people, images):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(people * images, 5, generator=generator)
    labels = torch.arange(people).repeat_interleave(images)
    terms = []
    for anchor, label in zip(features, labels, strict=True):
        distances = (features - anchor).norm(dim=1)
        terms.append(0.3 + distances[labels == label].max() - distances[labels != label].min())
    expected = torch.stack(terms).clamp(min=0).mean()
    found = batch_hard_triplet(features, labels, 0.3)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    order = torch.randperm(len(labels), generator=generator)
    shuffled = batch_hard_triplet(features[order], labels[order], 0.3)
    torch.testing.assert_close(shuffled, found, rtol=1e-4, atol=1e-5)


def test_smoothed_cross_entropy_worked_out_by_hand():
    # Probabilities 1/2 for the true person and 1/4 for both others; targets 0.9 + 0.1/3 and 0.1/3.
    logits = torch.tensor([[log(2.0), 0.0, 0.0]])
    outputs = {"global_features": torch.zeros(1, 2), "global_logits": logits}
    labels = torch.tensor([0])
    smoothed = stream_losses(outputs, labels)["global_cross_entropy"]
    expected = (0.9 + 0.1 / 3) * log(2) + 2 * (0.1 / 3) * log(4)
    assert smoothed.item() == pytest.approx(expected, abs=1e-6)
    plain = stream_losses(outputs, labels, smoothing=0.0)["global_cross_entropy"]
    assert plain.item() == pytest.approx(log(2), abs=1e-6)


def test_the_margin_is_the_recipes():
    outputs = {"global_features": on_a_circle(0, 0, 90, 90), "global_logits": torch.zeros(4, 2)}
    labels = torch.tensor([0, 0, 1, 1])
    wide = stream_losses(outputs, labels, margin=2.0)["global_triplet"]
    assert wide.item() == pytest.approx(2.0 - chord(90), abs=1e-5)


def test_the_total_adds_every_loss_of_every_stream_once():
    labels = torch.tensor([0, 0, 1, 1])
    outputs = {}
    for name, shift in (("global", 0.0), ("drop", 9.0)):
        outputs[f"{name}_features"] = on_a_circle(0, 90, 20, 130 + shift).requires_grad_()
        outputs[f"{name}_logits"] = torch.eye(4)[:, :2].contiguous().requires_grad_()
    built = network("top-db-net", recipe_of())
    optimisers = Optimisers(built, HardwareSettings().fused)
    loss, losses = train_step(
        built, lambda *_: outputs, optimisers, torch.empty(0), labels, START, torch.Generator()
    )
    streams = [f"{stream}_{kind}" for stream in ("global", "drop") for kind in KINDS]
    assert list(losses) == streams
    parts = [value.item() for value in losses.values()]
    assert min(parts) > 0
    assert loss.item() == pytest.approx(sum(parts), rel=1e-6)
