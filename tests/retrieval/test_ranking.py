import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from retrieval import definitions
from retrieval.definitions import ranked_lists, step_ap, trapezoid_ap
from retrieval.strategies import cases, clustered

from topdb.retrieval import rank, rank_distances, squared_distances

AP = {"step": step_ap, "trapezoid": trapezoid_ap}
pytestmark = pytest.mark.usefixtures("both_kernels")
fixtures_stay = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def on_a_line(gallery_places):
    """One query at 0; gallery images at the given places."""
    return np.zeros((1, 1), np.float32), np.array(gallery_places, np.float32)[:, None]


@fixtures_stay
@given(case=cases(), rule=st.sampled_from(sorted(AP)), max_rank=st.integers(1, 60))
def test_equals_the_definition_of_a_stable_ranking(case, rule, max_rank):
    assume(case.has_match())
    result = rank(*case, ap_rule=rule, max_rank=max_rank)
    distances = ((case.query_features[:, None] - case.gallery_features) ** 2).sum(axis=2)
    lists = ranked_lists(distances, *case.labels)
    np.testing.assert_allclose(result.ap, [AP[rule](ranks) for ranks in lists], rtol=0, atol=1e-12)
    inp = [len(ranks) / ranks[-1] if ranks else np.nan for ranks in lists]
    np.testing.assert_allclose(result.inp, inp, rtol=0, atol=1e-12)
    first = [ranks[0] if ranks else 0 for ranks in lists]
    np.testing.assert_array_equal(result.first_match_rank, first)
    np.testing.assert_array_equal(result.matches, [len(ranks) for ranks in lists])
    evaluated = [place for place in first if place]
    cmc = [np.mean(np.array(evaluated) <= k) for k in range(1, max_rank + 1)]
    np.testing.assert_allclose(result.cmc, cmc, rtol=0, atol=1e-12)
    assert result.queries == len(evaluated)
    assert result.queries_without_match == len(first) - len(evaluated)
    assert result.mAP == pytest.approx(np.nanmean(result.ap), abs=1e-12)
    assert result.mINP == pytest.approx(np.nanmean(result.inp), abs=1e-12)


@fixtures_stay
@given(case=cases(), dtype=st.sampled_from([np.float32, np.float64, np.int32]))
def test_given_distances_are_ranked_as_they_are(case, dtype):
    assume(case.has_match())
    distances = squared_distances(*case[:2]).astype(dtype)
    given_, computed = rank_distances(distances, *case.labels), rank(*case)
    np.testing.assert_array_equal(given_.ap, computed.ap)
    np.testing.assert_array_equal(given_.cmc, computed.cmc)


def test_ordinary_features_equal_a_stable_sort_of_the_same_distances():
    case = clustered(gallery=700)
    lists = ranked_lists(squared_distances(*case[:2]), *case.labels)
    np.testing.assert_allclose(rank(*case).ap, [step_ap(ranks) for ranks in lists], atol=1e-12)


def test_distances_have_the_bits_that_numpy_gives():
    case = clustered(gallery=5000)
    expected = definitions.squared_distances_in_float32(*case[:2])
    assert squared_distances(*case[:2]).tobytes() == expected.tobytes()
    lists = definitions.ranked_lists(expected, *case.labels)
    first = [ranks[0] if ranks else 0 for ranks in lists]
    np.testing.assert_array_equal(rank(*case).first_match_rank, first)


def test_golden_numbers_of_the_released_implementation(golden):
    names = "query_features gallery_features query_pids gallery_pids query_camids gallery_camids"
    result = rank(*(golden[name] for name in names.split()))
    np.testing.assert_allclose(result.ap, golden["ap"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(result.cmc, golden["cmc20"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(result.first_match_rank == 1, golden["rank1"] == 1)
    assert result.mAP == pytest.approx(float(golden["mAP"]), abs=1e-6)


def test_worked_by_hand():
    # By distance: wrong, match, junk, distractor, match. Valid list: wrong, match, distractor,
    # match, so that the matches have ranks 2 and 4.
    query, gallery = on_a_line([5, 2, 1, 3, 4])
    result = rank(query, gallery, [7], [7, 7, 8, 7, 0], [0], [1, 1, 0, 0, 2], max_rank=5)
    assert result.ap[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert result.inp[0] == pytest.approx(2 / 4)
    assert result.first_match_rank[0] == 2
    assert result.matches[0] == 2
    assert result.cmc.tolist() == [0, 1, 1, 1, 1]
    trapezoid = rank(
        query, gallery, [7], [7, 7, 8, 7, 0], [0], [1, 1, 0, 0, 2], ap_rule="trapezoid"
    )
    assert trapezoid.ap[0] == pytest.approx(((0 / 1 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2)


def test_equal_distances_come_in_the_order_of_the_gallery():
    query, gallery = on_a_line([1, -1, 1])
    ranks = [
        rank(query, gallery, [1], np.roll([1, 2, 2], place), [0], [1, 1, 1]).first_match_rank[0]
        for place in range(3)
    ]
    assert ranks == [1, 2, 3]


def test_gallery_of_one_image():
    result = rank([[0.0]], [[1.0]], [1], [1], [0], [1], max_rank=3)
    assert (result.mAP, result.cmc.tolist()) == (1.0, [1, 1, 1])


def test_query_without_a_match_is_left_out_and_counted():
    result = rank([[0.0], [0.0]], [[1.0]], [1, 2], [1], [0, 0], [1])
    assert np.isnan(result.ap[1])
    assert (result.queries, result.queries_without_match, result.mAP) == (1, 1, 1.0)
    assert result.first_match_rank.tolist() == [1, 0]


def test_read_only_memory_map_is_taken(tmp_path):
    case = clustered()
    np.save(tmp_path / "gallery.npy", case.gallery_features)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    assert rank(case.query_features, mapped, *case.labels).mAP == rank(*case).mAP


def test_progress_ends_at_one():
    seen = []
    rank(*clustered(), progress=lambda stage, share: seen.append((stage, share)))
    assert seen[-1] == ("ranking", 1.0)
