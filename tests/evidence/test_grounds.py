"""A verdict needs the paper's network, recipe, protocol and data; all else has its reason."""

import json

import pytest
import tiny

from topdb.config import FULL
from topdb.evidence.answer import answer, write_answer
from topdb.retrieval import SingleGalleryShot, identity

PLAIN = {"rankings": ["plain"]}


@pytest.fixture
def results(tmp_path):
    for method, ap in (("baseline", 0.852), ("top-db-net", 0.858)):
        for seed in (1, 2):
            folder = tmp_path / f"results/market1501/{method}/seed-{seed}"
            tiny.write_queries(folder, [ap - 0.01 + 0.0001 * seed, ap + 0.01])
    return tmp_path / "results"


def rewrite(results, change, method="baseline", name="run.json"):
    """Let a function change what one file of each run of a method says."""
    for seed in (1, 2):
        path = results / f"market1501/{method}/seed-{seed}/{name}"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def cell(tmp_path, results, method="baseline", quantity="mAP", **changes):
    found = tiny.compared(tiny.params(tmp_path, {**PLAIN, **changes}), results)
    return found, found.cell("market1501", method, "plain", quantity)


def test_runs_of_the_papers_network_recipe_and_data_have_a_verdict(tmp_path, results):
    found, own = cell(tmp_path, results)
    assert (own.verdict, own.withheld) == ("REPRODUCED", "")
    assert "no verdict" not in answer(found)


def counts(split, **changes):
    return lambda told: told["data"]["counts"][split].update(changes)


WRONG = {
    "another network": (
        lambda told: told.update(backbone="small"),
        "The network is small, the paper's is resnet50.",
    ),
    "another network of an older run": (
        lambda told: told.update(
            backbone="", scale=told["scale"] | {"backbones": {"resnet50": "small"}}
        ),
        "The network is small, the paper's is resnet50.",
    ),
    "fewer epochs": (
        lambda told: told["scale"].update(epochs=5, width=0.125),
        "The recipe is scaled (epochs 5, width 0.125).",
    ),
    "a change": (lambda told: told.update(changes=["epochs 5"]), "The recipe is changed."),
    "a variant": (
        lambda told: told["recipe"].update(side="scratch"),
        "The recipe is the variant scratch.",
    ),
    "a random start": (
        lambda told: told.update(start=None),
        "The network starts from random weights, the paper's from ImageNet.",
    ),
    "a pretraining": (
        lambda told: told.update(start={"kind": "pretraining"}),
        "The network starts from a pretraining of ours, the paper's from ImageNet.",
    ),
    "too few people": (
        counts("train", people=96),
        "The data are not the published ones (train has 96 people instead of 751).",
    ),
    "more distractors": (
        counts("gallery", images=515_913),
        "The data are not the published ones (gallery has 515913 images instead of 15913).",
    ),
    "another data set under the name": (
        lambda told: told["data"].update(layout="dukemtmc-reid"),
        "The images are of dukemtmc-reid, the paper's of market1501.",
    ),
    "a layout that is gone": (
        lambda told: told["data"].update(layout="mine"),
        "The images are of mine, the paper's of market1501.",
    ),
    "data that are not told": (
        lambda told: told.pop("data"),
        "A run does not tell what its data set holds.",
    ),
    "a recipe that is not told": (
        lambda told: told.pop("recipe"),
        "A run does not tell its recipe.",
    ),
    "a scale that is not told": (lambda told: told.pop("scale"), "A run does not tell its scale."),
}


@pytest.mark.parametrize("case", WRONG)
def test_runs_of_anything_else_withhold_the_cells_verdict_and_says_why(tmp_path, results, case):
    change, sentence = WRONG[case]
    rewrite(results, change)
    found, own = cell(tmp_path, results)
    assert (own.verdict, own.withheld, own.reason) == ("", sentence, sentence)
    assert own.published != own.published
    assert own.mean == pytest.approx(85.2, abs=0.1)
    other = found.cell("market1501", "top-db-net", "plain", "mAP")
    assert other.verdict == "REPRODUCED"
    ground = sentence[0].lower() + sentence[1:-1]
    assert f"2 printed cells have no verdict: {ground} (2)." in answer(found)


