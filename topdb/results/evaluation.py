"""The files of an evaluation: `queries.parquet`, `top.parquet` and `metrics.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from topdb.errors import UserError
from topdb.results.provenance import Code, read_code
from topdb.results.records import known, lacking
from topdb.results.seals import (
    read_sealed_json,
    read_sealed_table,
    require_stated,
    write_sealed_json,
    write_sealed_table,
)

CMC_RANKS = (1, 5, 10, 20)
"""Ranks at which `metrics.json` states the cumulative matching characteristic."""
TOP = 10
"""Nearest valid gallery images of each query that `top.parquet` names."""

_OF_THE_IMAGE = ("path", "pid", "camid", "matches")
_ORDER = ("path", "pid", "camid", "ap", "inp", "first_match_rank", "matches")
_NEEDED = ("path", "pid", "matches", "ap", "first_match_rank")
_LARGEST = 2**63
"""No person, camera or rank has such a number; 64 bits do not hold it."""
_AGAIN = "run `topdb evaluate` again."


def numbered(side: str, count: int) -> NDArray[np.str_]:
    """Return what stands for the paths of images that have none: a side and a number, from 1."""
    return np.array([f"{side}/{number:06d}" for number in range(1, count + 1)])


def are_numbered(paths: Sequence[str]) -> bool:
    """Whether paths are numbers that stand for images without paths."""
    side = paths[0].partition("/")[0] if len(paths) else ""
    return tuple(paths) == tuple(numbered(side, len(paths)).tolist())


@dataclass(frozen=True, eq=False)
class Queries:
    """`queries.parquet`: one row a query.

    paths: Q image files, relative to the data set
    pids, camids, matches: (Q,) int64, person, camera and number of valid matches
    columns: (Q,) arrays by name, what the metrics are read from: `ap`, `inp`, `first_match_rank`
    and those of metrics that were added; NaN where a query has none
    """

    paths: tuple[str, ...]
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    matches: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    file_digest: str = ""
    """SHA-256 of the file that it was read from."""

    @property
    def evaluated(self) -> NDArray[np.bool_]:
        """(Q,) whether a query has a valid match."""
        has_match: NDArray[np.bool_] = ~np.isnan(self.columns["ap"])
        return has_match


def write_queries(path: Path, queries: Queries) -> None:
    """Write `queries.parquet`; NaN becomes a missing value."""
    content = {
        "path": _texts(queries.paths),
        "pid": _whole(queries.pids),
        "camid": _whole(queries.camids),
        "matches": _whole(queries.matches),
        **{name: _column(each) for name, each in queries.columns.items()},
    }
    names = [*_ORDER, *(name for name in content if name not in _ORDER)]
    _write(path, {name: content[name] for name in names})


def read_queries(path: Path) -> Queries:
    """Read `queries.parquet`, whoever wrote it.

    Raises
    ------
    UserError
        The file is missing or broken, lacks a column, holds values that cannot be, or has no
        query with a match.
    """
    content, file_digest = _read(path, _NEEDED, "table of queries")
    whole = {
        name: _integers(path, name, values)
        for name, values in content.items()
        if name in ("pid", "camid", "matches", "first_match_rank")
    }
    columns: dict[str, NDArray[Any]] = {}
    for name, values in content.items():
        if name not in (*_OF_THE_IMAGE, *whole):
            columns[name] = _numbers(path, name, values)
    columns["first_match_rank"] = ranks = whole["first_match_rank"]
    if np.isnan(columns["ap"]).all():
        raise UserError(f"{path} has no query with a match: delete it and {_AGAIN}")
    if (ranks[~np.isnan(columns["ap"])] < 1).any():
        raise UserError(f"{path} has an ap and no first_match_rank for the same query: {_AGAIN}")
    return Queries(
        tuple(content["path"]),
        whole["pid"],
        whole.get("camid", np.zeros(len(ranks), np.int64)),
        whole["matches"],
        columns,
        file_digest,
    )


def _integers(path: Path, name: str, values: Sequence[object]) -> NDArray[np.int64]:
    least = -_LARGEST if name == "first_match_rank" else 0
    for number, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _LARGEST:
            if name == "pid":
                has = "no person id" if value is None else f"pid {value!r}"
                raise UserError(
                    f"{path}: query {number} has {has}: "
                    "give each query the whole number of its person."
                )
            raise UserError(f"{path}: query {number} has {name} {value!r}: {_AGAIN}")
    return np.array(values, np.int64)


def _numbers(path: Path, name: str, values: Sequence[object]) -> NDArray[np.float64]:
    """Numbers, NaN for a missing one; AP and INP lie between 0 and 1."""
    fraction = name in ("ap", "inp")
    found = np.full(len(values), np.nan)
    for number, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, float | int) or (fraction and not 0.0 <= value <= 1.0):
            wrong = ", which is outside [0, 1]" if fraction else ", which is no number"
            raise UserError(f"{path}: query {number} has {name} {value!r}{wrong}: {_AGAIN}")
        found[number] = value
    return found


@dataclass(frozen=True, eq=False)
class Top:
    """`top.parquet`: the nearest valid gallery images, a row each, queries one after another.

    queries, galleries: image files; ranks: int64, from 1; right: bool
    """

    queries: tuple[str, ...]
    ranks: NDArray[np.int64]
    galleries: tuple[str, ...]
    right: NDArray[np.bool_]

    def by_query(self) -> dict[str, list[tuple[str, bool]]]:
        """Return path and rightness of each query's images, nearest first."""
        found: dict[str, list[tuple[str, bool]]] = {}
        for row in np.argsort(self.ranks, kind="stable"):
            nearest = found.setdefault(self.queries[row], [])
            nearest.append((self.galleries[row], bool(self.right[row])))
        return found


