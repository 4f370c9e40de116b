"""From a features file to its scores: `queries.parquet`, `top.parquet` and `metrics.json`."""

from pathlib import Path
from typing import Any

import numpy as np

from topdb.config import Ranking, RankingSettings
from topdb.errors import UserError
from topdb.files import digest
from topdb.metrics import metrics
from topdb.results.evaluation import (
    CMC_RANKS,
    TOP,
    Queries,
    Summary,
    Top,
    write_metrics,
    write_queries,
    write_top,
)
from topdb.results.features import Features, read_features
from topdb.retrieval import (
    ProgressBar,
    RankingResult,
    SingleGalleryShot,
    identity,
    rank,
    rank_reranked,
)


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
    features = read_features(features_path)
    arrays = (
        features.query_features,
        features.gallery_features,
        features.query_pids,
        features.gallery_pids,
        features.query_camids,
        features.gallery_camids,
    )
    draws = settings.single_gallery_shot
    shot = SingleGalleryShot(repeats=draws) if draws else None
    how: Any = {
        "ap_rule": settings.ap_rule,
        "single_gallery_shot": shot,
        "top": TOP,
        "threads": threads,
        "device": device,
        "progress": None if quiet else ProgressBar(),
    }
    reranking: Any = {
        "variant": settings.variant,
        "k1": settings.k1,
        "k2": settings.k2,
        "lambda_": settings.original_weight,
    }
    try:
        if ranking == "plain":
            result = rank(*arrays, **how)
        else:
            result = rank_reranked(*arrays, **(how | reranking))
    except ValueError as error:
        raise UserError(f"{features_path}: {error}") from None
    told = identity(
        ranking,
        ap_rule=settings.ap_rule,
        single_gallery_shot=shot,
        parts=features.parts,
        **reranking,
    )
    summary = Summary(
        metrics=_means(result),
        queries=result.queries,
        queries_without_match=result.queries_without_match,
        gallery=len(features.gallery_pids),
        evaluator=told,
        features_digest=digest(features_path),
    )
    write_queries(folder / "queries.parquet", _queries(features, result))
    write_top(folder / "top.parquet", _top(features, result))
    write_metrics(folder / "metrics.json", summary)
    return summary.content()


def _means(result: RankingResult) -> dict[str, float]:
    """The mean of each metric; the CMC may be of single-gallery shots."""
    cmc = {f"R{rank}": float(result.cmc[rank - 1]) for rank in CMC_RANKS}
    return {name: result.summary(name) for name in metrics() if name not in cmc} | cmc


def _queries(features: Features, result: RankingResult) -> Queries:
    return Queries(
        paths=tuple(features.query_paths.tolist()),
        pids=features.query_pids,
        camids=features.query_camids,
        matches=result.matches,
        columns=result.columns,
    )


def _top(features: Features, result: RankingResult) -> Top:
    """A row a query and rank, while there are valid images."""
    query, place = np.nonzero(result.top >= 0)
    gallery = result.top[query, place]
    return Top(
        queries=tuple(features.query_paths[query].tolist()),
        ranks=place + 1,
        galleries=tuple(features.gallery_paths[gallery].tolist()),
        right=features.gallery_pids[gallery] == features.query_pids[query],
    )