SCORED = {
    "ap_rule": ({"ap_rule": "trapezoid"}, "The AP rule is trapezoid, the papers' is step."),
    "cameras": (
        {"ignore_cameras": True},
        "Cameras are ignored, and the papers leave out a query's own.",
    ),
    "one gallery image": (
        {"single_gallery_shot": SingleGalleryShot(repeats=10)},
        "The CMC is of one gallery image a person, the papers' is of all.",
    ),
}


@pytest.mark.parametrize("case", SCORED)
def test_another_protocol_withholds_it_too(tmp_path, results, case):
    how, sentence = SCORED[case]
    for method in ("baseline", "top-db-net"):
        change = {"evaluator": identity(**how)}
        rewrite(results, lambda told, c=change: told.update(c), method, "plain/metrics.json")
    assert cell(tmp_path, results)[1].withheld == sentence


def test_other_parameters_of_re_ranking_withhold_re_ranked_cells_alone(tmp_path, results):
    for seed in (1, 2):
        folder = results / f"market1501/top-db-net/seed-{seed}"
        tiny.write_queries(folder, [0.94, 0.941], "rk")
    change = identity("rk", k1=30)
    rewrite(
        results,
        lambda told: told.update(evaluator=change),
        method="top-db-net",
        name="rk/metrics.json",
    )
    found = tiny.compared(tiny.params(tmp_path), results)
    ranked = found.cell("market1501", "top-db-net", "rk", "mAP")
    assert "not the usual ones (k1 30, k2 6, lambda 0.3)" in ranked.withheld
    assert found.cell("market1501", "top-db-net", "plain", "mAP").verdict == "REPRODUCED"


def test_a_cell_without_runs_is_incomplete_and_needs_no_ground(tmp_path):
    _, own = cell(tmp_path, tmp_path / "results")
    assert (own.verdict, own.withheld) == ("INCOMPLETE", "")


def test_authors_weights_need_no_recipe_but_the_papers_network(tmp_path, results):
    def imported(told):
        told["origin"], told["start"] = "authors' weights", None
        told["scale"] = FULL.model_dump(mode="json") | {"epochs": 5}

    rewrite(results, imported)
    assert cell(tmp_path, results)[1].verdict == "REPRODUCED"
    rewrite(results, lambda told: told["scale"].update(size=[96, 32]))
    assert cell(tmp_path, results)[1].withheld == "The recipe is scaled (size [96, 32])."


def test_drawn_data_are_known_by_the_runs_whatever_the_parameters_say(tmp_path, results):
    rewrite(results, lambda told: told.update(rendered=True))
    found, own = cell(tmp_path, results)
    assert found.rendered
    assert own.withheld == "The data are rendered."
    assert {each.verdict for each in found.cells} == {""}
    assert answer(found).startswith("Rendered data: nothing is compared with the paper.")


def test_the_mini_network_on_a_set_of_the_papers_name_has_no_headline(tmp_path, results):
    small = {"resnet50": "small"}
    for method in ("baseline", "top-db-net"):
        rewrite(
            results,
            lambda told: told.update(backbone="small", scale=told["scale"] | {"backbones": small}),
            method,
        )
    found, _ = cell(tmp_path, results)
    told = answer(found)
    assert "BELOW" not in told
    assert "reproduce" not in told
    assert told.startswith(
        "4 printed cells have no verdict: the network is small, the paper's is resnet50 (4). "
        "Among the measured methods 0 of 8 claims hold"
    )
    (claim,) = [each for each in found.claims if each.id == "full-over-baseline-mAP"]
    assert claim.withheld.startswith("The network is small")
    assert "Not about the paper: the network is small" in claim.reason
    write_answer(found, tmp_path / "verdict.json")
    content = json.loads((tmp_path / "verdict.json").read_text())
    assert content["cells"]["all"] == 0
    assert content["without_verdict"]["cells"] == 4
    assert content["without_verdict"]["cell_reasons"][0]["reason"].startswith("The network is")
    assert content["claims"]["not_about_the_paper"] == 8


def test_claims_about_other_methods_than_the_papers_are_counted_apart(tmp_path, results):
    rewrite(results, lambda told: told.update(backbone="small"))
    found, _ = cell(tmp_path, results)
    assert answer(found).startswith("1 of 2 cells reproduces (1 EXCEEDS), 0 of 6 claims hold")
    assert "Among methods that are not the paper's 0 of 2 claims hold (2 OPEN)." in answer(found)
