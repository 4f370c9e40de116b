import json
import math

import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.reporting.recomputing import recompute
from topdb.reporting.reports import write_plots
from topdb.results.records import (
    StatedData,
    UsedRecipe,
    inner,
    number,
    read_history,
    read_record,
    stated_data,
    used_recipe,
)

HEAD = "epoch,learning_rate,loss\n"


@pytest.mark.parametrize("value", [None, True, "1", [1], {}, 10**400, math.inf, math.nan])
def test_what_is_no_finite_number_is_missing(value):
    assert math.isnan(number(value))


def test_a_number_stays_and_an_object_is_one_or_empty():
    assert (number(3), number(0.5)) == (3.0, 0.5)
    assert inner({"a": {"b": 1}}, "a") == {"b": 1}
    assert inner({"a": [1]}, "a") == inner({}, "a") == {}


def test_older_runs_name_the_side_of_their_recipe_alone():
    assert used_recipe({"recipe": "released"}) == UsedRecipe("released")
    stated = {"side": "described", "note": " As its paper says. ", "epochs": 80}
    found = used_recipe({"recipe": stated, "changes": ["epochs 300", ""]})
    assert found == UsedRecipe("described", "As its paper says.", ("epochs 300",))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"recipe": None, "changes": None},
        {"recipe": 3, "changes": "epochs 300"},
        {"recipe": ["released"], "changes": {"epochs": 300}},
        {"recipe": {"side": 3, "note": ["x"]}, "changes": [{"epochs": 300}, 7, None]},
    ],
)
def test_what_is_no_recipe_says_nothing(record):
    assert used_recipe(record) == UsedRecipe()


@pytest.mark.parametrize("value", [1.7e17, None])
def test_a_run_says_where_it_diverged_and_older_ones_say_nothing(tmp_path, value):
    said = {"epoch": 2, "what": "loss", "value": value, "limit": 38.0}
    folder = tiny.write_run(tmp_path, "market1501", "baseline", 1, diverged=said)
    found = read_record(folder / "run.json").diverged
    assert found
    assert found.content() == said
    was = "no finite number" if value is None else "1.7e+17, beyond 38"
    assert str(found) == f"loss of epoch 2 was {was}"
    folder = tiny.write_run(tmp_path, "market1501", "baseline", 2)
    assert read_record(folder / "run.json").diverged is None


@pytest.mark.parametrize("key", ["origin", "title", "note"])
def test_half_of_a_character_is_named_with_its_file(tmp_path, key):
    folder = tiny.write_run(tmp_path, "market1501", "baseline", 1, **{key: "a\ud800"})
    with pytest.raises(UserError, match=r"run\.json is not readable .*half of a char.*U\+D800"):
        read_record(folder / "run.json")


@pytest.mark.parametrize("said", [[], 7, "yes", {"epoch": 2}])
def test_what_does_not_say_where_a_run_diverged_is_no_record(tmp_path, said):
    folder = tiny.write_run(tmp_path, "market1501", "baseline", 1, diverged=said)
    with pytest.raises(UserError, match=r"run\.json (lacks|is broken)"):
        read_record(folder / "run.json")


@pytest.mark.parametrize("told", [None, [], {"leaks": 3, "conversions": [1], "protocol": 7}])
def test_older_runs_say_nothing_of_their_data(told):
    assert stated_data({"data": told}) == stated_data({}) == StatedData()


def test_a_loss_that_is_no_longer_finite_is_read(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(f"{HEAD}1,0.1,2.5\n2,0.1,nan\n")
    first, second = read_history(path)
    assert first == {"epoch": 1.0, "learning_rate": 0.1, "loss": 2.5}
    assert math.isnan(second["loss"])


def test_imported_weights_have_a_history_without_a_row(tmp_path):
    (tmp_path / "history.csv").write_text(HEAD)
    assert read_history(tmp_path / "history.csv", ("epoch", "loss")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"epoch,loss\n1,low\n",
        b"loss\n1\n",
        b"epoch,loss\n1\n",
        b"epoch,loss\n1.5,1\n",
        b"epoch,loss\nnan,1\n",
        b"epoch,loss\n1,\xff\n",
        b"epoch,loss\n1," + b"9" * 200_000 + b"\n",
    ],
    ids=["word", "no epoch", "short", "half an epoch", "nan", "no text", "long"],
)
def test_what_is_no_history_is_named(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"history.csv is no history of a training: delete it"):
        read_history(path, ("epoch", "loss"))


