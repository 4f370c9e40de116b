import pytest
import tiny

from topdb.config import Crossing, load
from topdb.errors import UserError
from topdb.evidence.drift import settings_digest

THREE = {
    name: {"layout": "market1501", "root": f"data/{name}"} for name in ("north", "south", "west")
}


def profile(tmp_path, test_on, datasets=THREE):
    return tiny.params(tmp_path, {"datasets": datasets, "test_on": test_on}).selected()


def test_no_run_is_tested_elsewhere_unless_that_is_asked_for(tmp_path):
    assert tiny.params(tmp_path).selected().crossings == ()
    shipped = load(tiny.ROOT / "params.yaml")
    asking = {name for name in shipped.profiles if shipped.selected(name).crossings}
    assert asking == {"cross"}


def test_lists_by_data_set_are_crossings_in_the_profiles_order(tmp_path):
    found = profile(tmp_path, {"west": ["south", "north"], "north": ["west"]}).crossings
    assert found == (
        Crossing("north", "west"),
        Crossing("west", "north"),
        Crossing("west", "south"),
    )
    assert found[0].name == "north -> west"


def test_all_is_every_data_set_on_every_other_one(tmp_path):
    found = profile(tmp_path, "all")
    assert len(found.crossings) == 6
    assert found.test_on["south"] == ("north", "west")


@pytest.mark.parametrize(
    ("test_on", "said"),
    [
        ({"nort": ["south"]}, r"test_on names the data set 'nort' \(did you mean 'north'\?\)"),
        ({"north": ["sout"]}, r"test_on\.north names the data set 'sout' \(did you mean 'south'"),
        ({"north": ["north"]}, "names north itself, where its runs are tested anyway"),
        ({"north": ["west", "west"]}, r"test_on\.north lists west twice"),
        ({"north": []}, r"test_on\.north lists no data set"),
        ({"north": "south"}, r"write all, or .* such as \{ north: \[west\] \}"),
        (["south"], r"write all, or .* such as \{ north: \[west\] \}"),
        ("everything", "write all"),
        (None, "write all"),
    ],
)
def test_what_is_no_crossing_is_told(tmp_path, test_on, said):
    with pytest.raises(UserError, match=said):
        profile(tmp_path, test_on)


def test_all_needs_another_data_set(tmp_path):
    with pytest.raises(UserError, match="north is the only one"):
        profile(tmp_path, "all", {"north": THREE["north"]})


def test_the_digest_of_the_settings_does_not_know_of_it(tmp_path):
    assert settings_digest(profile(tmp_path, "all")) == settings_digest(profile(tmp_path, {}))
    without = tiny.params(tmp_path, {"datasets": THREE}).selected()
    assert settings_digest(without) == settings_digest(profile(tmp_path, {}))
