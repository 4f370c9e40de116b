"""The numbers behind the plots."""

import json
from dataclasses import replace

import numpy as np
import pytest
from figure_grid import draw, evidence, overlapping, write_results, written

from topdb.reporting.figures.cmc import cmc
from topdb.results.comparisons import write_comparisons
from topdb.statistics import CellVerdict


def test_a_cmc_counts_first_matches_up_to_each_rank():
    # Four queries with a match, at ranks 1, 3, 3 and 9; one without.
    curve = cmc(np.array([1, 3, 0, 3, 9]), last_rank=5)
    assert curve.tolist() == [25.0, 25.0, 75.0, 75.0, 75.0]
    assert cmc(np.array([30, 40])).tolist() == [0.0] * 20


def test_the_curve_agrees_with_the_metrics(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    figure = draw("cmc", given)
    metrics = [
        json.loads(path.read_text())
        for path in sorted(given.results.glob("market1501/baseline/*/plain/metrics.json"))
    ]
    line = figure.axes[0].get_lines()[0]
    at = line.get_xdata().tolist().index(1)
    assert line.get_ydata()[at] == pytest.approx(
        100 * np.mean([each["cmc"]["1"] for each in metrics])
    )
    # Ranks 1, 3, 2 and 2 or 3: all found at 3.
    assert line.get_ydata()[2] == pytest.approx(100.0)


def test_training_curves_are_means_with_the_seeds_as_a_band(tmp_path):
    write_results(tmp_path / "results")
    figure = draw("training", evidence(tmp_path))
    loss = figure.axes[0]
    assert loss.get_lines()[0].get_ydata().tolist() == pytest.approx([4.0, 2.0, 4 / 3])
    assert loss.get_lines()[0].get_xdata().tolist() == [1, 2, 3]
    assert len(loss.collections) == 2  # a band a method
    assert "Global stream:\ntriplet loss" in written(figure)
    assert "cross entropy" not in written(figure)  # these histories have none


def test_a_training_that_still_goes_on_is_drawn_as_far_as_all_seeds_are(tmp_path):
    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("\n".join(history.read_text().splitlines()[:3]) + "\n")
    loss = draw("training", evidence(tmp_path)).axes[0]
    assert [len(line.get_xdata()) for line in loss.get_lines()] == [2, 3]


def test_a_broken_history_is_named(tmp_path):
    from topdb.errors import UserError

    write_results(tmp_path / "results")
    history = tmp_path / "results/market1501/baseline/seed-2/history.csv"
    history.write_text("epoch,loss\n1,many\n")
    with pytest.raises(UserError, match=r"seed-2/history.csv is no history of a training"):
        draw("training", evidence(tmp_path))


def test_every_seed_is_a_dot_and_every_mean_a_stroke(tmp_path):
    write_results(tmp_path / "results")
    changes = {"datasets.market1501.render": None}
    figure = draw("seeds", evidence(tmp_path, changes))
    dots = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "None"]
    assert len(dots) == 4  # two methods, two rankings
    # AP of seed 1: .52 .62 .32 .57; of seed 2: .54 .64 .34 .64; a fifth query has no match.
    assert dots[0].get_xdata().tolist() == pytest.approx([50.75, 54.0])
    assert "published value" in written(figure)


def test_published_values_stand_only_beside_real_data(tmp_path):
    import tiny

    write_results(tmp_path / "results")
    drawn = evidence(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    assert drawn.printed() == {}
    assert "published value" not in written(draw("seeds", drawn))
    assert "Nothing is compared with the paper" in written(draw("published", drawn))


def test_the_forest_shows_the_comparisons_and_says_what_few_seeds_can_show(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    figure = draw("differences", given)
    found = [each for each in given.compared().differences if each.ranking == "plain"]
    (each,) = [each for each in found if each.quantity == "mAP"]
    bars = [bar for bar in figure.axes[0].collections if len(bar.get_segments()) == 1]
    ends = bars[0].get_segments()[0][:, 0]
    assert ends.tolist() == pytest.approx([each.low, each.high])
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "D"]
    assert marks[0].get_xdata() == pytest.approx([each.estimate])
    assert marks[0].get_markerfacecolor() == "white"  # open: 2 + 2 seeds cannot decide
    said = written(figure)
    assert "cannot give an adjusted p below 0.67" in said
    assert "Difference to Baseline" in said
    assert "published difference" in said


def test_shares_of_variance_fill_their_bar(tmp_path):
    write_results(tmp_path / "results")
    figure = draw("variance", evidence(tmp_path))
    for axes in figure.axes[::2]:  # of mAP; R1 is the same for all seeds here and has no variance
        assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(100.0)
        assert axes.get_xlim() == (0.0, 100.0)


def test_measured_against_published_shows_margin_interval_and_verdict(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    figure = draw("published", given)
    cell = given.compared().cell("market1501", "baseline", "plain", "mAP")
    left = figure.axes[0]
    assert left.patches[0].get_x() == -1.0
    assert left.patches[0].get_width() == 2.0
    thin, thick = (bar.get_segments()[0][:, 0].tolist() for bar in left.collections[:2])
    assert thick == pytest.approx([cell.low, cell.high])
    assert thin[0] == pytest.approx(cell.prediction_low - 85.2)
    assert thin[0] < thick[0] < thick[1] < thin[1]
    assert cell.verdict.lower() in written(figure)
    # Baseline and Top-DB-Net plain, Top-DB-Net re-ranked: the paper prints no Baseline+RK.
    named = [label.get_text() for label in left.get_yticklabels()]
    assert named == ["Baseline", "Top-DB-Net", "Top-DB-Net+RK", "Market-1501"]


def test_each_verdict_has_a_mark_of_its_own_and_they_fit_above(tmp_path):
    write_results(tmp_path / "results")
    given = evidence(tmp_path)
    compared = given.compared()
    cell = compared.cell("market1501", "baseline", "plain", "mAP")
    judged = [
        replace(cell, method=method, ranking=ranking, verdict=str(verdict))
        for verdict, (method, ranking) in zip(
            CellVerdict,
            [(m, r) for m in ("baseline", "no-drop", "top-db-net") for r in ("plain", "rk")],
            strict=False,
        )
    ]
    assert given.comparisons is not None
    write_comparisons(replace(compared, cells=tuple(judged)), given.comparisons)
    figure = draw("published", given)
    assert overlapping(figure) == []
    (legend,) = figure.legends
    (title,) = [text for text in figure.texts if text.get_text() == "Measured minus published"]
    assert title.get_window_extent().x1 < legend.get_window_extent().x0
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() != "None"]
    drawn = {
        (mark.get_marker(), mark.get_markeredgecolor(), mark.get_markerfacecolor())
        for mark in marks
    }
    assert len(drawn) == len(CellVerdict)
    for verdict in CellVerdict:
        assert verdict.lower() in written(figure)
