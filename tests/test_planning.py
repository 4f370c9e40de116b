import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tiny
import yaml

from topdb.config import ImagenetSettings, load
from topdb.drawn.rendering import render
from topdb.errors import UserError
from topdb.planning import plan

PRETRAINING = {
    "kind": "pretraining",
    "dataset": {"layout": "market1501", "root": "data/more", "render": tiny.RENDER},
    "epochs": 2,
    "seed": 0,
    "people": 3,
    "images": 2,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "papers").symlink_to(tiny.PAPERS)
    return tmp_path


def test_the_folder_of_a_real_data_set_must_be_there(here):
    params = tiny.params(here)
    with pytest.raises(UserError, match="market1501.*data/market1501 does not exist.*root"):
        plan(params, None)
    (here / "data/market1501").mkdir(parents=True)
    assert plan(params, None)["datasets"] == ["market1501"]


def test_a_file_in_place_of_the_folder_is_no_data_set(here):
    (here / "data").mkdir()
    (here / "data/market1501").write_text("an archive?")
    with pytest.raises(UserError, match="data/market1501 is a file; unpack it"):
        plan(tiny.params(here), None)


def test_a_drawn_data_set_need_not_be_there_yet(here):
    planned = plan(tiny.params(here, {"datasets.market1501.render": tiny.RENDER}), None)
    assert planned["render"]["market1501"]["render"]["train_people"] == 4


@pytest.fixture
def cache(here, monkeypatch):
    """torchvision's cache, where it keeps what it fetched; empty."""
    monkeypatch.setenv("TORCH_HOME", str(here / "torch"))
    (here / "data/market1501").mkdir(parents=True)
    return here / "torch/hub/checkpoints"


def test_imagenet_weights_must_be_there(here, cache):
    start = {"kind": "imagenet", "weights": "data/resnet50.pth"}
    params = tiny.params(here, {"start": start, "scale.backbones": {}})
    said = (
        r"weights of resnet50 are not here, and nothing is downloaded: looked for "
        rf"data/resnet50.pth, {cache}/resnet50-19c8e357.pth, {cache}/resnet50-0676ba61.pth; put "
        r"torchvision's file resnet50-0676ba61.pth in one of .* as start\.weights\.resnet50"
    )
    with pytest.raises(UserError, match=said):
        plan(params, None)
    (here / "data/resnet50.pth").write_bytes(b"PK")
    assert plan(params, None)["pretrain"] is False


def test_every_backbone_that_is_built_needs_its_weights_and_no_other_does(here, cache):
    (here / "data/resnet50.pth").write_bytes(b"PK")
    start = {"kind": "imagenet", "weights": {"resnet50": "data/resnet50.pth"}}
    changes = {"start": start, "scale.backbones": {}}
    with pytest.raises(UserError, match=r"resnet101 are not here.*start\.weights\.resnet101"):
        plan(tiny.params(here, changes | {"methods": ["baseline", "pyramid"]}), None)
    with pytest.raises(UserError, match=r"osnet are not here.*torchreid's.*osnet_x1_0_imagenet"):
        plan(tiny.params(here, changes | {"methods": ["osnet"]}), None)
    stood_in = changes | {"methods": ["bot", "pyramid"], "reference_method": "bot"}
    stood_in["scale.backbones"] = {"resnet101": "resnet50"}
    planned = plan(tiny.params(here, stood_in), None)
    assert planned["backbones"] == {"bot": "resnet50", "pyramid": "resnet50"}
    with pytest.raises(UserError, match=r"looked for none; name a file as start\.weights\.small"):
        plan(tiny.params(here, stood_in | {"scale.backbones": {"resnet101": "small"}}), None)


def test_a_backbone_that_nobody_published_weights_of_is_asked_for_none(here, cache):
    changes = {"methods": ["auto-reid-style"], "scale.backbones": {}}
    params = tiny.params(here, changes | {"start": {"kind": "imagenet"}})
    assert params.selected().start.found("auto-reid") is None
    assert plan(params, None)["backbones"] == {"auto-reid-style": "auto-reid"}
    # One who has some may name them, and then they have to be there.
    start = {"kind": "imagenet", "weights": {"auto-reid": "own.pth"}}
    named = tiny.params(here, changes | {"start": start})
    with pytest.raises(UserError, match=r"auto-reid are not here.*own\.pth"):
        plan(named, None)
    (here / "own.pth").write_bytes(b"PK")
    assert named.selected().start.found("auto-reid") == Path("own.pth")
    plan(named, None)


