"""`topdb recipes`: every method's recipe as it will be trained, or a sentence that says why not."""

import json

import pytest
import tiny
import yaml
from factories import released_state, write_checkpoint

from topdb.config import load
from topdb.runs.recipes import recipes

SOUND = (tiny.ROOT / "tests/methods/own/one_stream.py").read_text()
METHODS = ["baseline", "one-stream"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with a folder of methods of one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/one_stream.py").write_text(SOUND)
    return tmp_path


def write(folder, **changes) -> None:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    content = tiny.content({"methods": METHODS, "snapshots": {"methods": []}, **dotted})
    content["method_folders"] = ["own"]
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def mistake(monkeypatch, capfd) -> str:
    assert tiny.topdb(monkeypatch, "recipes", "--out", "recipes.json") == 2
    said = capfd.readouterr().err
    assert said.startswith("topdb: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


def test_each_method_is_told_with_what_is_changed_by_data_set(here, monkeypatch, capfd):
    changes = {"one-stream": {"market1501": {"options": {"pull": 2}}}}
    write(here, changes=changes, recipes={"baseline": "described"})
    assert tiny.topdb(monkeypatch, "recipes", "--out", "recipes.json") == 0
    found = json.loads((here / "recipes.json").read_text())
    assert list(found) == METHODS
    assert found["baseline"]["title"] == "Baseline"
    assert found["baseline"]["backbone"] == "small"
    assert found["baseline"]["recipes"].keys() == {"all"}
    assert found["baseline"]["recipes"]["all"]["side"] == "described"
    own = found["one-stream"]["recipes"]
    assert own["all"]["side"] == "described"  # the only one of the two that it has
    assert own["all"]["size"] == [48, 16]
    assert own["all"]["passes"] == 2
    assert (own["all"]["options"]["pull"], own["market1501"]["options"]["pull"]) == (0.01, 2.0)
    assert own["all"]["augmentation"][1] == {"kind": "PadAndCrop", "by": 2}
    capfd.readouterr()
    assert tiny.topdb(monkeypatch, "recipes") == 0
    assert json.loads(capfd.readouterr().out) == found


@pytest.mark.parametrize("profile", ["mini", "reference", "paper"])
def test_every_method_of_a_shipped_profile_can_be_trained(profile):
    params = load(tiny.ROOT / "params.yaml")
    found = recipes(params.selected(profile), params.method_folders)
    assert list(found) == list(params.selected(profile).methods)
    assert all(each["title"] for each in found.values())


MISTAKES = {
    "a variant that a method has not": (
        {"recipes": {"one-stream": "wied"}},
        "recipes.one-stream names the side 'wied' (did you mean 'wide'?); name one of",
    ),
    "a group that a method has not": (
        {"changes": {"one-stream": {"all": {"rules": {"center": {"rate": 0.1}}}}}},
        "changes.one-stream.rules names the group 'center' (did you mean 'centers'?)",
    ),
    "a group on one data set alone": (
        {"changes": {"one-stream": {"market1501": {"rules": {"center": {"rate": 0.1}}}}}},
        "changes.one-stream.rules names the group 'center'",
    ),
    "an option that a method has not": (
        {"changes": {"one-stream": {"all": {"options": {"pul": 0.1}}}}},
        "changes.one-stream.options names 'pul' (did you mean 'pull'?)",
    ),
    "an option of another kind": (
        {"changes": {"one-stream": {"all": {"options": {"stripes": 1.5}}}}},
        "changes.one-stream.options.stripes is 1.5: ",
    ),
    "options that do without every second stream": (
        {"changes": {"baseline": {"all": {"options": {"drop": None}}}}},
        "changes.baseline.options: streams need a drop or a regularization stream",
    ),
    "an augmentation that nobody has": (
        {"scale__without": ["earse"]},
        "scale.without names the augmentation 'earse' (did you mean 'erase'?); name one of",
    ),
    "a height that stripes do not divide": (
        {"recipes": {"one-stream": "wide"}},
        "method one-stream: one-stream cuts a map of 6 rows into 4 stripes: name a height",
    ),
    "a height that stripes do not divide on one data set": (
        {"changes": {"one-stream": {"market1501": {"options": {"stripes": 5}}}}},
        "method one-stream: one-stream cuts a map of 6 rows into 5 stripes",
    ),
    "a drop ratio of everything": (
        {"changes": {"baseline": {"all": {"options": {"drop_ratio": 1.0}}}}},
        "method baseline: drop_ratio is 1, which drops every one of the 6 rows",
    ),
    "more people than are drawn": (
        {
            "changes": {"one-stream": {"all": {"people": 5}}},
            "scale__people": None,
            "datasets__market1501__render": tiny.RENDER,
        },
        "method baseline: a batch holds 16 people, and the training split of market1501 shows 4: "
        "lower changes.baseline.market1501.people or scale.people",
    ),
    "a warm-up that leaves nothing": (
        {"changes": {"one-stream": {"all": {"schedule": {"kind": "cosine", "warmup": 60}}}}},
        "method one-stream: a warm-up of 60 epochs leaves nothing of 60",
    ),
    "snapshots that a training does not take": (
        {"snapshots": {"methods": ["one-stream"], "epochs": [61]}, "scale__epochs": None},
        "snapshots.epochs names 61, and the training of one-stream has 60: name epochs that it h",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_status_2(case, here, monkeypatch, capfd):
    changes, said = MISTAKES[case]
    write(here, **changes)
    assert said in mistake(monkeypatch, capfd)
    assert not (here / "recipes.json").exists()


def test_people_may_be_fewer_on_the_data_set_that_shows_few(here, monkeypatch, capfd):
    drawn = {"datasets__market1501__render": tiny.RENDER, "scale__people": None}
    fewer = {method: {"market1501": {"people": 4}} for method in METHODS}
    write(here, changes=fewer, **drawn)
    assert tiny.topdb(monkeypatch, "recipes") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["baseline"]["recipes"]["market1501"]["people"] == 4


@pytest.mark.parametrize("profile", ["mini"])
def test_stripes_of_the_package_do_not_divide_every_height(profile, tmp_path, monkeypatch, capfd):
    """Every method with stripes says so itself."""
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((tiny.ROOT / "params.yaml").read_text())
    for method in ("mgn", "pyramid", "abd-net"):
        content["profiles"] = {"mini": content["profiles"][profile]}
        content["profiles"]["mini"] |= {"methods": [method], "changes": {}}
        content["statistics"]["reference_method"] = method
        content["profiles"]["mini"]["scale"] |= {"size": [88, 32]}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        said = mistake(monkeypatch, capfd)
        assert said.startswith(f"topdb: method {method}: ")
        assert "rows" in said


BROKEN = {
    "no method": ("", "defines 0 methods: define one class that inherits Method"),
    "two methods": (f"{SOUND}\n\nclass Other(OneStream):\n    pass\n", "defines 2 methods"),
    "no title": (SOUND.replace('title = "One stream"', "pass"), "OneStream has no title"),
    "no recipes": (SOUND.replace("recipes: ClassVar", "others: ClassVar"), "has no recipes"),
    "no embed and no losses": (
        SOUND.replace("def embed(", "def a(").replace("def losses(", "def b("),
        "OneStream lacks embed, losses: define it",
    ),
    "no Python": ("class Half(:\n", "cannot be imported (SyntaxError"),
    "an import of nothing": ("import nothing_like_it\n", "cannot be imported (ModuleNotFoundErr"),
    "an error as it is imported": ("raise ValueError('a\\nb')\n", "(ValueError: a b): mend it"),
    "an error as it is built": (
        SOUND.replace("self.dropout = nn.Dropout(0.3)", "self.dropout = nothing\n"),
        "method one-stream: its network cannot be built (NameError: name 'nothing' is not defined",
    ),
    "rules of other groups": (
        SOUND.replace('"centers": [self.centers]', '"center": [self.centers]'),
        "its recipe has rules for network, centers, and its network the groups network, center",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_breaks_the_contract_is_told_before_anything_trains(
    case, here, monkeypatch, capfd
):
    text, said = BROKEN[case]
    (here / "own/one_stream.py").write_text(text)
    write(here, changes={})
    told = mistake(monkeypatch, capfd)
    assert said in told
    assert "one_stream.py" in told or "one-stream" in told


def test_a_checkpoint_of_another_method_or_variant_is_told(here, monkeypatch, capfd):
    """One stream's variants differ in the classifier's width alone; baseline has other names."""
    write(here, changes={}, methods=["baseline", "one-stream", "mhn"])
    write_checkpoint(here / "baseline.tar", released_state("baseline", 4))

    def imported(file: str, method: str) -> str:
        options = ("--method", method, "--profile", "tiny", "--out", "run")
        assert tiny.topdb(monkeypatch, "import-weights", file, *options) == 2
        said = capfd.readouterr().err
        assert said.count("\n") == 1
        assert not (here / "run").exists()
        return said

    said = imported("baseline.tar", "one-stream")
    assert "is no checkpoint of one-stream: it lacks classifier.bias" in said
    assert "; its names are those of baseline" in said
    assert "is no checkpoint of mhn: it " in imported("baseline.tar", "mhn")
