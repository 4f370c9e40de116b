"""Figures 2 and 3 on a hand-made case."""

import numpy as np
import pytest
from figure_grid import draw, evidence, picture, snapshots, write_snapshots_of
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from topdb.reporting.sheets import GREEN, RED, RIGHT, WRONG


def frames(figure):
    found = [each for each in figure.findobj(Rectangle) if not each.get_fill()]
    return [
        (to_hex(each.get_edgecolor()).upper(), "-" if each.get_linestyle() == "-" else "dashed")
        for each in found
    ]


def pictures(figure):
    """Each picture's pixels with its place: left and upper edge in inches."""
    (axes,) = figure.axes
    found = []
    for image in axes.get_images():
        left, _, _, top = image.get_extent()
        found.append((round(left, 3), round(top, 3), np.asarray(image.get_array())))
    return found


@pytest.mark.parametrize(
    "right",
    [(True, False, True), (False, False, False), (True, True, True)],
    ids=["right wrong right", "all wrong", "all right"],
)
def test_right_and_wrong_differ_in_colour_stroke_and_mark(tmp_path, right):
    write_snapshots_of(tmp_path / "results", epochs=(2,), queries=1, right=right)
    figure = draw("figure3", evidence(tmp_path))
    drawn = {True: (GREEN.upper(), "-"), False: (RED.upper(), "dashed")}
    assert frames(figure) == [drawn[each] for each in right] * 2  # for both methods
    said = picture("figure3", evidence(tmp_path)).written.splitlines()
    assert said.count(RIGHT) == 2 * sum(right)
    assert said.count(WRONG) == 2 * (3 - sum(right))


def test_frames_and_marks_cover_nothing_of_an_image(tmp_path):
    write_snapshots_of(tmp_path / "results", epochs=(1, 2), queries=2)
    figure = draw("figure3", evidence(tmp_path))
    (axes,) = figure.axes
    images = [image.get_window_extent() for image in axes.get_images()]
    marks = [text for text in axes.texts if text.get_text() in (RIGHT, WRONG)]
    assert len(marks) == 2 * 2 * 2 * 3
    for mark in marks:
        assert not any(mark.get_window_extent().overlaps(image) for image in images)
    for each in figure.findobj(Rectangle):
        if not each.get_fill():
            half = each.get_linewidth() / 2 * figure.dpi / 72
            inner = each.get_window_extent().padded(-half)
            framed = [image for image in images if inner.overlaps(image)]
            assert len(framed) == 1
            assert inner.x0 <= framed[0].x0
            assert framed[0].x1 <= inner.x1
            assert min(inner.y0, inner.y1) <= min(framed[0].y0, framed[0].y1)
            assert max(framed[0].y0, framed[0].y1) <= max(inner.y0, inner.y1)


def test_figure_3_stands_in_rows_of_methods_and_columns_of_epochs(tmp_path):
    write_snapshots_of(tmp_path / "results", epochs=(1, 3), queries=1)
    figure = draw("figure3", evidence(tmp_path))
    said = picture("figure3", evidence(tmp_path)).written
    assert said.index("Baseline") < said.index("Top-DB-\nNet")
    for words in ("epoch 1", "epoch 3", "rank 1", "rank 3", "map", "query", "Market-1501, seed 1"):
        assert words in said
    placed = pictures(figure)
    rows = sorted({top for left, top, _ in placed if left > 1})
    columns = sorted({left for left, _, _ in placed if left > 1})
    assert len(rows) == 2
    assert len(columns) == 2 * 4
    ranked = [
        (left, int(pixels[0, 0, 0])) for left, top, pixels in placed if top == rows[0] and left > 1
    ]
    # Greys name the images: query 40, ranked 50, 60, 70; the maps are not grey.
    assert [grey for left, grey in sorted(ranked) if left in columns[1:4]] == [50, 60, 70]


def test_only_epochs_that_every_method_has_are_compared(tmp_path):
    write_snapshots_of(tmp_path / "results", methods=["baseline"], epochs=(1, 2, 4))
    write_snapshots_of(tmp_path / "results", methods=["top-db-net"], epochs=(1, 4))
    said = picture("figure3", evidence(tmp_path)).written
    assert "epoch 1" in said
    assert "epoch 4" in said
    assert "epoch 2" not in said


def test_a_gallery_shorter_than_the_list_leaves_a_gap(tmp_path):
    from dataclasses import replace

    from topdb.results.snapshots import NO_IMAGE, write_snapshots

    made = snapshots(epochs=(1,), queries=1)
    ranked, right = made.ranked.copy(), made.right.copy()
    ranked[..., 2], right[..., 2] = NO_IMAGE, False
    write_snapshots_of(tmp_path / "results", methods=["baseline"])
    path = tmp_path / "results/market1501/baseline/seed-1/snapshots.npz"
    write_snapshots(path, replace(made, ranked=ranked, right=right))
    assert len(frames(draw("figure3", evidence(tmp_path)))) == 2


def test_figure_2_shows_the_last_epoch_with_its_dropped_rows_black(tmp_path):
    write_snapshots_of(tmp_path / "results", methods=["top-db-net"], epochs=(1, 3), queries=2)
    figure = draw("figure2", evidence(tmp_path))
    said = picture("figure2", evidence(tmp_path)).written
    assert "Top-DB-Net\nepoch 3" in said
    for words in ("input", "activation", "drop mask"):
        assert words in said.splitlines()
    placed = sorted(pictures(figure), key=lambda each: each[0])
    assert len(placed) == 2 * 3
    for person in (0, 1):
        own, overlay, masked = (each[2] for each in placed[3 * person : 3 * person + 3])
        assert (own == 40 + 10 * person).all()
        # Row 3 of 6 over 128 pixels: 64 to 85.
        black = np.flatnonzero((masked == 0).all(axis=(1, 2)))
        assert black.min() == 64
        assert black.max() == 85
        brightest = overlay.astype(int).sum(axis=2)
        row, column = np.unravel_index(brightest.argmax(), brightest.shape)
        assert 64 <= row <= 85
        assert column < 32
