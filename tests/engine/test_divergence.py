"""Trainings that go wrong by their own losses: the rule, and both things that may be done."""

import math

import numpy as np
import pytest
import torch
from factories import network, short

from topdb.config import DivergenceSettings, HardwareSettings
from topdb.engine.checkpoint import Checkpoints
from topdb.engine.divergence import Divergence
from topdb.engine.loop import fit
from topdb.engine.progress import Stop
from topdb.engine.state import Randomness
from topdb.errors import StoppedError, UserError
from topdb.methods.contract import Adam, Cosine

LABELS = np.repeat(np.arange(4), 4)
GUESS = math.log(4)


def kept(factor=10.0):
    return Divergence(DivergenceSettings(factor=factor))


@pytest.mark.parametrize(
    ("means", "untrained", "found"),
    [
        ({"loss": 30.0, "a": 15.0, "b": 15.0}, 3.0, None),  # as far as allowed
        ({"loss": 30.2, "a": 15.1, "b": 15.1}, 3.0, ("loss", 30.2)),  # no single one is beyond it
        ({"loss": 40.1, "a": 9.0, "b": 31.1}, 3.0, ("b", 31.1)),
        ({"loss": 0.1, "a": 31.0, "b": -31.1}, 3.0, ("b", -31.1)),  # they hide each other
        ({"loss": 13.0, "a": 13.0}, 0.0, None),  # begins at 0: a guess over four classes counts
        ({"loss": 14.0, "a": 14.0}, 0.0, ("a", 14.0)),
        ({"loss": math.nan, "a": math.nan, "b": 99.0}, 3.0, ("a", math.nan)),
        ({"loss": -math.inf, "a": -math.inf}, math.nan, ("a", math.nan)),
    ],
)
def test_the_rule_looks_at_every_loss_in_units_of_the_untrained_ones(means, untrained, found):
    divergence = kept()
    divergence.look(2, means, untrained, classes=4)
    if found is None:
        assert divergence.found is None
        return
    assert repr((divergence.found.what, divergence.found.value)) == repr(found)
    assert divergence.found.epoch == 2
    assert divergence.found.limit == pytest.approx(30.0 if untrained == 3.0 else 10 * GUESS)
    with pytest.raises(UserError, match=f"diverged, for {found[0]} of epoch 2 .*fails: false"):
        Divergence(DivergenceSettings(fails=True)).look(2, means, untrained, classes=4)


def test_the_first_epoch_that_is_out_of_bounds_stays_named_until_nothing_is_a_number():
    divergence = kept()
    for epoch, loss in enumerate((2.0, 50.0, 60.0, 1.0, math.nan), 1):
        divergence.look(epoch, {"loss": loss}, 2.0, classes=4)
        assert (divergence.found.epoch if divergence.found else 0) == (0, 2, 2, 2, 5)[epoch - 1]
        assert divergence.ended == (epoch == 5)


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (16, 3, 48, 16), dtype=torch.uint8, generator=generator)


def trained(rate, divergence, epochs=3, warmup=0.5, **more):
    own = network("baseline", short("baseline", epochs=epochs, **_steps(rate, warmup)))
    told = []
    randomness, hardware = Randomness("d", "m", 1), HardwareSettings()
    fit(own, images(), LABELS, hardware, randomness, told.append, divergence=divergence, **more)
    return own, told


def _steps(rate, warmup):
    return {"rules": {"network": Adam(rate)}, "schedule": Cosine(warmup=warmup)}


def test_a_sound_training_is_not_marked_and_keeps_its_bits():
    divergence = kept()
    own, _ = trained(0.001, divergence)
    other, _ = trained(0.001, None)
    assert divergence.found is None
    assert divergence.limit > 10 * 2 * GUESS  # two streams guess, and their triplets add to it
    ours, theirs = own.state_dict(), other.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finite_divergence_is_kept_to_the_end_or_fails_at_its_epoch():
    divergence = kept()
    _, told = trained(1e8, divergence)
    assert len(told) == 3
    assert divergence.found.epoch == 1
    assert divergence.found.value == max(list(told[0].losses.values())[1:]) > 1e10
    with pytest.raises(UserError, match=r"the training diverged, for \w+ of epoch 1 was"):
        trained(1e8, Divergence(DivergenceSettings(fails=True)))


def test_what_is_no_number_ends_a_kept_training_at_once():
    divergence = kept()
    _, told = trained(1e30, divergence)
    assert len(told) == 1
    assert math.isnan(told[0].losses["loss"])
    assert divergence.ended
    with pytest.raises(UserError, match="became NaN in epoch 1"):
        trained(1e30, Divergence(DivergenceSettings(fails=True)))


def test_weights_that_the_last_step_broke_are_found():
    def breaking(moment):
        if not moment.steps_left:
            with torch.no_grad():
                own.drop_head.classifier.weight[0, 0] = torch.nan

    for divergence in (kept(), Divergence()):
        own = network("baseline", short("baseline"))
        parts = (own, images(), LABELS, HardwareSettings(), Randomness("d", "m", 1))
        if divergence.fails:
            with pytest.raises(UserError, match=r"drop_head\.classifier\.weight of epoch 2 was no"):
                fit(*parts, lambda _: None, progress=breaking, divergence=divergence)
        else:
            fit(*parts, lambda _: None, progress=breaking, divergence=divergence)
            assert divergence.found.what == "drop_head.classifier.weight"


def test_a_training_that_goes_on_knows_what_went_wrong_before(tmp_path):
    whole = kept()
    trained(1e8, whole)
    stop = Stop()

    def interrupt(moment):
        if (moment.epoch, moment.step) == (2, 1):
            stop.receive(15, None)

    checkpoints = Checkpoints(tmp_path, {}, 1e9, "cpu")
    with pytest.raises(StoppedError, match="saved: the same"):
        trained(1e8, kept(), checkpoints=checkpoints, stop=stop, progress=interrupt)
    again = Checkpoints(tmp_path, {}, 1e9, "cpu")
    resumed = kept()
    trained(1e8, resumed, checkpoints=again, taken_up=again.take_up())
    assert resumed.found == whole.found
    assert resumed.limit == whole.limit
