"""How many people and images each published data set has, by the name of its layout.

Sources: Zheng et al. (ICCV 2015), Zheng et al. (ICCV 2017), Zhong et al. (CVPR 2017; the new
protocol of CUHK03).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedCounts:
    """Sizes of a data set's splits; junk images are not counted."""

    train_people: int
    train_images: int
    query_images: int
    gallery_images: int


PUBLISHED_COUNTS = {
    "market1501": PublishedCounts(751, 12936, 3368, 15913),
    "dukemtmc-reid": PublishedCounts(702, 16522, 2228, 17661),
    "cuhk03-labeled": PublishedCounts(767, 7368, 1400, 5328),
    "cuhk03-detected": PublishedCounts(767, 7365, 1400, 5332),
}
