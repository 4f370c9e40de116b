"""What makes an evaluation doubtful, found in its arrays and said in sentences."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

ALL_EQUAL = "all distances are equal, and the ranking is the order of the gallery"
"""What is said of an evaluation whose score means nothing."""


@dataclass(frozen=True)
class Doubts:
    """Counts of an evaluation's oddities.

    queries, without_match: numbers of queries, and of those that have no valid match
    in_gallery: queries whose very feature is a gallery image's, too, under another camera
    same_paths: queries whose path is a gallery image's
    all_equal: whether all gallery features are one and the same
    centred: whether rounding made it necessary to subtract the gallery's mean
    """

    queries: int
    without_match: int
    in_gallery: int
    same_paths: int
    all_equal: bool
    centred: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for each oddity; none for an evaluation as it should be."""
        found = []
        if self.all_equal:
            found.append(ALL_EQUAL)
        if self.without_match:
            scored = self.queries - self.without_match
            found.append(
                f"{self.without_match} of {self.queries} queries have no match in the gallery, "
                f"and the scores are of the other {scored}"
            )
        if self.same_paths:
            found.append(f"{self.same_paths} query images are gallery images, too, by their paths")
        if self.in_gallery:
            found.append(
                f"{self.in_gallery} queries have the very feature of a gallery image under another "
                "camera, as where one image is on both sides"
            )
        if self.centred and not self.all_equal:
            found.append(
                "the features lie so far from zero, for their spread, that the gallery's mean was "
                "subtracted from all of them before they were compared"
            )
        return tuple(found)


def find_doubts(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_camids: NDArray[np.int64],
    gallery_camids: NDArray[np.int64],
    query_paths: NDArray[np.str_],
    gallery_paths: NDArray[np.str_],
    matches: NDArray[np.int64],
    centred: bool,
) -> Doubts:
    """Look at the arrays of an evaluation.

    Parameters
    ----------
    query, gallery : (Q, D) and (G, D) or (Q, parts, D) and (G, parts, D) float32
    query_camids, gallery_camids : (Q,) and (G,) int64
    query_paths, gallery_paths : (Q,) and (G,) text
    matches : (Q,) int64, valid matches of each query
    centred : whether the features were centred
    """
    cameras: dict[bytes, set[int]] = {}
    for row, camera in zip(gallery, gallery_camids.tolist(), strict=True):
        cameras.setdefault(_digest(row), set()).add(camera)
    copies = [
        cameras.get(_digest(row), set()) - {camera}
        for row, camera in zip(query, query_camids.tolist(), strict=True)
    ]
    equal = len(gallery) > 1 and len(cameras) == 1
    return Doubts(
        queries=len(query),
        without_match=int((matches == 0).sum()),
        in_gallery=0 if equal else sum(map(bool, copies)),
        same_paths=int(np.isin(query_paths, gallery_paths).sum()),
        all_equal=equal,
        centred=centred,
    )


def _digest(feature: NDArray[np.float32]) -> bytes:
    """Return what stands for a feature, so that none is held in memory twice."""
    return blake2b(feature.tobytes(), digest_size=16).digest()