@pytest.mark.parametrize("name", ["resnet50-19c8e357.pth", "resnet50-0676ba61.pth"])
def test_imagenet_weights_may_lie_in_torchvisions_cache(here, cache, name):
    params = tiny.params(here, {"start": {"kind": "imagenet"}, "scale.backbones": {}})
    cache.mkdir(parents=True)
    (cache / name).write_bytes(b"PK")
    assert params.selected().start.found("resnet50") == cache / name
    plan(params, None)


def test_torchvisions_cache_is_where_torch_has_it(monkeypatch, tmp_path):
    import torch

    start = ImagenetSettings(kind="imagenet")
    for variables in ({"TORCH_HOME": "a"}, {"XDG_CACHE_HOME": "b"}, {}):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(tmp_path / value))
        assert start.places("resnet50")[0].parent == Path(torch.hub.get_dir()) / "checkpoints"


def test_weights_that_dvc_knows_are_pulled(here, cache):
    (here / "data/weights.pth.dvc").write_text("outs: []")
    start = {"kind": "imagenet", "weights": "data/weights.pth"}
    params = tiny.params(here, {"start": start, "scale.backbones": {}})
    with pytest.raises(UserError, match="run `dvc pull data/weights.pth`"):
        plan(params, None)


def test_released_checkpoints_must_be_there_and_imagenets_weights_need_not(here, cache):
    start = {"kind": "imagenet", "weights": "data/resnet50.pth"}
    weights = {"market1501": {"top-db-net": "data/model.pth.tar"}}
    changes = {"start": start, "weights": weights, "seeds": [0], "methods": ["top-db-net"]}
    params = tiny.params(here, changes)
    said = r"weights\.market1501\.top-db-net: data/model\.pth\.tar does not exist"
    with pytest.raises(UserError, match=said):
        plan(params, None)
    (here / "data/model.pth.tar").write_bytes(b"PK")
    assert plan(params, None)["weights"] == weights


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ["baseline", "no-reg"]}, "has no checkpoint of no-reg for market1501"),
        ({"methods": ["no-reg"]}, "has no checkpoint of no-reg"),
        (
            {"weights": {"market1501": {"baseline": "x", "no-drop": "x"}}},
            "names no-drop for market1501, which this profile does not run",
        ),
        ({"seeds": [1, 2]}, "seeds lists 2, and a released checkpoint is one run"),
        ({"recipe": "described"}, "recipe is 'described', and weights are of 'released'"),
    ],
)
def test_released_checkpoints_make_up_the_whole_grid_or_none_of_it(here, cache, changes, said):
    whole = {
        "methods": ["baseline"],
        "seeds": [0],
        "weights": {"market1501": {"baseline": "x"}},
    }
    (here / "x").write_bytes(b"PK")
    plan(tiny.params(here, whole), None)
    with pytest.raises(UserError, match=said):
        plan(tiny.params(here, whole | changes), None)


def test_the_pretraining_data_set_is_drawn_and_indexed_and_not_in_the_grid(here):
    (here / "data/market1501").mkdir(parents=True)
    planned = plan(tiny.params(here, {"start": PRETRAINING}), None)
    assert planned["pretrain"] is True
    assert planned["datasets"] == ["market1501"]
    assert list(planned["render"]) == ["pretraining"]
    assert sorted(planned["index"]) == ["market1501", "pretraining"]


def test_an_unknown_profile_is_named_with_its_neighbour(here):
    with pytest.raises(UserError, match="no profile 'tny'.*did you mean 'tiny'"):
        plan(tiny.params(here), "tny")


def test_a_plan_is_plain_json_and_seeds_are_no_part_of_what_a_training_depends_on(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"seeds": [5]}), None)
    assert json.loads(json.dumps(first))["seeds"] == [1, 2]
    assert first["train"] == second["train"]


def test_other_snapshots_change_nothing_but_the_runs_that_are_looked_at(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"snapshots": {"queries": 1}}), None)
    assert [key for key in first if first[key] != second[key]] == ["snapshots"]
    assert first["snapshots"]["methods"] == ("baseline", "top-db-net")


def test_a_profile_of_other_methods_has_no_snapshots_and_all_of_its_tables(here):
    (here / "data/market1501").mkdir(parents=True)
    changes = {"methods": ["bot", "mgn"], "changes": {}, "reference_method": "bot"}
    planned = plan(tiny.params(here, changes), None)
    assert planned["snapshots"]["methods"] == ()
    assert planned["snapshots"]["dataset"] == "market1501"
    (paper,) = planned["papers"]
    assert paper["tables"] == {"table1": ("bot", "mgn"), "table2": ("bot", "mgn")}