def write_top(path: Path, top: Top) -> None:
    """Write `top.parquet`."""
    content = {
        "query": _texts(top.queries),
        "rank": _whole(top.ranks),
        "gallery": _texts(top.galleries),
        "right": _column(top.right),
    }
    _write(path, content)


def read_top(path: Path, expected: str | None = None) -> Top:
    """Read `top.parquet`, whose SHA-256 has to be the expected one, where one is stated.

    Raises
    ------
    UserError
        The file is missing or broken, is another, or lacks a column.
    """
    wanted = ("query", "rank", "gallery", "right")
    content, file_digest = _read(path, wanted, "table of ranked images")
    require_stated(path, file_digest, expected, "metrics.json", _AGAIN)
    ranks = _integers(path, "rank", content["rank"])
    right = np.array(content["right"], np.bool_)
    return Top(tuple(content["query"]), ranks, tuple(content["gallery"]), right)


@dataclass(frozen=True, eq=False)
class Summary:
    """`metrics.json`; shares are fractions in [0, 1].

    metrics: by name, the mean over the evaluated queries (R1: the CMC at rank 1, and so on)
    """

    metrics: Mapping[str, float]
    queries: int
    queries_without_match: int
    gallery: int
    evaluator: Mapping[str, Any]
    features_digest: str
    doubts: tuple[str, ...] = ()
    """What makes the evaluation doubtful, a sentence each."""
    gallery_digests: Mapping[str, str] = field(default_factory=dict)
    """Of its `people` with their cameras, and of its `images` by name, in whatever order; empty of
    a file written before there were digests, and without `images` where those were numbered."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """Digest of the code that ranked and scored, what git has of it, versions and variables."""
    collapsed: bool = False
    """Whether all features are one and the same, so that the scores are the gallery's order."""
    queries_digest: str | None = None
    """SHA-256 of the evaluation's `queries.parquet`; None where an older one does not tell."""
    top_digest: str | None = None
    """Of its `top.parquet`."""

    @property
    def code(self) -> Code:
        """The code that ranked and scored."""
        return read_code(self.made_by.get("code"), self.made_by)

    def content(self) -> dict[str, Any]:
        """Return what the file holds."""
        at_ranks = {f"R{rank}": rank for rank in CMC_RANKS}
        others = {name: value for name, value in self.metrics.items() if name not in at_ranks}
        return {
            "mAP": others.pop("mAP"),
            "mINP": others.pop("mINP"),
            "cmc": {str(rank): self.metrics[name] for name, rank in at_ranks.items()},
            **others,
            "queries": self.queries,
            "queries_without_match": self.queries_without_match,
            "gallery": self.gallery,
            "evaluator": self.evaluator,
            "features_digest": self.features_digest,
            **({"gallery_digests": self.gallery_digests} if self.gallery_digests else {}),
            "queries_digest": self.queries_digest,
            "top_digest": self.top_digest,
            **({"doubts": list(self.doubts)} if self.doubts else {}),
            **({"collapsed": True} if self.collapsed else {}),
            **({"made_by": self.made_by} if self.made_by else {}),
        }


