"""`topdb check-method` finds what a method does wrong: a sound one, broken in one place."""

from pathlib import Path

import pytest
import tiny
import torch

from topdb.errors import UserError
from topdb.methods import find
from topdb.runs.conformance import CHECKS, BrokenContractError, check, sides

SOUND = (tiny.ROOT / "tests/methods/own/one_stream.py").read_text()
TITLE = 'title = "One stream"'
DRAWN = "drawn = [rng.choice(np.flatnonzero(people == each), 4) for each in order]"
MOVES = "moves = moment.whole >= self.recipe.options.frozen"
CROSS = '"cross_entropy": cross_entropy(outputs["logits"], people),'
POOLED = "features = self.pooled(images)"
EMBEDDED = "return self.pooled(images)"
BUFFER = 'self.register_buffer("moving", torch.zeros(()))'
CENTERS = '"centers": [self.centers]'
NETWORK = "network = [*self.backbone.parameters(), *self.classifier.parameters()]"
LAST = '            absent=("moving",),\n        )\n'


def more(body: str) -> dict[str, str]:
    """One more method of the class."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return {LAST: f"{LAST}\n{indented}\n"}


BROKEN = {
    "a title that is computed": (
        {TITLE: 'title = "One " + "stream"'},
        "title and backbone are literals",
        "have to be plain strings",
    ),
    "a word of a rebuilt method that is computed": (
        {TITLE: TITLE + '\n    rebuilt = "Known " + "in part."'},
        "title and backbone are literals",
        "title, backbone_name and rebuilt have to be plain strings",
    ),
    "a word of a rebuilt method in two lines": (
        {TITLE: TITLE + '\n    rebuilt = "Known\\nin part."'},
        "title and backbone are literals",
        "`rebuilt` is not one line",
    ),
    "an empty title": ({TITLE: 'title = ""'}, "title and backbone are literals", "empty"),
    "options that may change": (
        {"@dataclass(frozen=True)\nclass Options": "@dataclass\nclass Options"},
        "the recipe is plain data",
        "no frozen dataclass",
    ),
    "options that are no data": (
        {"pull: float = 0.01": "pull: object = np.float32"},
        "the recipe is plain data",
        "not JSON serializable",
    ),
    "a steady rate of no group": (
        {"clip=10.0,": 'clip=10.0,\n            steady=("center",),'},
        "the recipe is plain data",
        r"keeps the rate of \['center'\] steady, which is no group",
    ),
    "no normalising": (
        {"augmentation=(Normalise(),)": "augmentation=()"},
        "augmented images have the input's size",
        "holds 0 times Normalise",
    ),
    "images of another size": (
        {"augmentation=(Normalise(),)": "augmentation=(Normalise(),), resize=(288, 144)"},
        "augmented images have the input's size",
        r"gives \(3, 3, 108, 36\) torch.float32: give float32 images of \(96, 32\)",
    ),
    "a group without a rule": (
        {CENTERS: '"center": [self.centers]'},
        "groups are those of the recipe",
        "has rules for network, centers, and the method the groups network, center",
    ),
    "a parameter in two groups": (
        {NETWORK: "network = list(self.parameters())"},
        "groups are those of the recipe",
        "lists a parameter twice",
    ),
    "a parameter of nobody": (
        {CENTERS: '"centers": [nn.Parameter(torch.zeros(2))]'},
        "groups are those of the recipe",
        "not the network's",
    ),
    "groups that begin decides on": (
        {NETWORK: "network = [p for p in self.backbone.parameters() if p.requires_grad]"},
        "groups are those of the recipe",
        "depends on begin",
    ),
    "a start that starts nothing": (
        more("def start(self, weights):\n    pass"),
        "a backbone's weights arrive",
        "takes over no weight",
    ),
    "a start that alters weights": (
        more(
            "def start(self, weights):\n    super().start({k: v * 2 for k, v in weights.items()})"
        ),
        "a backbone's weights arrive",
        "to what no weight of the backbone is",
    ),
    "no batch": (
        {DRAWN: "drawn = []"},
        "batches are rows",
        "returns none",
    ),
    "batches from numpy's own generator": (
        {DRAWN: DRAWN.replace("rng.choice", "np.random.choice")},
        "batches are rows",
        r"batches\(\) draws from a global generator",
    ),
    "batches that remember": (
        {
            DRAWN: "self.rng = getattr(self, 'rng', rng)\n        "
            + DRAWN.replace("rng.", "self.rng.")
        },
        "batches are rows",
        "others for the same generator",
    ),
    "batches that are always the same": (
        {DRAWN: "drawn = [np.flatnonzero(people == each)[:4] for each in order]"},
        "batches are rows",
        "the same for another generator",
    ),
    "rows that there are not": (
        {DRAWN: DRAWN + "\n        drawn[0] = drawn[0] + 1000"},
        "batches are rows",
        "rows that there are not",
    ),
    "rows that are no whole numbers": (
        {DRAWN: DRAWN + "\n        drawn = [each / 1.0 for each in drawn]"},
        "batches are rows",
        "int64 positions",
    ),
    "outputs in a list": (
        {
            'return {"features": features, "logits": self.classifier(self.dropout(features))}': (
                "return [features]"
            )
        },
        "losses have names and are finite",
        "no dict of tensors",
    ),
    "a loss that comes and goes": (
        {CROSS: f"**({{}} if moment.number % 2 else {{{CROSS}}}),"},
        "losses have names and are finite",
        "other names at another moment",
    ),
    "a loss for each image": (
        {CROSS: CROSS.replace("people)", "people, reduction='none')")},
        "losses have names and are finite",
        r"cross_entropy is \(8,\) torch.float32",
    ),
    "a loss in double precision": (
        {CROSS: CROSS.replace(", people)", ", people).double()")},
        "losses have names and are finite",
        r"cross_entropy is \(\) torch.float64",
    ),
    "a loss that is no number": (
        {CROSS: CROSS.replace(", people)", ", people) / 0.0")},
        "losses have names and are finite",
        "finite",
    ),
    "a loss with a taken name": (
        {'"cross_entropy":': '"loss":'},
        "losses have names and are finite",
        "history.csv has such a column",
    ),
    "a loss whose name is no column": (
        {'"cross_entropy":': '"cross, entropy":'},
        "losses have names and are finite",
        "space, comma or quote",
    ),
    "a loss from torch's own generator": (
        {"torch.rand((), generator=generator)": "torch.rand(())"},
        "losses have names and are finite",
        r"losses\(\) draws from a global generator",
    ),
    "a layer that is in no group": (
        {NETWORK: "network = [*self.backbone.parameters()]"},
        "everything in a group learns, and nothing else",
        "gets a gradient and is in no group",
    ),
    "a layer that nothing uses": (
        {
            BUFFER: f"{BUFFER}\n        self.idle = nn.Linear(2, 2)",
            NETWORK: NETWORK.replace("]", ", *self.idle.parameters()]"),
        },
        "everything in a group learns, and nothing else",
        r"idle.bias'\] is in a group and gets no gradient",
    ),
    "losses without a gradient": (
        {
            CROSS: CROSS.replace(", people)", ", people).detach()"),
            "* away /": "* away.detach() /",
        },
        "everything in a group learns, and nothing else",
        "no loss has a gradient in epoch 0",
    ),
    "a phase that counts calls": (
        {MOVES: "self.calls = getattr(self, 'calls', 0) + 1\n        moves = self.calls > 2"},
        "begin depends on the moment alone",
        "called with before",
    ),
    "a phase that begins within an epoch": (
        {MOVES: "moves = moment.epoch >= 4.5"},
        "begin depends on the moment alone",
        "within an epoch of the recipe",
    ),
    "a phase that forgets": (
        {MOVES: f"{MOVES}\n        self.moving.fill_(1.0)"},
        "begin depends on the moment alone",
        r"begin\(\) changes the network's state",
    ),
    "weights as torch drew them": (
        {
            "torch.zeros(identities, features)": "torch.randn(identities, features)",
            "nn.init.normal_(self.centers, generator=generator)": "pass",
        },
        "the generators decide every bit",
        "leaves some as torch drew them",
    ),
    "weights that no generator draws": (
        {
            "super().initialise(generator)": "super().initialise(torch.Generator())",
            "nn.init.normal_(self.centers, generator=generator)": "nn.init.ones_(self.centers)",
        },
        "the generators decide every bit",
        "the same weights for another generator",
    ),
    "a pass that draws from Python's generator": (
        {POOLED: f"import random\n        {POOLED} * random.random()"},
        "the generators decide every bit",
        "a training pass draws from a global generator",
    ),
    "what bfloat16 does not know": (
        {
            POOLED: f"{POOLED}\n        torch.zeros(1).index_add(0, torch.zeros(1).long(), "
            "self.classifier(features)[0, :1])"
        },
        "a training pass may be computed in bfloat16",
        r"index_add_\(\): self \(Float\) and source \(BFloat16\)",
    ),
    "test features that look at their neighbours": (
        {
            EMBEDDED: f"found = {EMBEDDED.removeprefix('return ')}\n        "
            "return found - 0.1 * found.mean(dim=0)"
        },
        "an embedding depends on its image alone",
        "depends on the batch around it",
    ),
    "test features without a length": (
        {EMBEDDED: f"{EMBEDDED}.mean(dim=1)"},
        "an embedding depends on its image alone",
        r"embed\(\) returns \(4,\)",
    ),
    "test features of half precision": (
        {EMBEDDED: f"{EMBEDDED}.half()"},
        "an embedding depends on its image alone",
        "return float32",
    ),
    "test features that are all alike": (
        {EMBEDDED: f"{EMBEDDED} * 0.0"},
        "an embedding depends on its image alone",
        "the same for different images",
    ),
    "testing that leaves traces": (
        {EMBEDDED: f"self.moving.add_(1.0)\n        {EMBEDDED}"},
        "an embedding depends on its image alone",
        "changes the network's state",
    ),
    "a map that is flat": (
        more("def feature_map(self, images):\n    return self.embed(images)"),
        "figures are given a map",
        r"feature_map\(\) returns",
    ),
    "a mask of shades": (
        more("def drop_mask(self, features, generator):\n    return features[:, :1] * 0 + 0.5"),
        "figures are given a map",
        "zeros and ones",
    ),
    "one name for two entries": (
        {
            '{"backbone": "base", "centers": "loss.centers"}': (
                '{"backbone": "base", "centers": "classifier.bias"}'
            )
        },
        "released names are one to one",
        r"classifier.bias'\] twice",
    ),
    "a classifier that is none": (
        {'classifier="classifier.weight"': 'classifier="base.0.weight"'},
        "released names are one to one",
        "not a row for each of the training people",
    ),
    "a moving average that no checkpoint holds": (
        {BUFFER: "self.moving = torch.zeros(())", 'absent=("moving",),': ""},
        "an interrupted training goes on bit for bit",
        "ends otherwise after interruptions",
    ),
    "an order that the last pass left behind": (
        {
            DRAWN: "order = np.roll(order, getattr(self, 'passes', 0))\n        "
            "self.passes = moment.number + 1\n        " + DRAWN
        },
        "an interrupted training goes on bit for bit",
        "ends otherwise after interruptions",
    ),
}


def written(folder: Path, changes: dict[str, str]) -> Path:
    """The sound method with some lines replaced."""
    text = SOUND
    for old, new in changes.items():
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    file = folder / "broken.py"
    file.write_text(text)
    return file


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_found_and_told(case, tmp_path):
    changes, what, said = BROKEN[case]
    file = written(tmp_path, changes)
    with (
        pytest.raises((UserError, RuntimeError, TypeError), match=said),
        torch.random.fork_rng([]),
    ):
        for subject in sides(find("broken", [tmp_path]), "broken", file):
            CHECKS[what](subject)


def test_every_check_has_something_to_find():
    assert {what for _, what, _ in BROKEN.values()} == set(CHECKS)


def test_an_error_names_file_side_and_check_in_one_sentence(tmp_path):
    file = written(tmp_path, {TITLE: 'title = "One " + "stream"'})
    (first, _) = sides(find("broken", [tmp_path]), "broken", file)
    with pytest.raises(BrokenContractError) as told:
        list(check(first))
    assert str(told.value).startswith(f"{file}, described: title and backbone are literals: title")
    assert "\n" not in str(told.value)


def test_whatever_a_file_raises_is_told_with_its_kind(tmp_path):
    raising = {POOLED: "raise KeyError('a\\nb')"}
    file = written(tmp_path, raising)
    (first, _) = sides(find("broken", [tmp_path]), "broken", file)
    with pytest.raises(BrokenContractError, match="it raised KeyError .*: mend it") as told:
        list(check(first))
    assert "\n" not in str(told.value)


def test_the_command_tells_what_is_kept_and_ends_with_2_where_something_is_not(
    tmp_path, monkeypatch, capsys
):
    file = tmp_path / "one_stream.py"
    file.write_text(SOUND)
    assert tiny.topdb(monkeypatch, "check-method", file) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "one-stream keeps the contract."
    assert told[:-1] == [
        f"one-stream, {side}: {what}" for side in ("described", "wide") for what in CHECKS
    ]
    broken = written(tmp_path, {BUFFER: "self.moving = torch.zeros(())", 'absent=("moving",),': ""})
    assert tiny.topdb(monkeypatch, "check-method", broken) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "an interrupted training goes on bit for bit: " in said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nothing.py", None, "nothing.py does not exist: name the file of a method"),
        ("empty.py", "", "defines 0 methods: define one class that inherits Method"),
        ("two.py", f"{SOUND}\n\nclass Other(OneStream):\n    pass\n", "defines 2 methods"),
        ("broken.py", "import nothing_like_it\n", "cannot be imported (ModuleNotFoundError"),
        ("wrong.py", "class Half(:\n", "cannot be imported (SyntaxError"),
        ("untitled.py", SOUND.replace(f"    {TITLE}\n", ""), "OneStream has no title"),
        ("unread.py", SOUND.replace("def embed", "def embedded"), "OneStream lacks embed: define"),
        ("baseline.py", SOUND, "topdb has a method 'baseline' of its own: rename the file"),
    ],
)
def test_a_file_that_is_no_method_is_told(name, text, said, tmp_path, monkeypatch, capsys):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert tiny.topdb(monkeypatch, "check-method", tmp_path / name) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
