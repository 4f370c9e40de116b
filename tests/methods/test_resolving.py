"""A method's recipe as a profile asks for it: its side, what is changed, what is scaled."""

from dataclasses import dataclass, replace

import pytest
import tiny

from topdb.config import FULL, Params, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.methods import find
from topdb.methods.contract import SGD, Adam, Cosine, Method, Milestones, Recipe, Stairs
from topdb.methods.contract.resolving import plain, resolved, side_of
from topdb.methods.parts.augmentation import Erase, Flip, Normalise, PadAndCrop
from topdb.runs.record import chosen


@dataclass(frozen=True)
class Options:
    margin: float = 0.3
    stripes: tuple[int, ...] = (1, 2)
    pooling: str | None = None

    def __post_init__(self) -> None:
        if self.margin < 0:
            raise ValueError("the margin is below 0; name one above")


PLAIN = Recipe(
    size=(256, 128),
    epochs=120,
    augmentation=(Flip(0.5), PadAndCrop(10), Normalise(), Erase(0.5)),
    rules={"network": Adam(3e-4), "centers": SGD(0.5, momentum=0.9)},
    schedule=Milestones(at=(40, 70)),
    options=Options(),
    resize=(288, 144),
)


def method(**recipes: Recipe) -> type[Method]:
    """A method as far as recipes are concerned."""
    return type("Some", (), {"recipes": recipes})


SOME = method(released=PLAIN, described=replace(PLAIN, epochs=60), wide=replace(PLAIN, people=64))


def changed(**parts) -> Recipe:
    return resolved(SOME, "some", "released", FULL, [RecipeChanges.model_validate(parts)])


def scaled(**parts) -> Recipe:
    return resolved(SOME, "some", "released", ScaleSettings.model_validate(parts))


def test_a_side_or_variant_is_had_by_its_name():
    for side in ("released", "described", "wide"):
        assert side_of(SOME, "some", side) == side
        assert resolved(SOME, "some", side) == SOME.recipes[side]


@pytest.mark.parametrize(("own", "wanted"), [("released", "described"), ("described", "released")])
def test_a_method_that_lacks_one_of_the_two_sides_has_the_other_instead(own, wanted):
    one = method(**{"odd": PLAIN, own: replace(PLAIN, epochs=7)})
    assert side_of(one, "one", wanted) == own
    assert resolved(one, "one", wanted).epochs == 7


def test_a_variant_is_never_had_instead():
    odd = method(odd=PLAIN)
    with pytest.raises(UserError, match="method odd has no recipe 'released': name one of odd"):
        side_of(odd, "odd", "released")


def test_an_unknown_variant_is_named_with_its_neighbour_and_all_that_there_are():
    said = r"method some has no recipe 'wied' \(did you mean 'wide'\?\): name one of released, des"
    with pytest.raises(UserError, match=said):
        resolved(SOME, "some", "wied")


def test_nothing_changed_and_nothing_scaled_leaves_a_recipe_as_it_is():
    assert resolved(SOME, "some", "released", FULL, [RecipeChanges()]) == PLAIN


def test_plain_parts_are_replaced():
    found = changed(epochs=300, people=4, images=2, clip=5.0)
    assert found == replace(PLAIN, epochs=300, people=4, images=2, clip=5.0)


def test_later_changes_go_over_earlier_ones():
    first = RecipeChanges(epochs=10, people=4)
    found = resolved(SOME, "some", "released", FULL, [first, RecipeChanges(epochs=20)])
    assert (found.epochs, found.people) == (20, 4)


@pytest.mark.parametrize(
    ("change", "schedule"),
    [
        ({"kind": "cosine", "warmup": 2.5}, Cosine(2.5)),
        (
            {"kind": "milestones", "at": [40, 70.5], "factor": 0.5, "warmup": 10, "start": 0.01},
            Milestones((40, 70.5), 0.5, 10, 0.01),
        ),
        (
            {"kind": "stairs", "warmup": 45, "stair": 5, "milestones": [200, 300]},
            Stairs(45, 5, (200, 300)),
        ),
    ],
)
def test_a_schedule_is_replaced_as_a_whole(change, schedule):
    assert changed(schedule=change) == replace(PLAIN, schedule=schedule)


def test_a_warm_up_that_leaves_nothing_is_refused_wherever_its_length_comes_from():
    cosine = RecipeChanges(schedule={"kind": "cosine", "warmup": 2.0})
    said = r"method some: a warm-up of 2 epochs leaves nothing of 2: change schedule\.warmup or ep"
    for changes in ([cosine, RecipeChanges(epochs=2)], [RecipeChanges(epochs=2), cosine]):
        with pytest.raises(UserError, match=said):
            resolved(SOME, "some", "released", FULL, changes)
    assert resolved(SOME, "some", "released", FULL, [cosine]).schedule == Cosine(2.0)


def test_the_rules_of_a_group_or_of_all_are_changed():
    network, centers = PLAIN.rules.values()
    found = changed(rules={"centers": {"rate": 0.1}}).rules
    assert found == {"network": network, "centers": replace(centers, rate=0.1)}
    found = changed(rules={"all": {"weight_decay": 0.1}, "network": {"rate": 1.0}}).rules
    assert found == {
        "network": replace(network, rate=1.0, weight_decay=0.1),
        "centers": replace(centers, weight_decay=0.1),
    }
    assert PLAIN.rules == {"network": network, "centers": centers}


def test_an_unknown_group_is_named_with_its_neighbour():
    said = (
        r"changes\.some\.rules names the group 'center' \(did you mean 'centers'\?\), which the "
        "method has not: name one of network, centers, or all"
    )
    with pytest.raises(UserError, match=said):
        changed(rules={"center": {"rate": 1.0}})