def write_metrics(path: Path, summary: Summary) -> None:
    """Write `metrics.json`."""
    write_sealed_json(path, summary.content())


def read_metrics(path: Path) -> Summary:
    """Read `metrics.json`.

    Raises
    ------
    UserError
        The file is missing or broken, was changed, or lacks something.
    """
    content = read_sealed_json(path, "queries_digest", _AGAIN)
    try:
        counts = (
            int(content.pop("queries")),
            int(content.pop("queries_without_match")),
            int(content.pop("gallery")),
        )
        evaluator, digest = dict(content.pop("evaluator")), str(content.pop("features_digest"))
        made_by = dict(content.pop("made_by", {}))
        files = known(content.pop("queries_digest", None)), known(content.pop("top_digest", None))
        cmc = {f"R{rank}": value for rank, value in content.pop("cmc").items()}
        doubts = tuple(map(str, content.pop("doubts", ())))
        gallery_digests = dict(content.pop("gallery_digests", {}))
        collapsed = bool(content.pop("collapsed", False))
        metrics = {name: float(value) for name, value in (content | cmc).items()}
        for name in ("mAP", "mINP", *(f"R{rank}" for rank in CMC_RANKS)):
            metrics[name]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise lacking(path, error, _AGAIN) from None
    return Summary(
        metrics,
        *counts,
        evaluator,
        digest,
        doubts,
        gallery_digests,
        made_by,
        collapsed,
        *files,
    )


def _write(path: Path, content: Mapping[str, pa.Array]) -> None:
    write_sealed_table(path, pa.Table.from_arrays([*content.values()], names=[*content]))


# Columns are made of buffers: `pa.array` imports pandas where it is installed, which costs more
# time than a small evaluation.


def _texts(values: Sequence[str]) -> pa.Array:
    encoded = [value.encode() for value in values]
    edges = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    if edges[-1] > np.iinfo(np.int32).max:
        return pa.array(values, pa.string())
    buffers = [None, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _whole(values: NDArray[np.int64]) -> pa.Array:
    return _column(np.asarray(values, np.int64))


def _column(values: NDArray[Any]) -> pa.Array:
    """Return numbers, or true and false; NaN becomes a missing value."""
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if values.dtype.kind not in "fiub":
        return pa.array(values, from_pandas=True)
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(0, np.bool_)
    known = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    kind = pa.from_numpy_dtype(values.dtype)
    content = np.packbits(values, bitorder="little") if values.dtype.kind == "b" else values
    return pa.Array.from_buffers(kind, len(values), [known, pa.py_buffer(content)])


def _read(path: Path, needed: Sequence[str], kind: str) -> tuple[dict[str, list[Any]], str]:
    """Return all columns of a table, of which some are needed, and the file's SHA-256."""
    try:
        table, file_digest = read_sealed_table(path, _AGAIN)
        missing = [name for name in needed if name not in table.column_names]
        if missing:
            raise KeyError(f"no column {missing[0]}")
        return {name: table[name].to_pylist() for name in table.column_names}, file_digest
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {_AGAIN}") from None
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is no readable {kind} ({reason}): delete it and {_AGAIN}"
        ) from None
