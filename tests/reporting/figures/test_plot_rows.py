"""The numbers behind the plots."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
from figure_grid import evidence, picture, plot, rows_of, write_results

from topdb.errors import UserError
from topdb.reporting.drawing import for_page
from topdb.reporting.figures.cmc import cmc
from topdb.reporting.figures.training import MOST_POINTS
from topdb.statistics import CellVerdict

MAP = {"quantity": "mAP", "ranking": "plain"}


def values(rows, name="value"):
    return [row[name] for row in rows]


def test_a_cmc_counts_first_matches_up_to_each_rank():
    # Four queries with a match, at ranks 1, 3, 3 and 9; one without.
    curve = cmc(np.array([1, 3, 0, 3, 9]), last_rank=5)
    assert curve.tolist() == [25.0, 25.0, 75.0, 75.0, 75.0]
    assert cmc(np.array([30, 40])).tolist() == [0.0] * 20


def test_the_curve_agrees_with_the_metrics(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    curve = rows_of("cmc", given, method="Baseline", ranking="plain")
    metrics = [
        json.loads(path.read_text())
        for path in sorted(given.results.glob("market1501/baseline/*/plain/metrics.json"))
    ]
    first = [100 * each["cmc"]["1"] for each in metrics]
    assert curve[0]["rank"] == 1
    assert curve[0]["value"] == pytest.approx(np.mean(first), abs=1e-3)
    assert (curve[0]["low"], curve[0]["high"]) == pytest.approx((min(first), max(first)), abs=1e-3)
    # Ranks 1, 3, 2 and 2 or 3: all found at 3.
    assert curve[2]["value"] == pytest.approx(100.0)


def test_training_curves_are_means_with_the_seeds_as_a_band(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    curve = rows_of("training", given, method="Baseline", loss="global_triplet")
    assert values(curve) == pytest.approx([0.5, 0.25, 0.5 / 3], abs=1e-4)
    assert values(curve, "epoch") == [1, 2, 3]
    assert {row["method"] for row in plot("training", given).rows} == {"Baseline", "Top-DB-Net"}
    headings = " ".join(plot("training", given).down)
    assert "triplet loss" in headings
    assert "cross entropy" not in headings  # these histories have none


def test_totals_add_up_different_losses_and_stand_as_shares_of_their_first(tmp_path):
    write_results(tmp_path / "results")
    for seed, losses in ((1, (8.0, 4.0)), (2, (2.0, 1.2))):
        history = tmp_path / f"results/market1501/baseline/seed-{seed}/history.csv"
        lines = "".join(f"{turn},{loss}\n" for turn, loss in enumerate(losses, 1))
        history.write_text(f"epoch,loss\n{lines}")
    given = evidence(tmp_path)
    curve = rows_of("training", given, method="Baseline", loss="loss")
    assert values(curve) == pytest.approx([100.0, 55.0])  # 50 and 60
    assert [curve[1][name] for name in ("low", "high")] == pytest.approx([50.0, 60.0])
    # Streams that all have come first, and whose they are is told.
    shown = plot("training", given)
    assert list(shown.down) == [
        "Global stream: triplet loss",
        "Total loss, in percent of the first epoch's",
    ]
    assert "The global stream's losses are those of Top-DB-Net." in shown.explained
    assert "The global stream's losses are those of" not in plot_of_two(tmp_path).explained


def plot_of_two(folder):
    """The training curves of methods that both have a global stream."""
    write_results(folder / "results")
    return plot("training", evidence(folder))


def test_data_sets_share_the_scale_of_a_loss_in_a_file(tmp_path):
    write_results(tmp_path / "results")
    write_results(tmp_path / "results", "other")
    history = tmp_path / "results/other/baseline/seed-2/history.csv"
    history.write_text("epoch,global_triplet\n1,300.0\n2,200.0\n3,100.0\n")
    place = {"layout": "market1501", "root": "x"}
    given = evidence(tmp_path, {"datasets": {"market1501": place, "other": place}})
    page = [for_page(plot("training", given), dataset) for dataset in ("market1501", "other")]
    scales = [each["layer"][0]["encoding"]["y"]["scale"] for each in page]
    assert scales[0] == scales[1]
    assert scales[0]["type"] == "log"
    assert scales[0]["domainMax"] == 300.0


def test_a_cmc_begins_at_rank_1(tmp_path):
    write_results(tmp_path / "results")
    page = for_page(plot("cmc", evidence(tmp_path)), "market1501")
    assert page["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 20]


def test_a_training_curve_has_its_band_and_is_not_too_long(tmp_path):
    write_results(tmp_path / "results")
    for seed, loss in ((1, "4.0"), (2, "1.0")):
        lines = "".join(f"{n},{loss}\n" for n in range(1, 251))
        history = tmp_path / f"results/market1501/baseline/seed-{seed}/history.csv"
        history.write_text(f"epoch,global_triplet\n{lines}")
    curve = rows_of("training", evidence(tmp_path), method="Baseline")
    assert len(curve) <= MOST_POINTS
    assert [curve[0][name] for name in ("value", "low", "high")] == [2.5, 1.0, 4.0]
    assert values(curve[:3], "epoch") == [1, 4, 7]


def test_a_training_that_still_goes_on_is_drawn_as_far_as_all_seeds_are(tmp_path):
    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("\n".join(history.read_text().splitlines()[:3]) + "\n")
    given = evidence(tmp_path)
    assert len(rows_of("training", given, method="Baseline", loss="loss")) == 2
    assert len(rows_of("training", given, method="Top-DB-Net", loss="loss")) == 3


def test_a_loss_that_is_no_number_makes_a_gap(tmp_path):
    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("epoch,loss\n1,3.0\n2,nan\n3,2.0\n")
    curve = rows_of("training", evidence(tmp_path), method="Baseline", loss="loss")
    assert values(curve)[1] is None
    assert None not in (values(curve)[0], values(curve)[2])


def test_losses_far_apart_have_a_logarithmic_scale(tmp_path):
    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("epoch,global_triplet,loss\n1,300.0,2\n2,200.0,2\n3,100.0,2\n")
    shown = plot("training", evidence(tmp_path))
    assert '"type": "log"' in json.dumps(shown.panel(shown.rows).to_dict())
    shown = plot("cmc", evidence(tmp_path))
    assert '"type": "log"' not in json.dumps(shown.panel(shown.rows).to_dict())


def test_a_broken_history_is_named(tmp_path):
    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("epoch,loss\n1,many\n")
    with pytest.raises(UserError, match=r"seed-2/history.csv is no history of a training"):
        plot("training", evidence(tmp_path))


def test_every_seed_is_a_mark_and_every_mean_a_stroke(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path, {"datasets.market1501.render": None})
    runs = rows_of("seeds", given, method="Baseline", **MAP)
    # AP of seed 1: .52 .62 .32 .57; of seed 2: .54 .64 .34 .64; a fifth query has no match.
    assert values(runs) == pytest.approx([50.75, 54.0])
    assert values(runs, "seed") == [1, 2]
    assert runs[0]["high"] - runs[0]["published"] == pytest.approx(given.margin("market1501"))
    assert "published value" in plot("seeds", given).explained
    # Two methods, two rankings, two metrics, two seeds.
    assert picture("seeds", given).marks == 16


def test_published_values_stand_only_beside_real_data(tmp_path):
    write_results(tmp_path / "results")
    drawn = evidence(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    assert drawn.printed == {}
    assert "published value" not in picture("seeds", drawn).written
    assert "Nothing is compared with the paper" in picture("published", drawn).written


def test_the_forest_shows_the_comparisons_and_says_what_few_seeds_can_show(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    (each,) = [
        each
        for each in given.comparisons.differences
        if (each.ranking, each.quantity) == ("plain", "mAP")
    ]
    (row,) = rows_of("differences", given, **MAP)
    for name in ("low", "high", "estimate", "published"):
        assert row[name] == pytest.approx(getattr(each, name), abs=1e-3)
    assert row["verdict"] == "undecided"  # 2 + 2 seeds cannot decide
    said = picture("differences", given).written
    assert "cannot give an adjusted p below 0.67" in " ".join(said.split())
    assert "Difference to Baseline" in said
    assert "published difference" in said


def test_an_undecided_difference_is_hollow_and_a_settled_one_filled(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    shown = plot("differences", given)
    point = shown.panel(shown.rows).to_dict()["layer"][1]["encoding"]
    assert point["fill"]["condition"] == {
        "test": "datum.verdict == 'undecided'",
        "value": "var(--ground)",
    }
    assert point["fill"]["field"] == point["stroke"]["field"] == "method"


def test_shares_of_variance_fill_their_bar(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    # R1 is the same for all seeds here and has no variance.
    parts = rows_of("variance", given, **MAP)
    assert values(parts, "part") == ["seeds", "people", "both together"]
    assert sum(values(parts, "share")) == pytest.approx(100.0, abs=0.01)


def test_measured_against_published_shows_margin_interval_and_verdict(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    cell = given.comparisons.cell("market1501", "baseline", "plain", "mAP")
    (row,) = rows_of("published", given, method="Baseline", **MAP)
    assert (row["from"], row["to"]) == (-1.0, 1.0)
    assert (row["low"], row["high"]) == pytest.approx((cell.low, cell.high), abs=1e-3)
    assert row["one_low"] == pytest.approx(cell.prediction_low - 85.2, abs=1e-3)
    assert row["one_low"] < row["low"] < row["high"] < row["one_high"]
    assert row["verdict"] == cell.verdict.lower()
    assert cell.verdict.lower() in picture("published", given).written
    # Baseline and Top-DB-Net plain, Top-DB-Net re-ranked: the paper prints no Baseline+RK.
    named = {(row["method"], row["ranking"]) for row in plot("published", given).rows}
    assert named == {("Baseline", "plain"), ("Top-DB-Net", "plain"), ("Top-DB-Net", "rk")}


def test_each_verdict_has_a_mark_of_its_own_and_they_fit_above(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    cell = given.comparisons.cell("market1501", "baseline", "plain", "mAP")
    judged = [
        replace(cell, method=method, ranking=ranking, verdict=str(verdict))
        for verdict, (method, ranking) in zip(
            CellVerdict,
            [(m, r) for m in ("baseline", "no-drop", "top-db-net") for r in ("plain", "rk")],
            strict=False,
        )
    ]
    methods = ["baseline", "no-drop", "top-db-net"]
    every = evidence(tmp_path, {"methods": methods})
    every = replace(every, given=replace(given.comparisons, cells=tuple(judged)))
    legend = plot("published", every).legend
    assert len({(look.shape, look.hollow) for look in legend}) == len(CellVerdict)
    assert len({look.colour for look in legend}) == len(CellVerdict)
    seen = picture("published", every)
    for verdict in CellVerdict:
        assert verdict.lower() in seen.written
    words = [word for word in seen.words if word.level]
    for number, word in enumerate(words):
        assert not any(word.covers(other) for other in words[number + 1 :]), word