def test_options_are_changed_and_have_their_declared_types():
    found = changed(options={"margin": 1, "stripes": [1, 2, 3]}).options
    assert found == Options(margin=1.0, stripes=(1, 2, 3))
    assert isinstance(found, Options)
    assert isinstance(found.margin, float)
    assert isinstance(found.stripes, tuple)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"margn": 1.0},
            r"changes\.some\.options names 'margn' \(did you mean 'margin'\?\), which the method "
            "has not: name one of margin, stripes, pooling",
        ),
        ({"margin": "wide"}, r"changes\.some\.options\.margin is 'wide': input should be a valid"),
        ({"stripes": [1, "x"]}, r"changes\.some\.options\.stripes\.1 is 'x'"),
        ({"margin": -1.0}, r"changes\.some\.options: the margin is below 0; name one above\."),
    ],
)
def test_an_option_that_cannot_be_is_told_in_one_sentence(options, said):
    with pytest.raises(UserError, match=said) as told:
        changed(options=options)
    assert "\n" not in str(told.value)


def test_a_method_without_options_says_so():
    bare = method(released=replace(PLAIN, options=None))
    with pytest.raises(UserError, match="name one of none, since it has no options"):
        resolved(bare, "bare", "released", FULL, [RecipeChanges(options={"margin": 1.0})])


def test_another_size_changes_the_resizing_alike():
    found = changed(size=[384, 128])
    assert (found.size, found.resize) == ((384, 128), (432, 144))
    assert found.augmentation == PLAIN.augmentation  # a change says all that it means


def test_a_scale_shrinks_pixels_with_the_height_and_resizes_alike():
    found = scaled(size=[96, 32])
    assert (found.size, found.resize) == ((96, 32), (108, 36))
    assert found.augmentation == (Flip(0.5), PadAndCrop(4), Normalise(), Erase(0.5))
    assert found.schedule == PLAIN.schedule
    assert found.epochs == 120


def test_a_scale_takes_passes_and_leaves_the_clock():
    found = scaled(epochs=5)
    assert (found.epochs, found.passes, found.whole_passes) == (120, 5, 5)
    assert (PLAIN.passes, PLAIN.whole_passes) == (None, 120)


def test_a_scale_takes_people_rates_and_augmentations_off():
    found = scaled(people=8, rate=0.5, without=["erase", "jitter"])
    assert found.people == 8
    assert {name: rule.rate for name, rule in found.rules.items()} == {
        "network": 1.5e-4,
        "centers": 0.25,
    }
    assert found.augmentation == (Flip(0.5), PadAndCrop(10), Normalise(), Erase(0.0))


def test_changes_come_after_the_scale_since_they_are_made_on_purpose():
    scale = ScaleSettings(size=(96, 32), people=8, epochs=5, rate=0.5)
    changes = RecipeChanges(size=(48, 16), people=4, epochs=10, rules={"network": {"rate": 1e-3}})
    found = resolved(SOME, "some", "released", scale, [changes])
    assert (found.size, found.people, found.epochs, found.whole_passes) == ((48, 16), 4, 10, 5)
    assert found.resize == (54, 18)
    assert found.rules["network"].rate == 1e-3  # as it was written
    assert found.rules["centers"].rate == 0.25


def test_channels_are_a_share_of_the_full_ones_and_never_fewer_than_four():
    assert ScaleSettings(width=0.125).channels(512) == 64
    assert ScaleSettings(width=0.001).channels(512) == 4
    assert FULL.channels(512) == 512
    assert ScaleSettings(backbones={"resnet50": "small"}).backbone("resnet50") == "small"
    assert FULL.backbone("resnet50") == "resnet50"


def test_a_recipe_is_recorded_as_plain_data_with_the_names_of_its_parts():
    found = plain(PLAIN)
    assert found["size"] == [256, 128]
    assert found["augmentation"][1] == {"kind": "PadAndCrop", "by": 10}
    assert found["rules"]["centers"] == {
        "kind": "SGD",
        "rate": 0.5,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    assert found["schedule"]["kind"] == "Milestones"
    assert found["options"] == {
        "kind": "Options",
        "margin": 0.3,
        "stripes": [1, 2],
        "pooling": None,
    }


def profile(tmp_path, **changes):
    params: Params = tiny.params(tmp_path, changes)
    return params.selected()


def test_changes_hold_for_all_data_sets_or_for_one(tmp_path):
    datasets = {
        name: {"layout": "market1501", "root": f"data/{name}"} for name in ("market1501", "duke")
    }
    by_dataset = {"all": {"epochs": 3, "images": 2}, "duke": {"epochs": 9}}
    own = profile(tmp_path, datasets=datasets, changes={"baseline": by_dataset})
    assert chosen(own, "market1501", "baseline").recipe.epochs == 3
    assert chosen(own, "duke", "baseline").recipe.epochs == 9
    assert chosen(own, "duke", "baseline").recipe.images == 2
    assert chosen(own, "duke", "top-db-net").recipe.epochs == 400


def test_a_profile_asks_for_a_side_and_for_another_of_some_methods(tmp_path):
    own = profile(tmp_path, recipe="described", recipes={"baseline": "released"})
    assert chosen(own, "market1501", "baseline").side == "released"
    assert chosen(own, "market1501", "top-db-net").side == "described"
    mgn = profile(tmp_path, methods=["mgn"], recipes={"mgn": "seathiefwang"})
    assert "released" not in find("mgn").recipes
    assert chosen(mgn, "market1501", "mgn").side == "seathiefwang"
    without = profile(tmp_path, methods=["mgn"])
    assert chosen(without, "market1501", "mgn").side == "described"
