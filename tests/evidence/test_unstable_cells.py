"""Marks of cells whose runs are unlike each other, over a grid of four data sets."""

import numpy as np
import pytest

from topdb.evidence.instability import unstable_cells
from topdb.results.runs import Cell
from topdb.results.scores import CellScores

SETS = ("market", "duke", "labeled", "detected")


def scores(rng, seeds, sds=(0.5, 0.5, 0.7, 0.9), rate=0.0, depth=0.0):
    """Four cells of a method around 80, of which each run loses `depth` with a chance of `rate`."""
    found = {}
    for dataset, sd in zip(SETS, sds, strict=True):
        values = 80 + sd * rng.standard_normal(seeds)
        values -= depth * (rng.random(seeds) < rate)
        one = np.ones(1, np.int64)
        found[Cell(dataset, "a", "plain")] = CellScores(
            tuple(range(seeds)), one, {"mAP": values[:, None]}, ("x",), one, one.astype(bool)
        )
    return found


def marked(studies, seeds, **options):
    """Share of cells that are marked, and of studies in which any of the four is."""
    rng = np.random.default_rng(4)
    counts = [len(unstable_cells(scores(rng, seeds, **options), ["mAP"])) for _ in range(studies)]
    return sum(counts) / (4 * studies), np.mean(np.array(counts) > 0)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_sound_runs_are_hardly_ever_marked(seeds):
    assert marked(100, seeds)[0] <= 0.02


@pytest.mark.parametrize(("depth", "share"), [(8.0, 0.65), (20.0, 0.75), (75.0, 0.8)])
def test_a_method_that_collapses_in_one_run_of_ten_is_seen_in_most_studies(depth, share):
    # Twenty runs have a collapse in 88 % of studies; two in one cell hide each other if shallow.
    assert marked(100, 5, rate=0.1, depth=depth)[1] >= share


def test_a_data_set_where_a_method_scatters_more_is_no_fault():
    assert marked(100, 5, sds=(0.5, 0.5, 0.5, 1.2))[0] <= 0.03


def test_runs_that_collapsed_to_equal_features_are_marked_whatever_they_score():
    (cell, own), *_ = scores(np.random.default_rng(0), 5).items()
    fields = {**vars(own), "collapsed": (1, 2)}
    assert unstable_cells({cell: CellScores(**fields)}, ["mAP"]) == {
        (cell, "mAP"): "2 of 5 runs collapsed"
    }


if __name__ == "__main__":
    for n in (3, 5, 10):
        print(n, "sound", marked(1000, n), "uneven", marked(1000, n, sds=(0.5, 0.5, 0.5, 1.2)))
        for d in (8.0, 20.0, 75.0):
            print(n, d, marked(600, n, rate=0.1, depth=d))
