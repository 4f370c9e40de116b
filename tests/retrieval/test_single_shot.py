import numpy as np
import pytest
from retrieval.strategies import clustered

from topdb.retrieval import SingleGalleryShot, rank, rank_distances


def test_equals_the_whole_gallery_where_each_person_has_one_image():
    places = np.array([[4.0], [1.0], [2.0], [3.0]])
    case = ([[0.0], [3.4]], places, [1, 2], [1, 2, 3, 4], [0, 0], [1, 1, 1, 1])
    single = rank(*case, single_gallery_shot=SingleGalleryShot())
    np.testing.assert_allclose(single.cmc, rank(*case).cmc)


def test_expected_curve_worked_by_hand():
    # The query's person has images at 1 and 3, another person one at 2: the draw decides
    # between rank 1 and rank 2 with equal chance.
    case = ([[0.0]], [[1.0], [3.0], [2.0]], [1], [1, 1, 2], [0], [1, 1, 1])
    result = rank(*case, single_gallery_shot=SingleGalleryShot(repeats=4000, seed=3))
    assert result.cmc[0] == pytest.approx(0.5, abs=0.04)
    assert result.cmc[1] == pytest.approx(1.0)


def test_junk_is_never_drawn():
    case = ([[0.0]], [[0.0], [3.0], [2.0]], [1], [1, 1, 2], [0], [0, 1, 1])
    result = rank(*case, single_gallery_shot=SingleGalleryShot())
    assert result.cmc[0] == 0
    assert result.cmc[1] == pytest.approx(1.0)


def test_average_precision_stays_that_of_the_whole_gallery():
    case = clustered()
    single = rank(*case, single_gallery_shot=SingleGalleryShot())
    np.testing.assert_array_equal(single.ap, rank(*case).ap)


def test_seed_decides_the_draw():
    case = clustered(noise=3)
    first, again, other = (
        rank(*case, single_gallery_shot=SingleGalleryShot(seed=seed)).cmc for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_draws_do_not_depend_on_blocks(monkeypatch):
    from topdb.retrieval import ranking

    distances = np.random.default_rng(0).random((40, 300))
    case = clustered()
    protocol = SingleGalleryShot()
    whole = rank_distances(distances, *case.labels, single_gallery_shot=protocol)
    monkeypatch.setattr(ranking, "block_rows", lambda gallery: 7)
    parts = rank_distances(distances, *case.labels, single_gallery_shot=protocol)
    np.testing.assert_array_equal(whole.cmc, parts.cmc)