def test_a_plan_names_each_papers_files_and_the_methods_that_its_tables_measure(here):
    (here / "data/market1501").mkdir(parents=True)
    changes = {"methods": ["baseline", "top-db-net", "bot"], "changes": {}}
    changes["papers"] = ["top_db_net", "bag_of_tricks"]
    main, other = plan(tiny.params(here, changes), None)["papers"]
    assert main["tables"]["table1"] == ("baseline", "top-db-net")
    assert main["tables"]["table2"] == ("baseline", "top-db-net", "bot")
    assert other["name"] == "bag_of_tricks"
    assert other["tables"] == {"tricks": ("bot",)}
    assert main["files"][0] == "papers/top_db_net/paper.yaml"
    assert all((here / file).is_file() for paper in (main, other) for file in paper["files"])
    assert plan(tiny.params(here, {"papers": []}), None)["papers"] == []
    # Another paper that is about no method of the profile is left out; the main one stays.
    without = {**changes, "methods": ["baseline", "top-db-net"]}
    assert [paper["name"] for paper in plan(tiny.params(here, without), None)["papers"]] == [
        "top_db_net"
    ]


def test_a_plan_has_the_figures_and_waits_for_nothing_that_draws_them(here):
    tiny.params(here, {"datasets.market1501.render": tiny.RENDER})
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom topdb.config import load\n"
        "from topdb.planning import plan\n"
        "figures = plan(load(Path('params.yaml')), None)['figures']\n"
        "print(json.dumps([figures, sorted({'altair', 'matplotlib', 'pandas'} & {*sys.modules})]))"
    )
    done = tiny.python(here, "-c", code)
    assert done.returncode == 0, done.stderr
    figures, heavy = json.loads(done.stdout)
    assert heavy == []
    assert figures["cmc"]["needs"] == "scores"
    assert figures["figure2"]["files"] == ["figure2.png", "figure2.pdf"]


def test_a_changed_ranking_changes_no_other_steps_parameters(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"ranking": {"k1": 5}}), None)
    assert [key for key in first if first[key] != second[key]] == ["ranking"]


def test_how_doubtful_an_evaluation_may_be_is_of_the_evaluations_alone(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    assert first["doubts"] == {"least_matched": 0.5, "allow_same_paths": False}
    second = plan(tiny.params(here, {"doubts": {"least_matched": 0.1}}), None)
    assert [key for key in first if first[key] != second[key]] == ["doubts"]


def test_other_images_of_a_real_data_set_change_the_plan_and_fresh_times_do_not(here):
    image = here / "data/market1501/query/a.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"one")

    def fingerprint() -> str:
        return plan(tiny.params(here), None)["index"]["market1501"]["images"]

    before = fingerprint()
    os.utime(image, (1, 1))
    assert fingerprint() == before
    image.write_bytes(b"three")
    longer = fingerprint()
    image.rename(image.with_name("b.jpg"))
    assert len({before, longer, fingerprint()}) == 3


def test_a_data_set_under_dvc_is_known_by_its_content_too(here):
    (here / "data/market1501").mkdir(parents=True)
    tracked = here / "data/market1501.dvc"
    tracked.write_text("outs:\n- md5: 1\n")
    before = plan(tiny.params(here), None)["index"]["market1501"]["images"]
    tracked.write_text("outs:\n- md5: 2\n")
    assert plan(tiny.params(here), None)["index"]["market1501"]["images"] == before
    (here / "data/market1501/new.jpg").write_bytes(b"")
    assert plan(tiny.params(here), None)["index"]["market1501"]["images"] != before


def test_drawn_images_that_were_overwritten_are_refused(here):
    params = tiny.params(here, {"datasets.market1501.render": tiny.RENDER})
    profile = params.selected(None)
    settings = profile.dataset("market1501")
    render(settings.render, settings.layout, settings.root)
    plan(params, None)
    shutil.copytree(here / settings.root, here / "copy")
    shutil.rmtree(here / settings.root)
    shutil.copytree(here / "copy", here / settings.root)  # as a checkout does, with other times
    plan(params, None)
    image = next((here / settings.root).rglob("*.jpg"))
    content = image.read_bytes()
    image.write_bytes(content[:-3] + b"\0" + content[-2:])
    with pytest.raises(UserError, match="others than when it was drawn: delete the folder"):
        plan(params, None)


def test_each_step_is_known_by_its_own_code(here):
    (here / "data/market1501").mkdir(parents=True)
    sources = plan(tiny.params(here), None)["source"]
    assert sources.keys() >= {"render", "index", "evaluate", "compare", "report"}
    code = plan(tiny.params(here, {"start": PRETRAINING}), None)["code"]
    assert code["methods"].keys() == {"baseline", "top-db-net"}
    assert code["pretraining"].keys() == {"small"}
    known = [*sources.values(), *code["methods"].values(), *code["pretraining"].values()]
    assert len(set(known)) == len(known) >= 8
    assert all(len(digest) == 64 for digest in known)


def test_a_reference_method_that_is_not_run_is_told_before_anything_is(here):
    (here / "data/market1501").mkdir(parents=True)
    changes = {"methods": ["bot", "osnet"], "changes": {}}
    with pytest.raises(UserError, match="reference_method is baseline, which profile tiny does"):
        plan(tiny.params(here, changes), None)
    assert plan(tiny.params(here, changes | {"reference_method": "bot"}), None)
    assert plan(tiny.params(here, changes | {"methods": ["bot"]}), None)  # compared with nothing


def test_a_method_is_planned_with_its_side_its_changes_and_its_backbone(here):
    (here / "data/market1501").mkdir(parents=True)
    changes = {
        "methods": ["mgn", "pyramid", "osnet"],
        "reference_method": "mgn",
        "recipes": {"mgn": "seathiefwang"},
        "changes": {"mgn": {"all": {"epochs": 9}, "market1501": {"epochs": 3}}},
    }
    planned = plan(tiny.params(here, changes), None)
    assert planned["recipes"] == {
        "mgn": {"side": "seathiefwang", "changes": {"market1501": [{"epochs": 9}, {"epochs": 3}]}},
        "pyramid": {"side": "released", "changes": {"market1501": []}},
        "osnet": {"side": "released", "changes": {"market1501": []}},
    }
    assert planned["backbones"] == {"mgn": "small", "pyramid": "small", "osnet": "osnet"}


def test_other_changes_of_one_method_are_no_change_of_another(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"changes.baseline.all.epochs": 9}), None)
    assert [key for key in first if first[key] != second[key]] == ["recipes"]
    assert first["recipes"]["top-db-net"] == second["recipes"]["top-db-net"]
    third = plan(tiny.params(here, {"recipes": {"baseline": "described"}}), None)
    assert [key for key in first if first[key] != third[key]] == ["recipes"]
    assert first["recipes"]["top-db-net"] == third["recipes"]["top-db-net"]


