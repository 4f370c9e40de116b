from pathlib import Path

import pytest
import tiny
import yaml
from pydantic import ValidationError

from topdb.config import (
    FULL,
    ImagenetSettings,
    RankingSettings,
    checked,
    declared,
    dropped_in,
    load,
    load_bundled,
    method_files,
)
from topdb.config.methods import Declared
from topdb.errors import UserError
from topdb.methods import find
from topdb.methods.contract.resolving import plain, resolved

FOUR = ["baseline", "no-drop", "no-reg", "top-db-net"]
COMPETITORS = ["bot", "osnet", "mgn", "pyramid", "pyrnet", "abd-net", "mhn"]
REBUILT = ["auto-reid-style", "densem-style", "sona-style"]
SHIPPED = yaml.safe_load((tiny.ROOT / "params.yaml").read_text())
CASES = {
    "a misspelt key at the top": ({"statistic": {}}, ["unknown key", "did you mean 'statistics'"]),
    "more images of a list than are kept": (
        {"examples": {"shown": 11}},
        ["'examples.shown' is 11", "less than or equal to 10"],
    ),
    "a method of the examples that there is not": (
        {"examples": {"method": "top-db"}},
        ["examples.method", "'top-db' is not one of", "did you mean 'top-db-net'"],
    ),
    "a misspelt key of a profile": (
        {"profiles.tiny.seed": [1]},
        ["tiny.seed'", "did you mean 'seeds'"],
    ),
    "a misspelt key of the scale": (
        {"scale.epoch": 2},
        ["unknown key 'profiles.tiny.scale.epoch'", "did you mean 'epochs'"],
    ),
    "a misspelt key of the hardware": (
        {"hardware": {"thread": 2}},
        ["unknown key 'profiles.tiny.hardware.thread'", "did you mean 'threads'"],
    ),
    "a misspelt key of the changes": (
        {"changes.baseline.all.option": {}},
        ["unknown key 'profiles.tiny.changes.baseline.all.option'", "did you mean 'options'"],
    ),
    "a misspelt key of a schedule": (
        {"changes.baseline.all.schedule": {"kind": "cosine", "warmups": 1.0}},
        ["changes.baseline.all.schedule.warmups'", "did you mean 'warmup'"],
    ),
    "a part of an optimiser that is the method's": (
        {"changes.baseline.all.rules": {"network": {"betas": [0.9, 1.0]}}},
        ["unknown key 'profiles.tiny.changes.baseline.all.rules.network.betas'"],
    ),
    "a misspelt key of a data set": (
        {"datasets.market1501.rot": "x"},
        ["datasets.market1501.rot'", "did you mean 'root'"],
    ),
    "a key like no other": ({"scale.zzz": 1}, ["unknown key 'profiles.tiny.scale.zzz'."]),
    "a seed listed twice": ({"seeds": [3, 1, 3]}, ["seeds lists 3 twice"]),
    "a method listed twice": ({"methods": ["no-reg", "no-reg"]}, ["methods lists no-reg twice"]),
    "no seed": ({"seeds": []}, ["seeds"]),
    "no data set": ({"datasets": {}}, ["datasets"]),
    "a negative seed": ({"seeds": [-1]}, ["seeds", "-1"]),
    "an unknown method": (
        {"methods": ["top-dbnet"]},
        [
            "'top-dbnet' is not one of abd-net, auto-reid-style, baseline, bot",
            "did you mean 'top-db-net'",
        ],
    ),
    "an unknown layout": ({"datasets.market1501.layout": "market1502"}, ["mean 'market1501'"]),
    "an unknown backbone": (
        {"scale.backbones": {"resnet50": "smal"}},
        ["scale.backbones.resnet50", "did you mean 'small'"],
    ),
    "a stand-in for an unknown backbone": (
        {"scale.backbones": {"resnet5": "small"}},
        ["scale.backbones.resnet5", "did you mean 'resnet50'"],
    ),
    "a start of an unknown backbone": (
        {"start": {"kind": "imagenet", "weights": {"densenet20": "x"}}},
        ["start.weights.densenet20", "did you mean 'densenet201'"],
    ),
    "a side for a method that there is not": (
        {"recipes": {"baselin": "described"}},
        ["recipes.baselin", "did you mean 'baseline'"],
    ),
    "a side that a method has not": (
        {"recipes": {"bot": "releesed"}},
        ["recipes.bot names the side 'releesed' (did you mean 'released'?)", "described"],
    ),
    "a variant that a method has not": (
        {"recipes": {"mgn": "seathefwang"}},
        ["recipes.mgn names the side 'seathefwang' (did you mean 'seathiefwang'?)"],
    ),
    "an augmentation that there is not": (
        {"scale.without": ["eraze"]},
        ["scale.without names the augmentation 'eraze' (did you mean 'erase'?)", "jitter"],
    ),
    "weights on a data set that no profile has": (
        {"weights": {"market1510": {"bot": "x"}}},
        ["profiles.tiny.weights names the data set 'market1510' (did you mean 'market1501'?)"],
    ),
    "weights of a method that there is not": (
        {"weights": {"market1501": {"bott": "x"}}},
        ["weights.market1501.bott", "did you mean 'bot'"],
    ),
    "snapshots of a misspelt data set": (
        {"snapshots": {"dataset": "market150"}},
        ["snapshots.dataset names market150", "(did you mean 'market1501'?)"],
    ),
    "snapshots of a method that is not run": (
        {"snapshots": {"methods": ["bot"]}},
        ["snapshots.methods names bot, which the profile does not run; name one of baseline"],
    ),
    "a reference method that no profile runs": (
        {"statistics.reference_method": "no-drop"},
        ["statistics.reference_method names the method 'no-drop'; name one of baseline, top-db"],
    ),
    "a misspelt reference method of a profile": (
        {"reference_method": "baselin"},
        ["reference_method", "did you mean 'baseline'"],
    ),
    "a method of the examples that no profile runs": (
        {"examples": {"method": "mgn"}},
        ["examples.method names the method 'mgn'; name one of baseline, top-db-net"],
    ),
    "a profile that the check has not": (
        {"check.profile": "tinny"},
        ["check.profile is 'tinny'", "did you mean 'tiny'"],
    ),
    "a metric that there is not": ({"metrics": ["mAPP"]}, ["metrics.0", "did you mean 'mAP'"]),
    "a misspelt ranking": ({"rankings": ["plan"]}, ["rankings.0", "did you mean 'plain'"]),
    "changes of a method that there is not": (
        {"changes": {"mgm": {}}},
        ["changes.mgm", "did you mean 'mgn'"],
    ),
    "changes on a data set that there is not": (
        {"changes": {"baseline": {"market": {}}}},
        ["changes.baseline names the data set 'market' (did you mean 'market1501'?)", "1501, all"],
    ),
    "an unknown recipe": ({"recipe": "new"}, ["recipe", "'new'"]),
    "a misspelt recipe": ({"recipe": "relased"}, ["recipe", "did you mean 'released'"]),
    "an unknown profile": ({"profile": "tinny"}, ["'tinny'", "did you mean 'tiny'"]),
    "an unknown kind of schedule": (
        {"changes.baseline.all.schedule": {"kind": "linear"}},
        ["schedule", "linear"],
    ),
    "an unknown tracking mode": ({"tracking.mode": "sometimes"}, ["tracking.mode", "sometimes"]),
    "an unknown reference method": ({"statistics.reference_method": "x"}, ["reference_method"]),
    "words for a number": ({"scale.epochs": "many"}, ["scale.epochs", "'many'"]),
    "half an epoch": ({"scale.epochs": 2.5}, ["scale.epochs", "2.5"]),
    "half an epoch of a recipe": (
        {"changes.baseline.all.epochs": 2.5},
        ["changes.baseline.all.epochs", "2.5"],
    ),
    "a list for a mapping": ({"scale": [1, 2]}, ["tiny.scale"]),
    "a factor of rates that is no number": ({"scale.rate": float("nan")}, ["scale.rate"]),
    "a learning rate that is no number": (
        {"changes.baseline.all.rules": {"network": {"rate": float("nan")}}},
        ["changes.baseline.all.rules.network.rate"],
    ),
    "a learning rate of nothing": (
        {"changes.baseline.all.rules": {"network": {"rate": 0.0}}},
        ["rules.network.rate", "0.0", "greater than 0"],
    ),
    "a share above one": ({"ranking": {"original_weight": 1.5}}, ["original_weight", "1.5"]),
    "a width above one": ({"scale.width": 1.5}, ["scale.width", "1.5"]),
    "a width of nothing": ({"scale.width": 0.0}, ["scale.width", "0.0"]),
    "images too small to see anything": ({"scale.size": [48, 4]}, ["scale.size.1", "4"]),
    "a size of one number": ({"scale.size": [48]}, ["scale.size"]),
    "a batch of one person": ({"scale.people": 1}, ["scale.people"]),
    "a recipe's batch of one person": (
        {"changes.baseline.all.people": 1},
        ["changes.baseline.all.people"],
    ),
    "jobs of no run": ({"hardware": {"runs_per_job": 0}}, ["hardware.runs_per_job"]),
    "stairs that fall": (
        {
            "changes.baseline.all.schedule": {
                "kind": "stairs",
                "warmup": 5,
                "stair": 5,
                "milestones": [20, 10],
            }
        },
        ["milestones have to rise"],
    ),
    "a warm-up as long as the training": (
        {"changes.baseline.all.schedule.warmup": 2.0},
        ["schedule.warmup is 2", "nothing of 2 epochs"],
    ),
    "milestones within the warm-up": (
        {"changes.baseline.all.schedule": {"kind": "milestones", "at": [3.0, 9], "warmup": 5}},
        ["milestones have to rise, and to come after the warm-up"],
    ),
    "a milestone that raises the rate": (
        {"changes.baseline.all.schedule": {"kind": "milestones", "at": [3], "factor": 2.0}},
        ["schedule.factor", "2.0"],
    ),
    "snapshots of a run that is not run": (
        {"snapshots": {"seed": 9}},
        ["snapshots.seed names 9, which the profile does not run; name one of 1, 2"],
    ),
    "snapshots of an unknown data set": (
        {"snapshots": {"dataset": "x"}},
        ["names x", "market1501"],
    ),
    "snapshots after the last epoch": (
        {"snapshots": {"epochs": [1, 3]}},
        ["snapshots.epochs names 3, and the training has 2 epochs"],
    ),
    "snapshots in no order": ({"snapshots": {"epochs": [2, 1]}}, ["epochs have to rise"]),
    "a snapshot's query listed twice": (
        {"snapshots": {"query_paths": ["a", "a"]}},
        ["query_paths names an image twice"],
    ),
    "a path as a data set's name": (
        {"datasets": {"../up": {"layout": "market1501", "root": "x"}}},
        ["'../up' may hold only letters"],
    ),
    "a hidden data set": (
        {"datasets": {".x": {"layout": "market1501", "root": "x"}}},
        ["may not start with '.'"],
    ),
    "two data sets that draw into one folder": (
        {
            "datasets": {
                name: {"layout": "market1501", "root": "same", "render": tiny.RENDER}
                for name in ("a", "b")
            }
        },
        ["draw into the folder same"],
    ),
    "a reference that is not run": (
        {"reference_method": "no-drop"},
        ["reference_method is no-drop, which the profile does not run; name one of baseline, top"],
    ),
    "fewer drawn people than a batch": (
        {"datasets.market1501.render": {**tiny.RENDER, "train_people": 2}},
        ["datasets.market1501.render.train_people is 2, fewer than the 3 people of a batch"],
    ),
    "distractors for a drawn data set": (
        {"datasets.market1501.render": tiny.RENDER, "datasets.market1501.distractors": "x"},
        ["datasets.market1501: distractors belongs to real data sets"],
    ),
    "a split of a drawn data set": (
        {"datasets.market1501.render": tiny.RENDER, "datasets.market1501.split": 2},
        ["datasets.market1501: split belongs to real data sets"],
    ),
    "a split counted from 0": ({"datasets.market1501.split": 0}, ["market1501.split", "0"]),
    "too few drawn images": (
        {"datasets.market1501.render": {**tiny.RENDER, "train_images": 7}},
        ["train_images is 7"],
    ),
    "more queries than people and cameras": (
        {"datasets.market1501.render": {**tiny.RENDER, "query_images": 9}},
        ["query_images is 9", "4 (one a person) to 8"],
    ),
    "too small a drawn gallery": (
        {"datasets.market1501.render": {**tiny.RENDER, "gallery_images": 7}},
        ["gallery_images is 7"],
    ),
}
FILES = {
    "an empty file": ("", ["holds no keys"]),
    "a list": ("[1, 2]", ["holds no keys"]),
    "a key given twice": ("profile: a\nprofile: b\n", ["key 'profile' is given twice in line 2"]),
    "a deep key given twice": (
        "a:\n  b: {c: 1,\n    c: 2}\n",
        ["key 'c' is given twice in line 3"],
    ),
    "an unsafe tag": ("profile: !!python/object/apply:os.getpid []\n", ["tag", "line 1"]),
    "a broken line": ("profile: [mini\n", ["not valid YAML"]),
    "bytes that are no text": (b"\xff\xfe\x00", ["cannot be read"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_value_is_one_sentence_that_names_its_key(case, tmp_path):
    changes, said = CASES[case]
    path = tiny.write_params(tmp_path, changes)
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for words in said:
        assert words in message


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_one_sentence_that_names_it(case, tmp_path):
    text, said = FILES[case]
    path = tmp_path / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for words in said:
        assert words in message


def test_an_unsafe_tag_runs_nothing(tmp_path):
    made = tmp_path / "made"
    path = tmp_path / "params.yaml"
    path.write_text(f"profile: !!python/object/apply:os.mkdir ['{made}']\n")
    with pytest.raises(UserError, match="os.mkdir"):
        load(path)
    assert not made.exists()


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml does not exist.*--params"):
        load(tmp_path / "params.yaml")


def test_several_mistakes_are_counted(tmp_path):
    path = tiny.write_params(tmp_path, {"scale.epochs": 0, "hardware": {"threads": 0}})
    with pytest.raises(UserError, match=r"scale.epochs.*\(1 more like it"):
        load(path)


def test_a_number_of_seeds_is_answered_with_the_list(tmp_path):
    with pytest.raises(UserError, match=r"5 is no list of seeds; write \[1, 2, 3, 4, 5\]"):
        load(tiny.write_params(tmp_path, {"profiles.tiny.seeds": 5}))


def test_a_misspelt_key_is_told_before_the_one_that_it_leaves_missing(tmp_path):
    content = tiny.content()
    profile = content["profiles"]["tiny"]
    profile["seed"] = profile.pop("seeds")
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"unknown key 'profiles.tiny.seed' \(did you mean"):
        load(path)


ROOT_KEY = "profiles.tiny.datasets.market1501.root"


@pytest.mark.parametrize("written", ["~/reid", "$HOME/reid", "${HOME}/reid"])
def test_a_home_in_a_path_is_replaced(written, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    read = load(tiny.write_params(tmp_path, {ROOT_KEY: written}))
    assert read.selected("tiny").datasets["market1501"].root == Path("/home/ada/reid")


@pytest.mark.parametrize("written", ["~nobody-here/x", "$NOT_SET_HERE/x"])
def test_a_home_that_is_not_known_is_refused_but_not_in_somebodys_bundle(written, tmp_path):
    path = tiny.write_params(tmp_path, {ROOT_KEY: written})
    with pytest.raises(UserError, match=r"begins with .* not known here"):
        load(path)
    assert load_bundled(path, ()).selected("tiny").datasets["market1501"].root == Path(written)


@pytest.mark.parametrize("key", ["recipe", "methods", "seeds", "datasets", "start"])
def test_a_missing_key_is_named(key, tmp_path):
    content = tiny.content()
    del content["profiles"]["tiny"][key]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=rf"'profiles.tiny.{key}' is missing"):
        load(path)


def test_the_blocks_of_before_are_told_as_unknown(tmp_path):
    for key in ("network", "training"):
        content = tiny.content()
        content["profiles"]["tiny"][key] = {"epochs": 2}
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content))
        with pytest.raises(UserError, match=f"unknown key 'profiles.tiny.{key}'"):
            load(path)


