import re

import pytest
import tiny
import torch
from released import released_state, write_checkpoint

from topdb.errors import UserError
from topdb.params import NetworkSettings
from topdb.training.released import read_checkpoint

SMALL = NetworkSettings.model_validate(tiny.TINY["profiles"]["tiny"]["network"])
METHODS = ["baseline", "no-drop", "no-reg", "top-db-net"]


def state_of(method="top-db-net", identities=4, network=SMALL):
    return released_state(method, network, identities)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pth.tar-400"


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_arrives_whole(method, path):
    state = state_of(method)
    read = read_checkpoint(write_checkpoint(path, state), method, SMALL)
    assert (read.identities, read.epoch, read.rank1) == (4, 400, 0.75)
    values = list(read.network.state_dict().values())
    for found, given in zip(values, state.values(), strict=True):
        assert torch.equal(found, given)


def test_the_state_dict_alone_will_do(path):
    torch.save(state_of(), path)
    read = read_checkpoint(path, "top-db-net", SMALL)
    assert (read.identities, read.epoch, read.rank1) == (4, None, None)


@pytest.mark.parametrize(
    ("changes", "rank1"),
    [
        ({"rank1": torch.tensor(0.5)}, 0.5),
        ({"rank1": 1}, 1.0),
        ({"rank1": None, "optimizer": None}, None),
        ({"rank1": float("nan"), "scheduler": {"last_epoch": 3}}, None),
    ],
)
def test_what_lies_beside_the_weights_is_optional(path, changes, rank1):
    write_checkpoint(path, state_of(), **changes)
    assert read_checkpoint(path, "top-db-net", SMALL).rank1 == rank1


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), 10**400],
    ids=["nan", "inf", "-inf", "huge"],
)
@pytest.mark.parametrize("name", ["epoch", "rank1"])
def test_what_is_no_number_of_epochs_or_share_is_none(path, name, value):
    write_checkpoint(path, state_of(), **{name: value})
    assert getattr(read_checkpoint(path, "top-db-net", SMALL), name) is None


def test_counters_that_old_torch_does_not_save_may_be_missing(path):
    state = {k: v for k, v in state_of().items() if not k.endswith("num_batches_tracked")}
    network = read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL).network
    assert torch.equal(network.global_head.neck.weight, state["bottleneck_global.weight"])


def test_the_neck_that_no_reg_carries_and_never_runs_is_left_out(path):
    unused = "bottleneck_drop_bottleneck_features"
    extra = {f"{unused}.{part}": torch.ones(64) for part in ("weight", "bias")}
    read_checkpoint(write_checkpoint(path, state_of("no-reg") | extra), "no-reg", SMALL)
    with pytest.raises(UserError, match=rf"has {unused}\.bias, which is unknown"):
        read_checkpoint(write_checkpoint(path, state_of("baseline") | extra), "baseline", SMALL)


@pytest.mark.parametrize("named", METHODS)
@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_of_another_method_is_told_by_its_names(method, named, path):
    write_checkpoint(path, state_of(method))
    if named == method:
        assert read_checkpoint(path, named, SMALL).identities == 4
        return
    said = rf"is no checkpoint of {named}: it (lacks|has) \S+.*are those of {method}: name --method"
    with pytest.raises(UserError, match=said):
        read_checkpoint(path, named, SMALL)


@pytest.mark.parametrize("name", ["base.0.weight", "bottleneck_db.running_mean"])
def test_a_missing_entry_is_named(path, name):
    state = state_of()
    del state[name]
    with pytest.raises(UserError, match=f"it lacks {re.escape(name)}; no other method"):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


def test_another_profiles_network_is_hinted_at(path):
    state = {name.replace("base.4", "base.9"): value for name, value in state_of().items()}
    with pytest.raises(UserError, match="or the profile whose network it is"):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


def test_an_unknown_entry_is_named(path):
    state = state_of() | {"attention.weight": torch.ones(2)}
    with pytest.raises(
        UserError, match=r"has attention\.weight, which is unknown; no other method"
    ):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


def test_an_entry_of_another_shape_is_named_with_both_shapes(path):
    state = state_of(network=SMALL.model_copy(update={"drop_features": 13}))
    said = (
        r"reduction_db\.0\.weight is 13x64 float32, and top-db-net with 4 people has 12x64 float32"
    )
    with pytest.raises(UserError, match=said):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


def test_classifiers_of_different_numbers_of_people_are_refused(path):
    state = state_of() | {"classifier_db.bias": torch.ones(5)}
    with pytest.raises(UserError, match=r"classifier_db\.bias is 5 float32.*with 4 people has 4"):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


def test_whole_numbers_for_weights_are_refused(path):
    state = state_of() | {"classifier_db.bias": torch.ones(4, dtype=torch.int64)}
    with pytest.raises(UserError, match=r"classifier_db\.bias is 4 int64"):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(path, value):
    state = state_of() | {"classifier_db.bias": torch.full((4,), value)}
    with pytest.raises(UserError, match=r"classifier_db\.bias holds NaN or infinity"):
        read_checkpoint(write_checkpoint(path, state), "top-db-net", SMALL)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds no state dict"),
        ({}, "holds no state dict"),
        ({"state_dict": [1]}, "holds no state dict"),
        ({"epoch": 3}, "entry 'epoch' of its state dict is no tensor"),
        ({"state_dict": {3: torch.ones(1)}}, "entry 3 of its state dict is no tensor"),
        ({"state_dict": {"weight": torch.ones(1)}}, r"has no classifier_global\.weight"),
        ({"classifier_global.weight": torch.ones(1)}, r"has no classifier_global\.weight"),
    ],
)
def test_what_is_no_checkpoint_is_refused(path, content, said):
    torch.save(content, path)
    with pytest.raises(UserError, match=said) as told:
        read_checkpoint(path, "top-db-net", SMALL)
    assert "\n" not in str(told.value)
