import pytest

from topdb.datasets.published_counts import PUBLISHED_COUNTS
from topdb.params import dropped_in


@pytest.mark.parametrize(
    ("layout", "counts"),
    [
        ("market1501", (751, 12936, 3368, 15913)),
        ("dukemtmc-reid", (702, 16522, 2228, 17661)),
        ("cuhk03-labeled", (767, 7368, 1400, 5328)),
        ("cuhk03-detected", (767, 7365, 1400, 5332)),
    ],
)
def test_published_counts_are_those_of_the_publications(layout, counts):
    found = PUBLISHED_COUNTS[layout]
    assert counts == (
        found.train_people,
        found.train_images,
        found.query_images,
        found.gallery_images,
    )


def test_every_counted_layout_can_be_read():
    assert set(PUBLISHED_COUNTS) <= set(dropped_in("datasets/layouts"))
