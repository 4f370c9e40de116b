import json
import os

import pytest
import tiny

from topdb.errors import UserError
from topdb.planning import plan

PRETRAINING = {
    "kind": "pretraining",
    "dataset": {"layout": "market1501", "root": "data/more", "render": tiny.RENDER},
    "epochs": 2,
    "seed": 0,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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
    with pytest.raises(UserError, match="data/market1501 does not exist"):
        plan(tiny.params(here), None)


def test_a_drawn_data_set_need_not_be_there_yet(here):
    planned = plan(tiny.params(here, {"datasets.market1501.render": tiny.RENDER}), None)
    assert planned["render"]["market1501"]["render"]["train_people"] == 4


def test_imagenet_weights_must_be_there(here):
    (here / "data/market1501").mkdir(parents=True)
    start = {"kind": "imagenet", "weights": "data/resnet50-19c8e357.pth"}
    params = tiny.params(here, {"start": start})
    with pytest.raises(UserError, match="start.weights: data/resnet50-19c8e357.pth does not"):
        plan(params, None)
    (here / "data/resnet50-19c8e357.pth").write_bytes(b"")
    assert plan(params, None)["pretrain"] is False


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


def test_a_changed_ranking_changes_no_other_steps_parameters(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"ranking": {"k1": 5}}), None)
    assert [key for key in first if first[key] != second[key]] == ["ranking"]


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


def test_a_data_set_under_dvc_is_known_by_its_dvc_file(here):
    (here / "data/market1501").mkdir(parents=True)
    tracked = here / "data/market1501.dvc"
    tracked.write_text("outs:\n- md5: 1\n")
    before = plan(tiny.params(here), None)["index"]["market1501"]["images"]
    (here / "data/market1501/new.jpg").write_bytes(b"")
    assert plan(tiny.params(here), None)["index"]["market1501"]["images"] == before
    tracked.write_text("outs:\n- md5: 2\n")
    assert plan(tiny.params(here), None)["index"]["market1501"]["images"] != before


def test_each_step_is_known_by_its_own_code(here):
    (here / "data/market1501").mkdir(parents=True)
    sources = plan(tiny.params(here), None)["source"]
    assert sources.keys() >= {"render", "index", "train", "evaluate", "compare", "report"}
    assert len(set(sources.values())) >= 5
    assert all(len(digest) == 64 for digest in sources.values())


def test_what_a_step_asks_of_a_cluster_is_no_parameter_of_it(here):
    (here / "data/market1501").mkdir(parents=True)
    first = plan(tiny.params(here), None)
    second = plan(tiny.params(here, {"resources": {"train": {"minutes": 90}}}), None)
    assert second["resources"]["train"] == {"memory_mb": 2000, "minutes": 90}
    assert [key for key in first if first[key] != second[key]] == ["resources"]