def test_seeds_go_into_jobs_in_their_order_and_a_seed_more_moves_none(here):
    (here / "data/market1501").mkdir(parents=True)

    def batches(seeds: list[int], each: int) -> list[tuple[int, ...]]:
        changes = {"seeds": seeds, "hardware": {"runs_per_job": each}}
        planned = plan(tiny.params(here, changes), None)
        # How many runs share a process changes no result.
        assert planned["train"] == plan(tiny.params(here), None)["train"]
        return planned["batches"]

    assert batches([1, 2, 3], 1) == [(1,), (2,), (3,)]
    assert batches([5, 1, 2, 3], 3) == [(5, 1, 2), (3,)]
    assert batches([5, 1, 2, 3, 4], 3) == [(5, 1, 2), (3, 4)]


def test_what_makes_a_training_faster_and_no_other_is_no_parameter_of_it(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    silent = {"workers": 3, "log_every": 7, "checkpoint_seconds": 9.0, "runs_per_job": 1}
    assert plan(tiny.params(here, {"hardware": silent}), None) == first
    for key, value in (("fused", False), ("threads", 2), ("extraction_batch", 3)):
        second = plan(tiny.params(here, {"hardware": {key: value}}), None)
        assert first["train"] != second["train"]


def test_methods_of_ones_own_are_planned_by_their_own_code(here):
    (here / "data/market1501").mkdir(parents=True)
    (here / "own").mkdir()
    own = here / "own/one_stream.py"
    own.write_text((tiny.ROOT / "tests/methods/own/one_stream.py").read_text())
    path = tiny.write_params(here, {"methods": ["baseline", "one-stream"], "changes": {}})
    path.write_text(path.read_text() + "method_folders: [own]\n")

    def planned() -> dict:
        return plan(load(path), None)

    first = planned()
    assert first["recipes"]["one-stream"] == {"side": "released", "changes": {"market1501": []}}
    assert first["backbones"]["one-stream"] == "small"
    own.write_text(own.read_text() + "# another line\n")
    second = planned()
    assert [key for key in first if first[key] != second[key]] == ["code"]
    changed = {
        name
        for name, code in first["code"]["methods"].items()
        if code != second["code"]["methods"][name]
    }
    assert changed == {"one-stream"}


def test_distractors_are_part_of_the_plan(here):
    (here / "data/market1501").mkdir(parents=True)
    without = plan(tiny.params(here), None)["index"]["market1501"]
    changes = {"datasets.market1501.distractors": "data/distractors"}
    with pytest.raises(UserError, match="market1501.*data/distractors does not exist"):
        plan(tiny.params(here, changes), None)
    (here / "data/distractors").mkdir()

    def planned() -> dict:
        return plan(tiny.params(here, changes), None)["index"]["market1501"]

    first = planned()
    assert {key: first[key] for key in without} == without
    (here / "data/distractors/0000_c1s1_000001_00.jpg").write_bytes(b"1")
    second = planned()
    (here / "data/distractors/0000_c1s1_000001_00.jpg").write_bytes(b"2")
    digests = {each["distractor_images"] for each in (first, second, planned())}
    assert len(digests) == 3


def test_what_an_index_refuses_is_part_of_its_step_and_draws_nothing_anew(here):
    (here / "data/market1501").mkdir(parents=True)
    usual = plan(tiny.params(here), None)
    assert set(usual["index"]["market1501"]) == {"layout", "root", "images"}
    changes = {"leaks": {"train_test": "warning"}, "content": "01234567", "release": "V1"}
    changed = {f"datasets.market1501.{key}": value for key, value in changes.items()}
    planned = plan(tiny.params(here, changed), None)
    assert planned["index"]["market1501"] == usual["index"]["market1501"] | changes
    drawn = {"datasets.market1501.render": tiny.RENDER}
    assert (
        plan(tiny.params(here, drawn), None)["render"]
        == plan(tiny.params(here, drawn | changed), None)["render"]
    )


def test_another_split_changes_the_plan(here):
    (here / "data/cuhk03").mkdir(parents=True)

    def planned(split: int) -> dict:
        dataset = {"layout": "cuhk03-classic-labeled", "root": "data/cuhk03", "split": split}
        return plan(tiny.params(here, {"datasets": {"c": dataset}}), None)["index"]["c"]

    assert planned(1) != planned(2)


def test_a_matlab_file_is_part_of_the_plan_and_what_is_extracted_from_it_is_not(here):
    root = here / "data/market1501"
    root.mkdir(parents=True)

    def fingerprint() -> str:
        return plan(tiny.params(here), None)["index"]["market1501"]["images"]

    empty = fingerprint()
    (root / "cuhk-03.mat").write_bytes(b"1")
    before = fingerprint()
    assert before != empty
    extracted = root / "extracted-labeled"
    extracted.mkdir()
    (extracted / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (extracted / "a.png").write_bytes(b"1")
    (root / ".extracted-labeled.7.partial").mkdir()
    (root / ".extracted-labeled.7.partial/a.png").write_bytes(b"1")
    (root / ".extracted-labeled.lock.partial").write_bytes(b"")
    assert fingerprint() == before
    (root / "cuhk-03.mat").write_bytes(b"22")
    assert fingerprint() != before


def test_what_a_step_asks_of_a_cluster_is_no_parameter_of_it(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"resources": {"train": {"minutes": 90}}}), None)
    assert second["resources"]["train"] == {"memory_mb": 2000, "minutes": 90}
    assert [key for key in first if first[key] != second[key]] == ["resources"]


