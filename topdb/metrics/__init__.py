"""The metrics: one metric, or one family of them, a file, found by this folder.

To add one, drop a file into this folder. It defines one name::

    METRICS = (Metric(name="R3", title="R3", column="first_match_rank", ...),)

No list is edited. A metric with a column of its own gets that column in `queries.parquet` and its
summary, under its name, in `metrics.json`.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

APRule = Literal["step", "trapezoid"]


@dataclass(frozen=True, eq=False)
class MatchRanks:
    """What an evaluation knows of the matches of its queries.

    ranks: (M,) int64, from 1, of all valid matches; queries laid end to end, ascending within one
    counts: (Q,) int64, valid matches of each query; queries without one have no rank
    ap_rule: how this evaluation computes the average precision
    """

    ranks: NDArray[np.int64]
    counts: NDArray[np.int64]
    ap_rule: APRule = "step"

    @property
    def evaluated(self) -> NDArray[np.bool_]:
        """(Q,) whether a query has a valid match."""
        return self.counts > 0

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Entries in `ranks` of the first match of each evaluated query."""
        return (np.cumsum(self.counts) - self.counts)[self.evaluated]

    @property
    def lasts(self) -> NDArray[np.int64]:
        """Entries in `ranks` of the last match of each evaluated query."""
        return self.firsts + self.counts[self.evaluated] - 1

    def column(self, values: NDArray[Any], missing: float) -> NDArray[Any]:
        """Return (Q,) the values of the evaluated queries, and `missing` for the others."""
        found = np.full(len(self.counts), missing, values.dtype)
        found[self.evaluated] = values
        return found


@dataclass(frozen=True)
class Metric:
    """A number of each query, and its mean."""

    name: str
    """What params.yaml, files and tables call it."""
    title: str
    """What heads its column in a table."""
    column: str
    """The column of queries.parquet that it is read from; several metrics may share one."""
    of_ranks: Callable[[MatchRanks], NDArray[Any]]
    """Returns (Q,) what is stored in that column; NaN in a column of floats is a missing value."""
    per_query: Callable[[NDArray[Any]], NDArray[np.float64]]
    """From the stored column to (Q,) fractions, NaN where a query has no valid match."""
    better: Literal["higher", "lower"] = "higher"

    def summary(self, column: NDArray[Any]) -> float:
        """Return the mean over the evaluated queries of a stored column, (Q,)."""
        values = self.per_query(column)
        return float(values[~np.isnan(values)].mean())


def metrics() -> dict[str, Metric]:
    """Return all metrics by name: files in the order of their names, each in its own order.

    Raises
    ------
    ValueError
        Two metrics have one name, or fill one column in two ways.
    """
    found: dict[str, Metric] = {}
    fillers: dict[str, Metric] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        for each in import_module(f"{__name__}.{name}").METRICS:
            if each.name in found:
                raise ValueError(f"two metrics are called {each.name}; give one another name.")
            other = fillers.setdefault(each.column, each)
            if other.of_ranks is not each.of_ranks:
                raise ValueError(
                    f"the metrics {other.name} and {each.name} fill the column {each.column} in "
                    "two ways; give one another column."
                )
            found[each.name] = each
    return found


def metric(name: str) -> Metric:
    """Return the metric of that name. Raises KeyError where there is none."""
    return metrics()[name]


def columns(matches: MatchRanks) -> dict[str, NDArray[Any]]:
    """Return what is stored of each query, by column: (Q,) each.

    Raises ValueError where a metric returns another shape.
    """
    found: dict[str, NDArray[Any]] = {}
    for each in metrics().values():
        if each.column in found:
            continue
        values = each.of_ranks(matches)
        if values.shape != matches.counts.shape:
            raise ValueError(
                f"the metric {each.name} returns shape {values.shape} for {len(matches.counts)} "
                "queries; return one number a query."
            )
        found[each.column] = values
    return found
