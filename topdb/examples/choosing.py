"""Which queries of a data set are worth a look."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topdb.examples.lists import ScoredRuns


@dataclass(frozen=True)
class Choice:
    """A query, why it is shown, and whose lists are shown for it, one above the other."""

    kind: str
    """`best`, `worst`, `gained`, `lost`, `rk-gained` or `rk-lost`."""
    row: int
    """Of the query, in the runs' order."""
    lists: tuple[ScoredRuns, ...]


def choices(
    method: ScoredRuns, reference: ScoredRuns | None, reranked: ScoredRuns | None, count: int
) -> Iterator[Choice]:
    """Yield up to `count` queries of each kind, all queries of a kind of different people.

    AP is the mean over the runs' seeds. Of equals those with more matches come first: a list of
    many that is right throughout says more than a list of one.
    """
    ap = method.mean_ap
    yield from _kind("best", ap, (method,), count)
    yield from _kind("worst", -ap, (method,), count)
    if reference is not None:
        gain = ap - reference.mean_ap
        yield from _kind("gained", _positive(gain), (reference, method), count)
        yield from _kind("lost", _positive(-gain), (reference, method), count)
    if reranked is not None:
        gain = reranked.mean_ap - ap
        yield from _kind("rk-gained", _positive(gain), (method, reranked), count)
        yield from _kind("rk-lost", _positive(-gain), (method, reranked), count)


def _positive(change: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(change > 0, change, np.nan)


def _kind(
    kind: str, key: NDArray[np.float64], lists: tuple[ScoredRuns, ...], count: int
) -> Iterator[Choice]:
    """Yield the queries of the largest key; those without one are not eligible."""
    first = lists[0]
    order = np.lexsort((np.arange(len(key)), -first.matches, -key))
    people: set[int] = set()
    for row in order[: np.count_nonzero(~np.isnan(key))]:
        if len(people) == count:
            return
        if first.people[row] not in people:
            people.add(int(first.people[row]))
            yield Choice(kind, int(row), lists)
