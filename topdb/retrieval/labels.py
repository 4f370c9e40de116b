"""Which gallery images are right, wrong or junk for each query."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topdb.retrieval.checks import checked_ids

DISTRACTOR = 0


@dataclass(frozen=True)
class Labels:
    """Persons and cameras of a query set and a gallery, all int64.

    query_pids, query_camids: (Q,); gallery_pids, gallery_camids: (G,). Person 0 is a distractor.
    """

    query_pids: NDArray[np.int64]
    gallery_pids: NDArray[np.int64]
    query_camids: NDArray[np.int64]
    gallery_camids: NDArray[np.int64]


@dataclass(frozen=True)
class Relevance:
    """Gallery indices of each query's matches and junk, as lists laid end to end.

    The matches of query q are `matches[match_edges[q]:match_edges[q + 1]]`, ascending; junk
    alike. All arrays are int64.
    """

    match_edges: NDArray[np.int64]
    matches: NDArray[np.int64]
    junk_edges: NDArray[np.int64]
    junk: NDArray[np.int64]

    @property
    def match_counts(self) -> NDArray[np.int64]:
        """Valid matches of each query, (Q,) int64."""
        return np.diff(self.match_edges)


def checked_labels(
    queries: int,
    gallery: int,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
) -> Labels:
    """The labels as int64. Raises ValueError where lengths or persons cannot be right."""
    labels = Labels(
        checked_ids("query_pids", query_pids, queries, "the query"),
        checked_ids("gallery_pids", gallery_pids, gallery, "the gallery"),
        checked_ids("query_camids", query_camids, queries, "the query"),
        checked_ids("gallery_camids", gallery_camids, gallery, "the gallery"),
    )
    distractors = np.flatnonzero(labels.query_pids == DISTRACTOR)
    if len(distractors):
        raise ValueError(
            f"query_pids row {distractors[0]} is 0, the number of distractors; "
            "number the persons from 1."
        )
    for name, pids in (("query_pids", labels.query_pids), ("gallery_pids", labels.gallery_pids)):
        negative = np.flatnonzero(pids < 0)
        if len(negative):
            raise ValueError(
                f"{name} row {negative[0]} is {pids[negative[0]]}; "
                "leave junk images out and number the persons from 1."
            )
    return labels


def relevance(labels: Labels) -> Relevance:
    """Matches (same person, another camera) and junk (same person, same camera) of each query.

    Raises ValueError where no query has a match.
    """
    by_person = np.argsort(labels.gallery_pids, kind="stable")
    persons = labels.gallery_pids[by_person]
    first = np.searchsorted(persons, labels.query_pids, side="left")
    lengths = np.searchsorted(persons, labels.query_pids, side="right") - first
    edges = _edges(lengths)
    query = np.repeat(np.arange(len(lengths)), lengths)
    same_person = by_person[np.arange(edges[-1]) - edges[query] + first[query]]
    same_camera = labels.gallery_camids[same_person] == labels.query_camids[query]
    junk_lengths = np.bincount(query[same_camera], minlength=len(lengths))
    found = Relevance(
        match_edges=_edges(lengths - junk_lengths),
        matches=same_person[~same_camera],
        junk_edges=_edges(junk_lengths),
        junk=same_person[same_camera],
    )
    if found.matches.size == 0:
        raise ValueError(
            "no row of query_pids has a match under another camera in gallery_pids and "
            "gallery_camids; check that query and gallery number persons and cameras alike."
        )
    return found


def _edges(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
