import pytest
import tiny
import yaml
from pydantic import ValidationError

from topdb.errors import UserError
from topdb.params import ImagenetSettings, RankingSettings, checked, dropped_in, load

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
    "a misspelt key of the training": (
        {"training.epoch": 2},
        ["unknown key 'profiles.tiny.training.epoch'", "did you mean 'epochs'"],
    ),
    "a misspelt key of a schedule": (
        {"training.schedule.warmup": 1.0},
        ["unknown key 'profiles.tiny.training.schedule.warmup'", "did you mean 'warmup_epochs'"],
    ),
    "a misspelt key of a data set": (
        {"datasets.market1501.rot": "x"},
        ["datasets.market1501.rot'", "did you mean 'root'"],
    ),
    "a key like no other": ({"network.zzz": 1}, ["unknown key 'profiles.tiny.network.zzz'."]),
    "a seed listed twice": ({"seeds": [3, 1, 3]}, ["seeds lists 3 twice"]),
    "a method listed twice": ({"methods": ["no-reg", "no-reg"]}, ["methods lists no-reg twice"]),
    "no seed": ({"seeds": []}, ["seeds"]),
    "no data set": ({"datasets": {}}, ["datasets"]),
    "a negative seed": ({"seeds": [-1]}, ["seeds", "-1"]),
    "an unknown method": (
        {"methods": ["top-dbnet"]},
        ["'top-dbnet' is not one of baseline", "did you mean 'top-db-net'"],
    ),
    "an unknown layout": ({"datasets.market1501.layout": "market1502"}, ["mean 'market1501'"]),
    "an unknown backbone": ({"network.backbone": "resnet"}, ["did you mean 'resnet50'"]),
    "an unknown recipe": ({"recipe": "new"}, ["recipe", "'new'"]),
    "an unknown profile": ({"profile": "tinny"}, ["'tinny'", "did you mean 'tiny'"]),
    "an unknown kind of schedule": ({"training.schedule.kind": "linear"}, ["schedule", "linear"]),
    "an unknown tracking mode": ({"tracking.mode": "sometimes"}, ["tracking.mode", "sometimes"]),
    "an unknown reference method": ({"statistics.reference_method": "x"}, ["reference_method"]),
    "words for a number": ({"training.epochs": "many"}, ["training.epochs", "'many'"]),
    "half an epoch": ({"training.epochs": 2.5}, ["training.epochs", "2.5"]),
    "a list for a mapping": ({"network": [1, 2]}, ["tiny.network"]),
    "a learning rate that is no number": ({"training.schedule.base": float("nan")}, ["base"]),
    "a probability above one": ({"training.augmentation": {"flip": 1.5}}, ["flip", "1.5"]),
    "a batch of one person": ({"training.people_per_batch": 1}, ["people_per_batch"]),
    "a drop ratio of everything": ({"network.drop_ratio": 1.0}, ["drop_ratio"]),
    "a forgetting of nothing": ({"training.betas": [0.9, 1.0]}, ["betas"]),
    "milestones that fall": (
        {
            "training.schedule": {
                "kind": "steps",
                "base": 0.001,
                "warmup_epochs": 5,
                "stair_epochs": 5,
                "milestones": [20, 10],
            }
        },
        ["milestones have to rise"],
    ),
    "a warm-up as long as the training": (
        {"training.schedule.warmup_epochs": 2.0},
        ["warmup_epochs is 2", "nothing of 2 epochs"],
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
    path = tiny.write_params(tmp_path, {"training.epochs": 0, "training.threads": 0})
    with pytest.raises(UserError, match=r"training.epochs.*\(1 more like it"):
        load(path)


def test_a_missing_key_is_named(tmp_path):
    content = tiny.content()
    del content["profiles"]["tiny"]["training"]["epochs"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"'profiles.tiny.training.epochs' is missing"):
        load(path)


def test_a_pretraining_shorter_than_the_warm_up_is_refused(tmp_path):
    start = {
        "kind": "pretraining",
        "dataset": {"layout": "market1501", "root": "more", "render": tiny.RENDER},
        "epochs": 1,
        "seed": 0,
    }
    with pytest.raises(UserError, match=r"warmup_epochs is 1.*the 1 of start.epochs"):
        tiny.params(tmp_path, {"start": start})


def test_no_data_set_may_take_the_pretrainings_name(tmp_path):
    dataset = {"layout": "market1501", "root": "more", "render": tiny.RENDER}
    start = {"kind": "pretraining", "dataset": dataset, "epochs": 2, "seed": 0}
    datasets = {"pretraining": {"layout": "market1501", "root": "other"}}
    with pytest.raises(UserError, match="'pretraining': it is taken"):
        tiny.params(tmp_path, {"start": start, "datasets": datasets})


def test_parameters_cannot_be_changed(tmp_path):
    params = tiny.params(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        params.profile = "other"
    with pytest.raises(ValidationError, match="frozen"):
        params.selected().training.epochs = 9


@pytest.mark.parametrize("profile", sorted(set(SHIPPED["profiles"]) - {"authors"}))
def test_every_shipped_profile_is_valid_and_runs_the_papers_grid(profile):
    selected = load(tiny.ROOT / "params.yaml").selected(profile)
    assert set(selected.methods) == {"baseline", "no-drop", "no-reg", "top-db-net"}
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
    assert authors.methods == ("top-db-net",)
    assert list(authors.weights) == list(authors.datasets) == list(paper.datasets)
    assert authors.training.device == "cpu"  # it works without a GPU
    changed = {"methods": paper.methods, "seeds": paper.seeds, "weights": {}}
    changed["training"] = authors.training.model_copy(update={"device": "cuda"})
    assert authors.model_copy(update=changed) == paper


def test_the_shipped_paper_profile_is_the_papers():
    """Every number of it, defaults written out: a changed default shows here too."""
    paper = load(tiny.ROOT / "params.yaml").selected("paper")
    assert paper.recipe == "released"
    assert len(paper.seeds) >= 5
    assert paper.network.model_dump() == {
        "backbone": "resnet50",
        "height": 384,
        "width": 128,
        "bottleneck_width": 512,
        "global_features": 512,
        "drop_features": 1024,
        "drop_ratio": 0.33,
        "activation_power": 2.0,
    }
    assert paper.start == ImagenetSettings(
        kind="imagenet", weights="data/weights/resnet50-19c8e357.pth"
    )
    fidelity = {
        "epochs": 400,
        "people_per_batch": 16,
        "images_per_person": 4,
        "schedule": {
            "kind": "steps",
            "base": 5e-4,
            "warmup_epochs": 45,
            "stair_epochs": 5,
            "milestones": (200, 300),
        },
        "betas": (0.9, 0.999),
        "weight_decay": 5e-4,
        "margin": 0.3,
        "label_smoothing": 0.1,
        "augmentation": {
            "flip": 0.5,
            "crop": 0.5,
            "erase": 0.5,
            "erase_area": (0.02, 0.4),
            "erase_aspect": (0.3, 3.33),
            "erase_fill": (0.4914, 0.4822, 0.4465),
        },
        "channels_last": False,
        "autocast": "off",
        "fused": False,
        "tf32": False,
        "compile": False,
    }
    training = paper.training.model_dump()
    assert {key: training[key] for key in fidelity} == fidelity
    assert paper.ranking.model_dump() == {
        "ap_rule": "step",
        "variant": "torchreid",
        "k1": 20,
        "k2": 6,
        "original_weight": 0.3,
        "single_gallery_shot": 0,
    }


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
    assert dropped_in("methods/backbones") == ["resnet50", "small"]
    assert {"baseline", "no-drop", "no-reg", "top-db-net"} <= set(dropped_in("methods"))
    assert "cuhk03-labeled" in dropped_in("datasets/layouts")


def test_values_from_elsewhere_are_checked_alike():
    assert checked(RankingSettings, "evaluate", k1=3).k1 == 3
    with pytest.raises(UserError, match="^evaluate: 'k1' is 0"):
        checked(RankingSettings, "evaluate", k1=0)


def test_off_is_a_word_as_dvc_writes_it(tmp_path):
    path = tiny.write_params(tmp_path)
    path.write_text(path.read_text().replace("mode: after", "mode: off"))
    assert load(path).tracking.mode == "off"
