import numpy as np

from topdb.reporting.sheets import with_dropped, with_map

GREY = np.full((12, 4, 3), 100, np.uint8)


def test_dropped_rows_are_black_over_their_share_of_the_image():
    masked = with_dropped(GREY, np.array([True, False, True]))
    assert (masked[4:8] == 0).all()
    assert (masked[:4] == 100).all()
    assert (masked[8:] == 100).all()
    assert (GREY == 100).all()


def test_a_map_is_brightest_where_it_is_greatest_and_darkest_where_it_is_least():
    activation = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 5.0]], np.float32)
    light = with_map(GREY, activation).astype(int).sum(axis=2)
    assert light[10:, 3].min() == light.max()
    assert light[0, 0] == light.min()
    # In between it rises: no steps at the cells' edges.
    assert (np.diff(light[6:11, 3]) > 0).all()


def test_a_scale_of_the_map_changes_nothing_and_a_flat_map_is_dark():
    activation = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert (with_map(GREY, activation) == with_map(GREY, 8 * activation)).all()
    flat = with_map(GREY, np.ones((2, 2), np.float32))
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1


def test_a_map_of_one_cell_covers_the_image():
    assert with_map(GREY, np.array([[3.0]])).shape == GREY.shape