def project(folder, **changes):
    params = tiny.params(folder, {"rankings": ["plain"], **changes})
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            run = tiny.write_run(folder / "results", "market1501", method, seed)
            tiny.write_queries(run, [0.5, 0.6 + seed / 10, 0.7])
    return params


def judged(params, folder):
    papers = read_papers(params, tiny.PAPERS)
    recompute(params, "tiny", folder / "results", papers, folder / "out")


def test_a_training_that_diverged_is_a_gap_in_the_page_and_no_crash(tmp_path):
    params = project(tmp_path)
    history = tmp_path / "results/market1501/baseline/seed-1/history.csv"
    head = f"{HEAD.strip()},global_triplet\n"
    history.write_text(f"{head}1,0.1,2.5,0.5\n2,0.1,nan,nan\n")
    (history.parents[1] / "seed-2/history.csv").write_text(f"{head}1,0.1,inf,inf\n2,0.1,2.0,0.4\n")
    judged(params, tmp_path)
    page = (tmp_path / "out/index.html").read_text()
    gap = '"value":null,"low":null,"high":null'
    assert all(f'{{"method":"Baseline","epoch":{epoch},{gap},' in page for epoch in (1, 2))
    assert "baseline,1,2,0.1,nan" in (tmp_path / "out/plots/training.csv").read_text()


@pytest.mark.parametrize("title", [r"$\bad{$", "a $x$ b", "50 $", r"\$"])
def test_a_title_is_no_formula(tmp_path, title):
    judged(project(tmp_path, **{"datasets.market1501.title": title}), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": "long", "peak_memory_mib": "much"},
        {"seconds": {"train": [1], "extract": 10**400}, "peak_memory_mib": 10**400},
    ],
)
def test_facts_of_any_kind_are_left_out(tmp_path, changes):
    params = project(tmp_path)
    path = tmp_path / "results/market1501/baseline/seed-1/run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    judged(params, tmp_path)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("plain/metrics.json", {"cmc": "x"}, "is broken"),
        ("plain/metrics.json", {"mAP": 10**400}, "is broken"),
        ("plain/metrics.json", {"mINP": 10**400}, "is broken"),
        ("run.json", {"checkpoint": {"file": "a", "sha256": "b", "epoch": math.inf}}, "is broken"),
        ("run.json", {"features_digest": [1]}, "is not of the features that run.json states"),
    ],
)
def test_values_of_any_kind_are_named(tmp_path, name, changes, sentence):
    params = project(tmp_path)
    path = tmp_path / "results/market1501/baseline/seed-1" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=sentence):
        judged(params, tmp_path)


@pytest.mark.parametrize("commit", ["x; rm -rf ~", "--help", ["a"], 3])
def test_a_commit_that_is_none_is_no_word_of_a_command(tmp_path, commit):
    params = project(tmp_path)
    for path in (tmp_path / "results").rglob("run.json"):
        record = json.loads(path.read_text())
        record["environment"]["checkouts"] = [{**tiny.CHECKOUT, "commit": commit}]
        path.write_text(json.dumps(record))
    judged(params, tmp_path)
    assert "git checkout" not in (tmp_path / "out/index.html").read_text()


def test_a_summary_without_its_scores_is_named(tmp_path):
    params = project(tmp_path)
    path = tmp_path / "results/market1501/baseline/seed-1/plain/metrics.json"
    path.write_text("{}")
    with pytest.raises(UserError, match=r"lacks the key 'queries': run `topdb evaluate`"):
        write_plots(params, "tiny", tmp_path / "results", tmp_path / "plots")


def test_a_run_tells_under_which_parameters_it_was_made(tmp_path):
    folder = tiny.write_run(tmp_path, "market1501", "bot", 1, rendered=True, backbone="small")
    record = read_record(folder / "run.json")
    assert (record.rendered, record.backbone) == (True, "small")
    assert record.start == {"kind": "imagenet", "weights": {}}
    assert record.recipe.content == {"side": "released", "epochs": 2}
    assert record.scale["width"] == 1.0
    older = tiny.write_run(
        tmp_path, "market1501", "bot", 2, recipe="released", rendered=None, backbone=None
    )
    record = read_record(older / "run.json")
    assert (record.rendered, record.backbone) == (None, "")
    assert (record.recipe.side, record.recipe.content) == ("released", {})
    broken = tiny.write_run(tmp_path, "market1501", "bot", 3, rendered="yes")
    with pytest.raises(UserError, match="'yes' is neither true nor false"):
        read_record(broken / "run.json")
