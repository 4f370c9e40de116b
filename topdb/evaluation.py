"""From a features file to its scores: `queries.parquet`, `top.parquet` and `metrics.json`."""

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topdb.config import Ranking, RankingSettings
from topdb.errors import UserError
from topdb.files import digest, replacing, write_json

if TYPE_CHECKING:
    from topdb.retrieval import RankingResult

CMC_RANKS = (1, 5, 10, 20)
"""Ranks at which `metrics.json` states the cumulative matching characteristic."""
TOP = 10
"""Nearest valid gallery images of each query that `top.parquet` names."""

_ARRAYS = tuple(
    f"{split}_{part}"
    for split in ("query", "gallery")
    for part in ("features", "pids", "camids", "paths")
)


_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)
"""What zipfile and numpy raise on damaged bytes; MemoryError where a size is a lie."""


@dataclass(frozen=True)
class Features:
    """Features of query and gallery, float32, with ids, cameras and paths.

    They are (Q, D) and (G, D), or (Q, parts, D) and (G, parts, D) where the distance is a sum
    over parts.
    """

    query_features: NDArray[np.float32]
    query_pids: NDArray[np.int64]
    query_camids: NDArray[np.int64]
    query_paths: NDArray[np.str_]
    gallery_features: NDArray[np.float32]
    gallery_pids: NDArray[np.int64]
    gallery_camids: NDArray[np.int64]
    gallery_paths: NDArray[np.str_]

    @property
    def parts(self) -> int | None:
        """Parts of a feature; None where features are whole."""
        return self.query_features.shape[1] if self.query_features.ndim == 3 else None


def read_features(path: Path) -> Features:
    """Read `features.npz`, whoever wrote it.

    Raises
    ------
    UserError
        The file is missing, broken, or lacks an array.
    """
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            missing = [name for name in _ARRAYS if name not in arrays.files]
            if missing:
                raise UserError(f"{path} lacks the array {missing[0]}: write {', '.join(_ARRAYS)}.")
            found = {name: arrays[name] for name in _ARRAYS}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: train the run, or correct the name.") from None
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is no readable .npz file ({reason}): write it again.") from None
    for name in ("query_paths", "gallery_paths"):
        if found[name].dtype.kind != "U" or found[name].ndim != 1:
            raise UserError(f"{path}: {name} is no list of texts: write one path an image.")
    return Features(**found)


def evaluate(
    features_path: Path,
    ranking: Ranking,
    settings: RankingSettings,
    folder: Path,
    threads: int,
    *,
    device: str = "cpu",
    quiet: bool = True,
) -> dict[str, Any]:
    """Rank and score a features file; write queries.parquet, top.parquet, then metrics.json.

    Features (N, D) are ranked by the squared Euclidean distance, features (N, parts, D) by the
    sum over parts of Euclidean distances; `evaluator` in metrics.json says which.
    Anything longer than two seconds shows its progress on standard error, unless `quiet`.

    Returns
    -------
    The content of `metrics.json`; shares are fractions in [0, 1].

    Raises
    ------
    UserError
        The file cannot be read, or its arrays have no score; the message names the array.
    """
    from topdb.retrieval import ProgressBar, SingleGalleryShot, identity, rank, rank_reranked

    features = read_features(features_path)
    for split, paths, pids in (
        ("query", features.query_paths, features.query_pids),
        ("gallery", features.gallery_paths, features.gallery_pids),
    ):
        if paths.shape != pids.shape:
            raise UserError(
                f"{features_path}: {split}_paths has {paths.size} entries and {split}_pids "
                f"{pids.size}: write one path an image."
            )
    arrays = (
        features.query_features,
        features.gallery_features,
        features.query_pids,
        features.gallery_pids,
        features.query_camids,
        features.gallery_camids,
    )
    progress = None if quiet else ProgressBar()
    how: Any = {"top": TOP, "threads": threads, "device": device, "progress": progress}
    reranking: Any = {
        "variant": settings.variant,
        "k1": settings.k1,
        "k2": settings.k2,
        "lambda_": settings.original_weight,
    }
    draws = settings.single_gallery_shot
    how["single_gallery_shot"] = shot = SingleGalleryShot(repeats=draws) if draws else None
    try:
        if ranking == "plain":
            result = rank(*arrays, ap_rule=settings.ap_rule, **how)
        else:
            result = rank_reranked(*arrays, ap_rule=settings.ap_rule, **(how | reranking))
    except ValueError as error:
        raise UserError(f"{features_path}: {error}") from None
    _write_queries(folder / "queries.parquet", features, result)
    _write_top(folder / "top.parquet", features, result)
    metrics = {
        "mAP": result.mAP,
        "mINP": result.mINP,
        "cmc": {str(rank): float(result.cmc[rank - 1]) for rank in CMC_RANKS},
        "queries": result.queries,
        "queries_without_match": result.queries_without_match,
        "gallery": len(features.gallery_pids),
        "evaluator": identity(
            ranking,
            ap_rule=settings.ap_rule,
            single_gallery_shot=shot,
            parts=features.parts,
            **reranking,
        ),
        "features_digest": digest(features_path),
    }
    write_json(folder / "metrics.json", metrics)
    return metrics


def _write_queries(path: Path, features: Features, result: "RankingResult") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from topdb.columns import floats, integers, strings

    table = pa.Table.from_arrays(
        [
            strings(features.query_paths.tolist()),
            integers(features.query_pids),
            integers(features.query_camids),
            floats(result.ap),
            floats(result.inp),
            integers(result.first_match_rank),
            integers(result.matches),
        ],
        names=["path", "pid", "camid", "ap", "inp", "first_match_rank", "matches"],
    )
    with replacing(path) as partial:
        pq.write_table(table, partial)


def _write_top(path: Path, features: Features, result: "RankingResult") -> None:
    """Write a row a query and rank, while there are valid images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from topdb.columns import booleans, integers, strings

    query, place = np.nonzero(result.top >= 0)
    gallery = result.top[query, place]
    table = pa.Table.from_arrays(
        [
            strings(features.query_paths[query].tolist()),
            integers(place + 1),
            strings(features.gallery_paths[gallery].tolist()),
            booleans(features.gallery_pids[gallery] == features.query_pids[query]),
        ],
        names=["query", "rank", "gallery", "right"],
    )
    with replacing(path) as partial:
        pq.write_table(table, partial)
