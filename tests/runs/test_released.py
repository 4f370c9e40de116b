import gzip
import re
import zipfile

import pytest
import tiny
import torch
from factories import released_state, write_checkpoint

from topdb.config import Profile, ScaleSettings, method_files
from topdb.errors import UserError
from topdb.methods import find
from topdb.runs.record import chosen, save_weights
from topdb.runs.released import Checkpoint, read_checkpoint

METHODS = ["baseline", "no-drop", "no-reg", "top-db-net"]
SCALE = {"backbones": {"resnet50": "small", "resnet101": "small", "densenet201": "small"}}
LARGER = ScaleSettings(size=(96, 32), epochs=5, people=8, width=0.125, **SCALE)


def profile(**changes) -> Profile:
    return Profile.model_validate(tiny.content(changes)["profiles"]["tiny"])


def read(path, method="top-db-net", **changes) -> Checkpoint:
    """Read a checkpoint as a profile of tiny networks has it."""
    wanted = profile(**changes)
    return read_checkpoint(path, method, chosen(wanted, "", method), wanted)


def state_of(method="top-db-net", identities=4, **changes):
    return released_state(method, identities, **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pth.tar-400"


@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_arrives_whole(method, path):
    state = state_of(method)
    found = read(write_checkpoint(path, state), method)
    assert (found.identities, found.epoch, found.rank1) == (4, 400, 0.75)
    values = list(found.network.state_dict().values())
    for value, given in zip(values, state.values(), strict=True):
        assert torch.equal(value, given)


def test_the_state_dict_alone_will_do(path):
    torch.save(state_of(), path)
    found = read(path, "top-db-net")
    assert (found.identities, found.epoch, found.rank1) == (4, None, None)


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
    assert read(path, "top-db-net").rank1 == rank1


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), 10**400],
    ids=["nan", "inf", "-inf", "huge"],
)
@pytest.mark.parametrize("name", ["epoch", "rank1"])
def test_what_is_no_number_of_epochs_or_share_is_none(path, name, value):
    write_checkpoint(path, state_of(), **{name: value})
    assert getattr(read(path, "top-db-net"), name) is None


def test_counters_that_old_torch_does_not_save_may_be_missing(path):
    state = {k: v for k, v in state_of().items() if not k.endswith("num_batches_tracked")}
    network = read(write_checkpoint(path, state), "top-db-net").network
    assert torch.equal(network.global_head.neck.weight, state["bottleneck_global.weight"])


def test_the_neck_that_no_reg_carries_and_never_runs_is_left_out(path):
    unused = "bottleneck_drop_bottleneck_features"
    extra = {f"{unused}.{part}": torch.ones(64) for part in ("weight", "bias")}
    read(write_checkpoint(path, state_of("no-reg") | extra), "no-reg")
    with pytest.raises(UserError, match=rf"has {unused}\.bias, which is unknown"):
        read(write_checkpoint(path, state_of("baseline") | extra), "baseline")


@pytest.mark.parametrize("named", METHODS)
@pytest.mark.parametrize("method", METHODS)
def test_a_checkpoint_of_another_method_is_told_by_its_names(method, named, path):
    write_checkpoint(path, state_of(method))
    if named == method:
        assert read(path, named).identities == 4
        return
    said = rf"is no checkpoint of {named}: it (lacks|has) \S+.*are those of {method}: name --method"
    with pytest.raises(UserError, match=said):
        read(path, named)


@pytest.mark.parametrize("name", ["base.0.weight", "bottleneck_db.running_mean"])
def test_a_missing_entry_is_named(path, name):
    state = state_of()
    del state[name]
    with pytest.raises(UserError, match=f"it lacks {re.escape(name)}; no other method"):
        read(write_checkpoint(path, state), "top-db-net")


def test_another_profiles_network_is_hinted_at(path):
    state = {name.replace("base.4", "base.9"): value for name, value in state_of().items()}
    with pytest.raises(UserError, match="or the profile whose network it is"):
        read(write_checkpoint(path, state), "top-db-net")


def test_an_unknown_entry_is_named(path):
    state = state_of() | {"attention.weight": torch.ones(2)}
    with pytest.raises(
        UserError, match=r"has attention\.weight, which is unknown; no other method"
    ):
        read(write_checkpoint(path, state), "top-db-net")


