import numpy as np
import pytest
import torch
from factories import network, short

from topdb.config import HardwareSettings
from topdb.engine.loop import fit
from topdb.engine.state import Randomness
from topdb.errors import UserError
from topdb.methods.contract import Adam, Cosine, Stairs

LABELS = np.repeat(np.arange(4), 4)


def built(method="top-db-net", side="released", **parts):
    """A method with starting weights, and a recipe of two passes."""
    return network(method, short(method, side, **parts))


def images() -> torch.Tensor:
    """Each person is a colour with noise."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 60, (16, 3, 48, 16), generator=generator)
    colours = torch.randint(0, 190, (4, 3, 1, 1), generator=generator)
    return (noise + colours[torch.from_numpy(LABELS)]).to(torch.uint8)


def trained(network, seed=1):
    epochs = []
    fit(network, images(), LABELS, HardwareSettings(), Randomness("d", "m", seed), epochs.append)
    return epochs


def test_each_epoch_is_told_with_every_streams_losses():
    epochs = trained(built())
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
    stairs = Stairs(warmup=2, stair=1, milestones=(3, 4))
    epochs = trained(built(epochs=4, schedule=stairs))
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == pytest.approx([0.01 * 2 / 3, 0.01, 0.001, 0.0001])


def test_fewer_passes_run_the_recipes_clock_faster():
    stairs = Stairs(warmup=20, stair=10, milestones=(30, 40))
    epochs = trained(built(epochs=40, passes=4, schedule=stairs))
    rates = [epoch.learning_rate for epoch in epochs]
    # Steps of the second pass begin in epochs 11 to 20 of the recipe: on the second stair.
    assert rates == pytest.approx([0.01 / 3, 0.01 * 2 / 3, 0.01, 0.001])


def test_training_lowers_the_loss_and_moves_the_backbone():
    own = built(epochs=8)
    before = own.backbone[0].weight.detach().clone()
    epochs = trained(own)
    assert epochs[-1].losses["loss"] < epochs[0].losses["loss"] - 0.5
    assert not torch.equal(own.backbone[0].weight, before)


def test_a_shift_that_is_not_trained_stays_zero():
    own = built(side="described")
    trained(own)
    assert torch.equal(own.global_head.neck.bias, torch.zeros(8))
    assert not torch.equal(own.global_head.neck.weight, torch.ones(8))


def test_the_seed_decides_every_bit():
    states = []
    for seed in (1, 1, 2):
        own = built()
        trained(own, seed)
        states.append(own.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_loss_that_is_no_number_names_epoch_step_and_stream():
    own = built()
    with torch.no_grad():
        own.drop_head.classifier.weight[0, 0] = torch.nan
    said = r"drop_cross_entropy became NaN in epoch 1, step 1: lower .*`scale.rate` in params.yaml"
    with pytest.raises(UserError, match=said):
        trained(own)


def test_an_absurd_learning_rate_ends_in_a_message_and_no_epoch_is_told_after_it():
    absurd = {"rules": {"network": Adam(1e30)}, "schedule": Cosine(warmup=0.5)}
    epochs = []
    with pytest.raises(UserError, match=r"became (NaN|infinite) in epoch [12], step \d") as caught:
        fit(
            built(epochs=4, **absurd),
            images(),
            LABELS,
            HardwareSettings(),
            Randomness("d", "m", 1),
            epochs.append,
        )
    assert "\n" not in str(caught.value)
    assert all(np.isfinite(epoch.losses["loss"]) for epoch in epochs)


def test_too_few_people_are_told_before_anything_is_trained():
    with pytest.raises(UserError, match="4 people, fewer than the 5"):
        trained(built(people=5))
