import numpy as np
import pytest
import torch

from topdb.errors import UserError
from topdb.methods import build
from topdb.methods.parts.network import initialise
from topdb.params import NetworkSettings, TrainingSettings
from topdb.training.fit import fit
from topdb.training.randomness import Randomness

SMALL = NetworkSettings(
    backbone="small",
    height=48,
    width=16,
    bottleneck_width=4,
    global_features=8,
    drop_features=12,
)
LABELS = np.repeat(np.arange(4), 4)


def settings(**changes) -> TrainingSettings:
    values = {
        "epochs": 2,
        "people_per_batch": 3,
        "images_per_person": 2,
        "schedule": {"kind": "cosine", "base": 0.01, "warmup_epochs": 1.0},
    }
    return TrainingSettings(**{**values, **changes})


def network(method="top-db-net"):
    built = build(method, SMALL, 4, "released")
    initialise(built, torch.Generator().manual_seed(0))
    return built


def images() -> torch.Tensor:
    """Each person is a colour with noise."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 60, (16, 3, 48, 16), generator=generator)
    colours = torch.randint(0, 190, (4, 3, 1, 1), generator=generator)
    return (noise + colours[torch.from_numpy(LABELS)]).to(torch.uint8)


def trained(built, training, seed=1):
    epochs = []
    fit(built, images(), LABELS, training, Randomness("d", "m", seed), epochs.append)
    return epochs


def test_each_epoch_is_told_with_every_streams_losses():
    epochs = trained(network(), settings())
    assert [epoch.number for epoch in epochs] == [1, 2]
    row = epochs[0].row()
    assert list(row) == [
        "epoch",
        "learning_rate",
        "images",
        "seconds",
        "loss",
        "global_cross_entropy",
        "global_triplet",
        "drop_cross_entropy",
        "drop_triplet",
        "regularization_cross_entropy",
        "regularization_triplet",
    ]
    parts = [value for name, value in row.items() if name.endswith(("_entropy", "_triplet"))]
    assert row["loss"] == pytest.approx(sum(parts), rel=1e-6)
    assert row["images"] % 6 == 0
    assert row["learning_rate"] == pytest.approx(0.01)  # the last step of the warm-up
    assert epochs[1].learning_rate == pytest.approx(0.0, abs=1e-12)


def test_stairs_hold_to_the_last_step_of_their_epoch():
    stairs = {
        "kind": "steps",
        "base": 0.01,
        "warmup_epochs": 2,
        "stair_epochs": 1,
        "milestones": [3, 4],
    }
    epochs = trained(network(), settings(epochs=4, schedule=stairs))
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == pytest.approx([0.01 * 2 / 3, 0.01, 0.001, 0.0001])


def test_training_lowers_the_loss_and_moves_the_backbone():
    built = network()
    before = built.backbone[0].weight.detach().clone()
    epochs = trained(built, settings(epochs=8))
    assert epochs[-1].losses["loss"] < epochs[0].losses["loss"] - 0.5
    assert not torch.equal(built.backbone[0].weight, before)


def test_a_shift_that_is_not_trained_stays_zero():
    built = build("top-db-net", SMALL, 4, "described")
    initialise(built, torch.Generator().manual_seed(0))
    trained(built, settings())
    assert torch.equal(built.global_head.neck.bias, torch.zeros(8))
    assert not torch.equal(built.global_head.neck.weight, torch.ones(8))


def test_the_seed_decides_every_bit():
    states = []
    for seed in (1, 1, 2):
        built = network()
        trained(built, settings(), seed)
        states.append(built.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_loss_that_is_no_number_names_epoch_step_and_stream():
    built = network()
    with torch.no_grad():
        built.drop_head.classifier.weight[0, 0] = torch.nan
    with pytest.raises(
        UserError, match=r"drop_cross_entropy became NaN in epoch 1, step 1: lower training.sch"
    ):
        trained(built, settings())


def test_an_absurd_learning_rate_ends_in_a_message_and_no_epoch_is_told_after_it():
    schedule = {"kind": "cosine", "base": 1e30, "warmup_epochs": 0.5}
    epochs = []
    with pytest.raises(UserError, match=r"became (NaN|infinite) in epoch [12], step \d") as caught:
        fit(
            network(),
            images(),
            LABELS,
            settings(schedule=schedule, epochs=4),
            Randomness("d", "m", 1),
            epochs.append,
        )
    assert "\n" not in str(caught.value)
    assert all(np.isfinite(epoch.losses["loss"]) for epoch in epochs)


def test_too_few_people_are_told_before_anything_is_trained():
    with pytest.raises(UserError, match="4 people, fewer than the 5"):
        trained(network(), settings(people_per_batch=5))
