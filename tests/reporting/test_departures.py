"""What a report says of runs is theirs, whatever the parameters say by now."""

import pytest
import tiny

from topdb.reporting.departures import departures
from topdb.reporting.notes import notes
from topdb.reporting.page.cells import run_facts
from topdb.results.stored import evaluations, stored_runs


@pytest.fixture
def results(tmp_path):
    scale = {**tiny.TINY["profiles"]["tiny"]["scale"], "epochs": 2}
    for method in ("baseline", "top-db-net"):
        changes = {**tiny.TINY["profiles"]["tiny"]["changes"][method]["all"]}
        told = {"scale": scale, "changed": [changes], "changes": [f"{method}: epochs 2"]}
        for seed in (1, 2):
            run = tiny.write_run(
                tmp_path / "results", "market1501", method, seed, rendered=True, start=None, **told
            )
            tiny.write_queries(run, [0.5, 0.6], "rk")
    return tmp_path / "results"


def found(tmp_path, results, **changes):
    drawn = {"datasets.market1501.render": tiny.RENDER}
    profile = tiny.params(
        tmp_path, drawn | {key.replace("__", "."): changes[key] for key in changes}
    )
    stored = stored_runs(profile.selected(), results)
    named = departures(profile.selected(), stored, evaluations(stored, ("rk",)))
    return profile.selected(), {each.key: (each.now, each.then) for each in named}


def test_equal_parameters_depart_in_nothing(tmp_path, results):
    assert found(tmp_path, results)[1] == {}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("scale__epochs", 300, {"scale.epochs": ("300", "2")}),
        (
            "datasets__market1501__render",
            None,
            {"datasets.market1501.render": ("no drawn data", "drawn data")},
        ),
        ("ranking", {"k1": 25}, {"ranking.k1": ("25", "20")}),
        ("start", {"kind": "imagenet"}, {"start.kind": ("imagenet", "–")}),
    ],
)
def test_a_key_that_changed_since_is_named_with_both_values(tmp_path, results, key, value, said):
    profile, named = found(tmp_path, results, **{key: value})
    assert named == said
    lines = [
        "".join(getattr(part, "text", part) for part in line)
        for line in notes(profile, "tiny", results)
    ]
    ((name, (now, then)),) = said.items()
    wanted = f"params.yaml differs: {name} is {now}, the runs were made with {then} (market1501/"
    assert any(line.startswith(wanted) for line in lines)


def test_changes_since_are_named_and_the_page_tells_the_runs_own(tmp_path, results):
    changes = {"baseline": {"all": {"epochs": 300}}}
    profile, named = found(tmp_path, results, changes=changes, scale__epochs=300)
    assert {"changes.baseline", "changes.top-db-net", "scale.epochs"} == set(named)
    recipe = run_facts(profile, results).recipe
    assert ("scale.epochs", "2") in recipe
    assert not any("300" in value for name, value in recipe if name[:4] in ("scal", "chan"))
    assert ("changed", "baseline: epochs 2") in recipe