@pytest.mark.parametrize("stage", ["data", "benchmark"])
def test_dvc_finds_the_environment_that_nobody_activated(tmp_path, stage):
    command = yaml.safe_load((tiny.ROOT / "dvc.yaml").read_text())["stages"][stage]["cmd"]
    program = tmp_path / ".venv/bin/snakemake"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "found $*"\n')
    program.chmod(0o755)
    # As DVC hands it to a shell, its own names filled in.
    told = subprocess.run(
        ["/bin/sh", "-c", command.replace("\\${", "${").replace("=${profile}", "=mini")],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith("found --workflow-profile default")


def test_a_profile_plans_its_tests_on_other_data_sets_beside_all_else(here):
    """Without them the plan is what it was: no step has other parameters, and no key is new."""
    names = ("market1501", "dukemtmc-reid")
    datasets = {name: {"layout": name, "root": f"data/{name}"} for name in names}
    for name in names:
        (here / "data" / name).mkdir(parents=True)
    without = plan(tiny.params(here, {"datasets": datasets}), None)
    crossed = {"market1501": ["dukemtmc-reid"]}
    with_them = plan(tiny.params(here, {"datasets": datasets, "test_on": crossed}), None)
    asked = with_them.pop("test_on")
    assert json.dumps(with_them) == json.dumps(without)
    assert "test_on" not in json.dumps(without)
    assert asked["targets"] == crossed
    assert len(asked["source"]) == 64
