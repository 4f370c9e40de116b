"""CUHK03's classic single-gallery-shot CMC."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topdb.retrieval.checks import checked_count
from topdb.retrieval.labels import Labels, Relevance
from topdb.retrieval.scores import cumulative_matches


@dataclass(frozen=True)
class SingleGalleryShot:
    """One random valid gallery image a person, drawn anew for each query and repeat.

    The protocol of Li et al. (CVPR 2014). CMC alone is single-shot: AP and INP, which need all
    matches, stay those of the whole gallery. The draws of a query depend on the seed and on the
    query's row alone. Distractors count as one person.
    """

    repeats: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checked_count("repeats", self.repeats)
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give a whole number of at least 0.")


class SingleShotCounter:
    """Adds up the single-shot CMC while blocks of distances pass by."""

    def __init__(
        self, protocol: SingleGalleryShot, labels: Labels, relevance: Relevance, max_rank: int
    ) -> None:
        self._protocol = protocol
        self._labels = labels
        self._relevance = relevance
        self._max_rank = max_rank
        self._by_person = np.argsort(labels.gallery_pids, kind="stable")
        self._persons, self._starts, self._sizes = np.unique(
            labels.gallery_pids[self._by_person], return_index=True, return_counts=True
        )
        self._hits = np.zeros(max_rank)
        self._queries = 0

    def add(self, first: int, distances: NDArray[np.floating]) -> None:
        """Count the queries of one block; row r is query first + r."""
        for row, line in enumerate(distances):
            edges = self._relevance.match_edges[first + row : first + row + 2]
            matches = self._relevance.matches[edges[0] : edges[1]]
            if len(matches):
                ranks = self._first_match_ranks(first + row, line, matches)
                self._hits += cumulative_matches(ranks, self._max_rank) / len(ranks)
                self._queries += 1

    def cmc(self) -> NDArray[np.float64]:
        """Mean CMC over the repeats and the evaluated queries, (max_rank,) float64."""
        return self._hits / self._queries

    def _first_match_ranks(
        self, query: int, line: NDArray[np.floating], matches: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        random = np.random.default_rng([self._protocol.seed, query])
        share = random.random((self._protocol.repeats, len(self._persons)))
        drawn = self._by_person[self._starts + (share * self._sizes).astype(np.int64)]
        own = int(np.searchsorted(self._persons, self._labels.query_pids[query]))
        match = matches[(share[:, own] * len(matches)).astype(np.int64)]
        drawn[:, own] = match
        others, wanted = line[drawn], line[match][:, None]
        before = (others < wanted) | ((others == wanted) & (drawn < match[:, None]))
        return np.asarray(before.sum(axis=1) + 1, np.int64)