def test_an_entry_of_another_shape_is_named_with_both_shapes(path):
    state = state_of() | {"reduction_db.0.weight": torch.ones(13, 64)}
    said = (
        r"reduction_db\.0\.weight is 13x64 float32, and top-db-net with 4 people has 16x64 float32"
    )
    with pytest.raises(UserError, match=said):
        read(write_checkpoint(path, state), "top-db-net")


def test_classifiers_of_different_numbers_of_people_are_refused(path):
    state = state_of() | {"classifier_db.bias": torch.ones(5)}
    with pytest.raises(UserError, match=r"classifier_db\.bias is 5 float32.*with 4 people has 4"):
        read(write_checkpoint(path, state), "top-db-net")


def test_whole_numbers_for_weights_are_refused(path):
    state = state_of() | {"classifier_db.bias": torch.ones(4, dtype=torch.int64)}
    with pytest.raises(UserError, match=r"classifier_db\.bias is 4 int64"):
        read(write_checkpoint(path, state), "top-db-net")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(path, value):
    state = state_of() | {"classifier_db.bias": torch.full((4,), value)}
    with pytest.raises(UserError, match=r"classifier_db\.bias holds NaN or infinity"):
        read(write_checkpoint(path, state), "top-db-net")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds no state dict"),
        ({}, "holds no state dict"),
        ({"state_dict": [1]}, "holds no state dict"),
        ({"epoch": 3}, "entry 'epoch' of its state dict is no tensor"),
        ({"state_dict": {3: torch.ones(1)}}, "entry 3 of its state dict is no tensor"),
        ({"state_dict": {"weight": torch.ones(1)}}, r"lacks base\.0\.weight"),
        ({"classifier_global.weight": torch.ones(1)}, r"lacks base\.0\.weight"),
    ],
)
def test_what_is_no_checkpoint_is_refused(path, content, said):
    torch.save(content, path)
    with pytest.raises(UserError, match=said) as told:
        read(path, "top-db-net")
    assert "\n" not in str(told.value)


def in_packages() -> list:
    """Every method and side that has released names."""
    found = []
    for method in method_files():
        for side in find(method).recipes:
            if side != "described":
                found.append(pytest.param(method, side, id=f"{method}-{side}"))
    return found


@pytest.mark.parametrize(("method", "side"), in_packages())
def test_every_method_and_variant_with_released_names_takes_its_own_checkpoint(method, side, path):
    scale = LARGER.model_dump(exclude_defaults=True)
    wanted = profile(scale=scale, methods=[method], recipes={method: side}, changes={})
    own = chosen(wanted, "", method)
    with torch.device("meta"):
        names = own.method(own.recipe, wanted.scale, 2).released({})
    if names is None:
        with pytest.raises(UserError, match=f"method {method} has no released checkpoints"):
            read_checkpoint(write_checkpoint(path, {"x": torch.ones(1)}), method, own, wanted)
        return
    state = state_of(method, 7, scale=LARGER, side=side, seed=3)
    extra = {f"{name}.weight": torch.ones(1) for name in names.unused}
    found = read_checkpoint(write_checkpoint(path, state | extra), method, own, wanted)
    assert (found.identities, found.epoch, found.rank1) == (7, 400, 0.75)
    taken = {names.released(name): each for name, each in found.network.state_dict().items()}
    assert all(torch.equal(taken[name], each) for name, each in state.items())


def test_a_checkpoint_of_a_variant_is_told_by_its_names(path):
    wanted = profile(scale=LARGER.model_dump(exclude_defaults=True), methods=["mhn"], changes={})
    write_checkpoint(path, state_of("mhn", scale=LARGER, side="ide"))
    said = (
        r"is no checkpoint of mhn: it (lacks|has) \S+; its names are those of its variant ide: "
        r"name it under recipes\.mhn"
    )
    with pytest.raises(UserError, match=said):
        read_checkpoint(path, "mhn", chosen(wanted, "", "mhn"), wanted)
    wanted = wanted.model_copy(update={"recipes": {"mhn": "ide"}})
    assert read_checkpoint(path, "mhn", chosen(wanted, "", "mhn"), wanted).identities == 4


@pytest.mark.parametrize("key", ["state_dict", "state_dicts", "model", "net", "model_state_dict"])
def test_a_state_dict_may_lie_inside_under_any_of_the_known_names(path, key):
    state = state_of()
    given = [state, {"of": "the optimiser"}] if key == "state_dicts" else state
    torch.save({key: given, "ep": 60}, path)
    found = read(path)
    assert (found.identities, found.epoch) == (4, 60)


