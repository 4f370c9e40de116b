"""Random evaluations that are hard on ranking code."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st


class Case(NamedTuple):
    query_features: np.ndarray
    gallery_features: np.ndarray
    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_camids: np.ndarray
    gallery_camids: np.ndarray

    @property
    def labels(self):
        return self[2:]

    def has_match(self):
        same = self.query_pids[:, None] == self.gallery_pids
        return bool((same & (self.query_camids[:, None] != self.gallery_camids)).any())


@st.composite
def cases(draw, smallest_gallery=1, largest_gallery=40, parts=False):
    """Few small whole numbers as features: ties and duplicates abound and products are exact."""
    queries = draw(st.integers(1, 8))
    gallery = draw(st.integers(smallest_gallery, largest_gallery))
    shape = (draw(st.integers(1, 4)),) if parts else ()
    shape += (draw(st.integers(1, 3)),)
    persons = draw(st.integers(1, 4))
    cameras = draw(st.integers(1, 3))
    values = draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Case(
        random.integers(0, values, (queries, *shape)).astype(np.float32),
        random.integers(0, values, (gallery, *shape)).astype(np.float32),
        random.integers(1, persons + 1, queries),
        random.integers(0, persons + 1, gallery),
        random.integers(0, cameras, queries),
        random.integers(0, cameras, gallery),
    )


def clustered(queries=40, gallery=300, dimensions=32, persons=30, seed=0, noise=1.5, parts=None):
    """Gaussian clusters: a case of ordinary data; the dimensions may be laid out in parts."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((persons + 1, dimensions))
    query_pids = random.integers(1, persons + 1, queries)
    gallery_pids = random.integers(0, persons + 1, gallery)

    def features(pids):
        spread = noise * random.standard_normal((len(pids), dimensions))
        found = (centres[pids] + spread).astype(np.float32)
        return found if parts is None else found.reshape(len(pids), parts, -1)

    return Case(
        features(query_pids),
        features(gallery_pids),
        query_pids,
        gallery_pids,
        random.integers(0, 4, queries),
        random.integers(0, 4, gallery),
    )
