"""From queries to people: the unit that a sample of re-identification queries really has."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PersonSums:
    """Average precision summed within each person.

    sums: (runs, people) float64, sum over the person's evaluated queries
    counts: (people,) float64, number of the person's evaluated queries, at least 1
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]


def person_sums(runs: dict[str, NDArray[np.float64]], people: ArrayLike) -> dict[str, PersonSums]:
    """Sum each run's scores within people.

    runs: (runs, queries) float64 by name; NaN where a query has no valid match, which must be the
    same queries in every run, since it depends on the labels alone
    people: (queries,) integers, the person of each query
    returns: one PersonSums a name, all with the same people in the same order

    Raises ValueError for other shapes, an infinite score, a missing person, fewer than two people,
    or runs that were not evaluated on the same queries.
    """
    person = _checked_people(people)
    evaluated: NDArray[np.bool_] | None = None
    for name, scores in runs.items():
        if scores.ndim != 2 or scores.shape[1] != len(person):
            raise ValueError(
                f"{name} has shape {scores.shape} where (seeds, {len(person)} queries) is needed: "
                "give one row a seed, with the queries in the order of people."
            )
        if np.isinf(scores).any():
            raise ValueError(f"{name} has infinite scores: give finite ones, or NaN for no match.")
        for row in scores:
            if evaluated is None:
                evaluated = ~np.isnan(row)
            if not np.array_equal(evaluated, ~np.isnan(row)):
                raise ValueError(
                    f"{name} was evaluated on other queries than the run before it: compare runs "
                    "with the same query and gallery sets."
                )
    if evaluated is None:
        raise ValueError("runs has no run at all: give at least one seed.")
    distinct, member = np.unique(person[evaluated], return_inverse=True)
    if len(distinct) < 2:
        raise ValueError(
            f"people has {len(distinct)} persons with an evaluated query where at least 2 are "
            "needed: evaluate on more people."
        )
    counts = np.bincount(member).astype(np.float64)
    return {
        name: PersonSums(
            np.stack([np.bincount(member, weights=row[evaluated]) for row in scores]), counts
        )
        for name, scores in runs.items()
    }


def _checked_people(people: ArrayLike) -> NDArray[np.int64]:
    person = np.asarray(people)
    if person.ndim != 1 or not np.issubdtype(person.dtype, np.integer):
        raise ValueError(
            f"people has shape {person.shape} and type {person.dtype} where one whole number a "
            "query is needed: give the person id of each query."
        )
    if (person < 0).any():
        raise ValueError("people has negative ids: give the person id of each query.")
    return person.astype(np.int64)