def test_a_pretraining_shorter_than_the_warm_up_is_refused(tmp_path):
    start = {
        "kind": "pretraining",
        "dataset": {"layout": "market1501", "root": "more", "render": tiny.RENDER},
        "epochs": 1,
        "seed": 0,
        "people": 3,
    }
    with pytest.raises(UserError, match=r"'profiles.tiny.start.epochs' is 1: .*or equal to 2"):
        tiny.params(tmp_path, {"start": start})


def test_fewer_drawn_people_than_a_batch_of_the_pretraining_are_refused(tmp_path):
    start = {
        "kind": "pretraining",
        "dataset": {"layout": "market1501", "root": "more", "render": tiny.RENDER},
        "epochs": 2,
        "seed": 0,
        "people": 5,
    }
    said = r"start\.dataset\.render\.train_people is 4, fewer than the 5 people of a batch"
    with pytest.raises(UserError, match=said):
        tiny.params(tmp_path, {"start": start})


def test_no_data_set_may_take_the_pretrainings_name(tmp_path):
    dataset = {"layout": "market1501", "root": "more", "render": tiny.RENDER}
    start = {"kind": "pretraining", "dataset": dataset, "epochs": 2, "seed": 0, "people": 3}
    datasets = {"pretraining": {"layout": "market1501", "root": "other"}}
    with pytest.raises(UserError, match="'pretraining': it is taken"):
        tiny.params(tmp_path, {"start": start, "datasets": datasets})