def test_what_the_compiler_and_parallel_training_put_before_names_is_left_out(path):
    state = {f"module._orig_mod.{name}": value for name, value in state_of().items()}
    torch.save(state, path)
    assert read(path).identities == 4


def test_a_classifier_that_tells_no_number_of_people_is_named(path):
    state = state_of() | {"classifier_global.weight": torch.ones(4)}
    with pytest.raises(UserError, match=r"classifier_global\.weight is 4 float32, and tells no"):
        read(write_checkpoint(path, state))


WRAPPERS = {
    "module.module": lambda name, _: f"module.module.{name}",
    "_orig_mod": lambda name, _: f"_orig_mod.{name}",
    "module._orig_mod": lambda name, _: f"module._orig_mod.{name}",
    "_orig_mod within": lambda name, _: name.replace("base.0.", "base.0._orig_mod."),
    "mixed": lambda name, number: f"module.{name}" if number % 2 else name,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_training_puts_around_names_is_taken_off(wrapper, path):
    state = state_of()
    named = {WRAPPERS[wrapper](name, n): value for n, (name, value) in enumerate(state.items())}
    assert named.keys() != state.keys()
    torch.save(named, path)
    values = read(path).network.state_dict().values()
    assert all(map(torch.equal, values, state.values()))


@pytest.mark.parametrize(
    "around",
    [
        lambda state: {"model": state},
        lambda state: {"net": state, "acc": 0.9},
        lambda state: {"model_state_dict": state, "optimizer_state_dict": {}},
        lambda state: {"state_dict": state, "model": "resnet50"},
        lambda state: {"model": {"state_dict": state}, "epoch": 3},
        lambda state: [state],
    ],
)
def test_a_state_dict_is_found_in_what_lies_around_it(around, path):
    torch.save(around(state_of()), path)
    assert read(path).identities == 4


def test_a_name_that_is_there_twice_is_named(path):
    state = state_of()
    torch.save({**state, "module.base.0.weight": state["base.0.weight"]}, path)
    with pytest.raises(UserError, match=r"holds base\.0\.weight twice, once as module\.base"):
        read(path)


@pytest.mark.parametrize("method", [*METHODS, "bot", "mgn", "osnet"])
def test_topdbs_own_weights_are_read_under_their_own_names(method, path, tmp_path):
    first = read(write_checkpoint(path, state_of(method, 7)), method).network
    own = tmp_path / "weights.safetensors"
    save_weights(first, own)
    found = read(own, method)
    assert (found.identities, found.epoch) == (7, None)
    values = found.network.state_dict()
    assert all(torch.equal(value, values[name]) for name, value in first.state_dict().items())


def test_weights_that_are_cut_short_or_of_another_method_are_named(path, tmp_path):
    own = tmp_path / "weights.safetensors"
    save_weights(read(write_checkpoint(path, state_of())).network, own)
    with pytest.raises(UserError, match="are those of top-db-net: name --method top-db-net"):
        read(own, "baseline")
    own.write_bytes(own.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cannot be read as a \.safetensors file .*cut short"):
        read(own)


def zip_around(path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, "epoch_60.pth")
    return path.with_suffix(".zip").read_bytes()


OTHERS = {
    "is an HTML page (its first bytes say so), not a checkpoint: the download needs a login": (
        lambda _: b"\n<!DOCTYPE html><html>Sign in"
    ),
    "is a pointer of git-lfs": lambda _: b"version https://git-lfs.github.com/spec/v1\noid x",
    "is a zip archive around epoch_60.pth (its first bytes say so), not a checkpoint: unpack": (
        zip_around
    ),
    "is a RAR archive": lambda _: b"Rar!\x1a\x07\x01\x00",
    'is JSON (\'{"error": "quota"}\')': lambda _: b'{"error": "quota"}',
    "is text ('Not Found'), not a checkpoint": lambda _: b"Not Found\n",
    "is packed with gzip": lambda path: gzip.compress(path.read_bytes()),
    "(a checkpoint) is empty: fetch or copy it again": lambda _: b"",
}


@pytest.mark.parametrize("said", OTHERS)
def test_a_download_that_is_something_else_is_told(said, path):
    write_checkpoint(path, state_of())
    path.write_bytes(OTHERS[said](path))
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"{path} {said}" in str(caught.value)
