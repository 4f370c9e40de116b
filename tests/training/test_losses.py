from math import cos, log, pi, sin
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topdb.methods.parts.network import StreamOutput
from topdb.training.losses import batch_hard_triplet, stream_losses, total

GOLDEN = Path(__file__).parents[1] / "golden" / "losses.npz"


def on_a_circle(*degrees: float) -> torch.Tensor:
    return torch.tensor([[cos(d * pi / 180), sin(d * pi / 180)] for d in degrees])


def chord(degrees: float) -> float:
    return 2 * sin(degrees * pi / 360)


def test_both_losses_equal_the_authors():
    with np.load(GOLDEN) as golden:
        features, logits, labels = (
            torch.from_numpy(golden[name]) for name in ("features", "logits", "labels")
        )
        output = StreamOutput("global", features, logits)
        (losses,) = stream_losses([output], labels, margin=0.3, label_smoothing=0.1)
        assert losses.triplet.item() == pytest.approx(golden["triplet"].item(), rel=1e-4)
        assert losses.cross_entropy.item() == pytest.approx(
            golden["cross_entropy"].item(), rel=1e-4
        )


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
    output = StreamOutput("global", torch.zeros(1, 2), logits)
    labels = torch.tensor([0])
    (smoothed,) = stream_losses([output], labels, 0.3, 0.1)
    expected = (0.9 + 0.1 / 3) * log(2) + 2 * (0.1 / 3) * log(4)
    assert smoothed.cross_entropy.item() == pytest.approx(expected, abs=1e-6)
    (plain,) = stream_losses([output], labels, 0.3, 0.0)
    assert plain.cross_entropy.item() == pytest.approx(log(2), abs=1e-6)


def test_the_total_adds_every_loss_of_every_stream_once():
    labels = torch.tensor([0, 0, 1, 1])
    outputs = [
        StreamOutput(name, on_a_circle(0, 90, 20, 130 + shift), torch.eye(4)[:, :2])
        for name, shift in (("global", 0.0), ("drop", 9.0))
    ]
    losses = stream_losses(outputs, labels, 0.3, 0.1)
    assert [loss.name for loss in losses] == ["global", "drop"]
    parts = [value.item() for loss in losses for value in (loss.cross_entropy, loss.triplet)]
    assert min(parts) > 0
    assert total(losses).item() == pytest.approx(sum(parts), rel=1e-6)