def test_parameters_cannot_be_changed(tmp_path):
    params = tiny.params(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        params.profile = "other"
    with pytest.raises(ValidationError, match="frozen"):
        params.selected().scale.epochs = 9
    with pytest.raises(ValidationError, match="frozen"):
        params.selected().hardware.threads = 9


@pytest.mark.parametrize("profile", sorted(set(SHIPPED["profiles"]) - {"authors", "cross"}))
def test_every_shipped_profile_is_valid_and_runs_the_papers_grid(profile):
    selected = load(tiny.ROOT / "params.yaml").selected(profile)
    assert set(selected.methods) == {*FOUR, *COMPETITORS, *REBUILT}
    assert list(selected.datasets) == [
        "market1501",
        "dukemtmc-reid",
        "cuhk03-labeled",
        "cuhk03-detected",
    ]
    assert selected.rendered == (profile != "paper")


def test_the_shipped_profile_of_the_authors_weights_is_the_papers_without_training():
    params = load(tiny.ROOT / "params.yaml")
    authors, paper = params.selected("authors"), params.selected("paper")
    assert authors.seeds == (0,)
    assert authors.methods == ("top-db-net", *COMPETITORS)
    assert params.statistics_of("authors").reference_method == "top-db-net"
    assert params.statistics_of("paper") == params.statistics
    authors.require_weights()
    assert list(authors.weights) == list(authors.datasets) == list(paper.datasets)
    assert authors.hardware.device == "cpu"  # it works without a GPU
    changed = {"methods": paper.methods, "seeds": paper.seeds, "weights": {}}
    changed["reference_method"] = None
    changed["hardware"] = authors.hardware.model_copy(update={"device": "cuda"})
    assert authors.model_copy(update=changed) == paper


def test_the_shipped_paper_profile_is_the_papers():
    """Every number of it, defaults written out: a changed default shows here too."""
    paper = load(tiny.ROOT / "params.yaml").selected("paper")
    assert paper.recipe == "released"
    assert len(paper.seeds) >= 5
    assert paper.scale == FULL
    assert FULL.model_dump() == {
        "size": None,
        "epochs": None,
        "people": None,
        "rate": 1.0,
        "width": 1.0,
        "backbones": {},
        "without": (),
    }
    assert paper.changes == {}
    assert paper.recipes == {"auto-reid-style": "scratch"}
    assert paper.start == ImagenetSettings(
        kind="imagenet",
        weights={
            "resnet50": "data/weights/resnet50-19c8e357.pth",
            "resnet101": "data/weights/resnet101-63fe2227.pth",
            "densenet201": "data/weights/densenet201-c1103571.pth",
            "osnet": "data/weights/osnet_x1_0_imagenet.pth",
        },
    )
    fidelity = {
        "channels_last": False,
        "autocast": "off",
        "fused": False,
        "tf32": False,
        "compile": False,
    }
    hardware = paper.hardware.model_dump()
    assert {key: hardware[key] for key in fidelity} == fidelity
    assert paper.ranking.model_dump() == {
        "metric": "euclidean",
        "ap_rule": "step",
        "variant": "torchreid",
        "k1": 20,
        "k2": 6,
        "original_weight": 0.3,
        "single_gallery_shot": 0,
    }


@pytest.mark.parametrize("method", FOUR)
def test_each_of_the_papers_four_methods_has_its_recipe(method):
    """Every number of it, defaults written out."""
    paper = load(tiny.ROOT / "params.yaml").selected("paper")
    changes = paper.changes_of(method, "market1501")
    recipe = plain(resolved(find(method), method, paper.side(method), paper.scale, changes))
    options = recipe.pop("options")
    assert recipe == {
        "size": [384, 128],
        "resize": None,
        "interpolation": "bilinear",
        "epochs": 400,
        "passes": None,
        "people": 16,
        "images": 4,
        "schedule": {"kind": "Stairs", "warmup": 45, "stair": 5, "milestones": [200, 300]},
        "rules": {
            "network": {
                "kind": "Adam",
                "rate": 5e-4,
                "betas": [0.9, 0.999],
                "weight_decay": 5e-4,
                "amsgrad": False,
            }
        },
        "steady": [],
        "fresh": [],
        "clip": None,
        "augmentation": [
            {"kind": "Flip", "p": 0.5},
            {"kind": "EnlargeAndCrop", "p": 0.5},
            {"kind": "Normalise"},
            {
                "kind": "Erase",
                "p": 0.5,
                "area": [0.02, 0.4],
                "aspect": [0.3, 3.33],
                "fill": [0.4914, 0.4822, 0.4465],
            },
        ],
        "note": "",
    }
    shared = {
        "margin": 0.3,
        "label_smoothing": 0.1,
        "drop_ratio": 0.33,
        "activation_power": 2.0,
    }
    assert {key: options[key] for key in shared} == shared


def test_one_path_of_imagenet_weights_is_resnet50s():
    start = ImagenetSettings(kind="imagenet", weights="a.pth")
    assert start.weights == {"resnet50": Path("a.pth")}
    assert start.places("resnet50")[0] == Path("a.pth")
    assert Path("a.pth") not in start.places("resnet101")


def test_more_general_changes_come_first(tmp_path):
    changes = {"baseline": {"market1501": {"epochs": 3}, "all": {"epochs": 2, "people": 4}}}
    profile = tiny.params(tmp_path, {"changes": changes}).selected()
    assert [each.epochs for each in profile.changes_of("baseline", "market1501")] == [2, 3]
    assert [each.people for each in profile.changes_of("baseline", "elsewhere")] == [4]
    assert profile.changes_of("no-reg", "market1501") == []


def test_a_methods_side_is_its_own_or_the_profiles(tmp_path):
    profile = tiny.params(tmp_path, {"recipes": {"baseline": "described"}}).selected()
    assert (profile.side("baseline"), profile.side("top-db-net")) == ("described", "released")


def with_folders(folder: Path, methods: list[str], *names: str) -> Path:
    path = tiny.write_params(folder, {"methods": methods, "snapshots": {"methods": []}})
    content = yaml.safe_load(path.read_text()) | {"method_folders": list(names)}
    path.write_text(yaml.safe_dump(content))
    return path


def test_methods_of_ones_own_are_known_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/my_method.py").write_text('class M:\n    title = "Mine"\n')
    (tmp_path / "own/_helper.py").write_text("")
    params = load(with_folders(tmp_path, ["baseline", "my-method"], "own"))
    assert params.selected().methods == ("baseline", "my-method")
    assert method_files(params.method_folders)["my-method"] == Path("own/my_method.py")
    with pytest.raises(UserError, match=r"'my-methd' is not one of .*did you mean 'my-method'"):
        load(with_folders(tmp_path, ["my-methd"], "own"))
    with pytest.raises(UserError, match=r"'my-method' is not one of"):
        load(with_folders(tmp_path, ["my-method"]))
    with pytest.raises(UserError, match="'-helper' is not one of"):
        load(with_folders(tmp_path, ["-helper"], "own"))


def test_a_folder_of_methods_that_is_not_there_or_hides_a_name_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="method_folders names own, which is no folder"):
        load(with_folders(tmp_path, ["baseline"], "own"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/bot.py").write_text("")
    said = "there is another method called like own/bot.py; rename the file"
    with pytest.raises(UserError, match=said):
        load(with_folders(tmp_path, ["baseline"], "own"))
    # To name the package's own folder hides nothing.
    (tmp_path / "own").rename(tmp_path / "away")
    load(with_folders(tmp_path, ["baseline"], str(tiny.ROOT / "topdb/methods")))


def test_what_a_file_declares_is_read_without_running_it(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "raise SystemExit\n"
        "class Mine(Method):\n"
        "    title = 'Mine (2020)'\n"
        "    backbone_name: ClassVar[str] = 'densenet201'\n"
    )
    assert declared(file) == Declared("Mine (2020)", "densenet201")
    rebuilt = tmp_path / "rebuilt.py"
    rebuilt.write_text(
        "class Mine(Method):\n    rebuilt = (\n        'Known '\n        'in part.'\n    )\n"
    )
    assert declared(rebuilt) == Declared(None, "resnet50", "Known in part.")
    plain_file = tmp_path / "plain.py"
    plain_file.write_text("class Plain(Method):\n    title = computed()\n")
    assert declared(plain_file) == Declared(None, "resnet50")
    assert declared(tmp_path / "absent.py") == Declared(None, "resnet50")
    broken = tmp_path / "broken.py"
    broken.write_text("class (")
    assert declared(broken) == Declared(None, "resnet50")


def test_what_another_profile_has_may_be_named(tmp_path):
    """A profile that inherits another's weights, and a reference that only the other runs."""
    content = tiny.content({"statistics.reference_method": "bot"})
    other = {**content["profiles"]["tiny"], "methods": ["bot"], "changes": {}}
    other["datasets"] = {"cuhk03-labeled": {"layout": "cuhk03-labeled", "root": "x"}}
    content["profiles"]["other"] = other
    content["profiles"]["tiny"]["weights"] = {"cuhk03-labeled": {"bot": "x"}}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    found = load(path)
    assert found.methods() == ["baseline", "top-db-net", "bot"]
    assert found.datasets() == ["market1501", "cuhk03-labeled"]


def test_augmentations_and_sides_of_ones_own_methods_are_known(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mine.py").write_text(
        'class Fog:\n    name = "fog"\nclass A(Method):\n    recipes = {"described": 1, "wet": 2}\n'
    )
    changes = {"method_folders": ["own"], "recipes": {"mine": "wet"}, "scale.without": ["fog"]}
    monkeypatch.chdir(tmp_path)
    assert tiny.params(tmp_path, changes).selected().side("mine") == "wet"
    with pytest.raises(UserError, match=r"recipes.mine names the side 'wett' \(did you mean 'wet'"):
        tiny.params(tmp_path, changes | {"recipes": {"mine": "wett"}})


@pytest.mark.parametrize("method", list(method_files()))
def test_the_sides_that_a_file_declares_are_those_of_its_recipes(method):
    assert declared(method_files()[method]).sides == tuple(find(method).recipes)


def test_lookups_suggest_the_nearest_name(tmp_path):
    profile = tiny.params(tmp_path).selected()
    with pytest.raises(UserError, match="no data set 'market'.*one of market1501"):
        profile.dataset("market")
    with pytest.raises(UserError, match="no method 'basline'.*did you mean 'baseline'"):
        profile.require_method("basline")
    profile.require_method("baseline")


def test_a_profile_that_pretrains_requires_the_backbone(tmp_path):
    mini = load(tiny.ROOT / "params.yaml").selected("mini")
    with pytest.raises(UserError, match="--backbone"):
        mini.require_backbone(None)
    mini.require_backbone(tmp_path)
    tiny.params(tmp_path).selected().require_backbone(None)


def test_dropped_in_files_are_found_by_name():
    assert dropped_in("methods/backbones") == [
        "auto-reid",
        "densenet201",
        "osnet",
        "resnet101",
        "resnet50",
        "small",
    ]
    assert {*FOUR, *COMPETITORS} <= set(dropped_in("methods"))
    assert dropped_in("methods") == list(method_files())
    assert "cuhk03-labeled" in dropped_in("datasets/layouts")


def test_values_from_elsewhere_are_checked_alike():
    assert checked(RankingSettings, "evaluate", k1=3).k1 == 3
    with pytest.raises(UserError, match="^evaluate: 'k1' is 0"):
        checked(RankingSettings, "evaluate", k1=0)


def test_off_is_a_word_as_dvc_writes_it(tmp_path):
    path = tiny.write_params(tmp_path)
    path.write_text(path.read_text().replace("mode: after", "mode: off"))
    assert load(path).tracking.mode == "off"
