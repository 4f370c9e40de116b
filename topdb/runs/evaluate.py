"""From a features file to its scores: `queries.parquet`, `top.parquet` and `metrics.json`."""

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import topdb
from topdb import retrieval
from topdb.checkout import checkouts
from topdb.code import evaluation_code
from topdb.config import DoubtSettings, Ranking, RankingSettings
from topdb.config.variables import deciding
from topdb.errors import UserError
from topdb.files import digest
from topdb.formats import Read
from topdb.metrics import metrics
from topdb.results.evaluation import (
    CMC_RANKS,
    TOP,
    Queries,
    Summary,
    Top,
    are_numbered,
    write_metrics,
    write_queries,
    write_top,
)
from topdb.results.features import Features, read_features
from topdb.results.records import read_record
from topdb.results.runs import RunFiles
from topdb.results.seals import require_stated
from topdb.retrieval import (
    Doubts,
    ProgressBar,
    RankingResult,
    SameCameraError,
    SingleGalleryShot,
    far_from_zero,
    find_doubts,
    identity,
    rank,
    unit_length,
)


@dataclass(frozen=True, eq=False)
class Scored:
    """What an evaluation finds, before it is written."""

    summary: Summary
    queries: Queries
    top: Top


def evaluate(
    features_path: Path,
    ranking: Ranking,
    settings: RankingSettings,
    folder: Path,
    threads: int | None,
    **how: Any,
) -> Summary:
    """Rank and score a features file; write queries.parquet, top.parquet, then metrics.json.

    All else, and the errors, are those of `score`.
    """
    found = score(features_path, ranking, settings, threads, **how)
    queries, top = folder / "queries.parquet", folder / "top.parquet"
    write_queries(queries, found.queries)
    write_top(top, found.top)
    summary = replace(found.summary, queries_digest=digest(queries), top_digest=digest(top))
    write_metrics(folder / "metrics.json", summary)
    return summary


def score(
    features_path: Path,
    ranking: Ranking,
    settings: RankingSettings,
    threads: int | None,
    *,
    device: str = "cpu",
    quiet: bool = True,
    given: Read | None = None,
    ignore_cameras: bool = False,
    allowed: DoubtSettings = DoubtSettings(),  # noqa: B008 - it is frozen
) -> Scored:
    """Rank and score a features file.

    Features (N, D) are ranked by the squared Euclidean distance, features (N, parts, D) by the
    sum over parts of Euclidean distances; `evaluator` in metrics.json says which.
    Anything longer than two seconds shows its progress on standard error, unless `quiet`.

    Parameters
    ----------
    threads : of the ranking, no bit of which depends on them; None for all there are
    given : what was read of a file in another layout; default: the arrays as topdb writes them
    ignore_cameras : whether images of the query's own camera count as all others do
    allowed : how doubtful the evaluation may be

    Raises
    ------
    UserError
        The file cannot be read or is not the one that its run states, its arrays have no score, or
        the evaluation is more doubtful than allowed; the message names the array.
    """
    features = given.features if given else read_features(features_path)
    features_digest = _own_digest(features_path)
    whole = features
    if settings.metric == "cosine":
        features = _of_unit_length(features_path, features)
    if ignore_cameras:
        features = _without_cameras(features)
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
            result = retrieval.rank_reranked(*arrays, **(how | reranking))
    except SameCameraError:
        raise UserError(
            f"{features_path}: every match is under the camera of its query, where it does not "
            "count: number the cameras, or let all of them count with --cameras ignore."
        ) from None
    except ValueError as error:
        raise UserError(f"{features_path}: {error}") from None
    found = find_doubts(
        *arrays[:2],
        features.query_camids,
        features.gallery_camids,
        features.query_paths,
        features.gallery_paths,
        result.matches,
        far_from_zero(features.gallery_features),
    )
    _require_sound(features_path, found, allowed)
    told = identity(
        ranking,
        metric=settings.metric,
        ap_rule=settings.ap_rule,
        single_gallery_shot=shot,
        parts=features.parts,
        ignore_cameras=ignore_cameras,
        **reranking,
    )
    summary = Summary(
        metrics=_means(result),
        queries=result.queries,
        queries_without_match=result.queries_without_match,
        gallery=len(features.gallery_pids),
        evaluator=told,
        features_digest=features_digest,
        made_by=_made_by(),
        doubts=(*(given.doubts if given else ()), *found.sentences),
        collapsed=found.all_equal,
        gallery_digests=_gallery_digests(whole, ignore_cameras),
    )
    return Scored(summary, _queries(features, result), _top(features, result))


def _of_unit_length(path: Path, features: Features) -> Features:
    try:
        return replace(
            features,
            query_features=unit_length("query_features", features.query_features),
            gallery_features=unit_length("gallery_features", features.gallery_features),
        )
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _gallery_digests(features: Features, ignore_cameras: bool) -> dict[str, str]:
    """Return what tells one gallery, which was ranked, from another, in whatever order.

    Cameras are numbered in their order, since some toolkits count from 0 and others from 1.
    """
    pids, paths = features.gallery_pids, features.gallery_paths.tolist()
    cameras = np.concatenate([features.gallery_camids, features.query_camids])
    camids = np.unique(cameras, return_inverse=True)[1][: len(pids)] * (not ignore_cameras)
    people = np.stack([pids, camids], axis=1)[np.lexsort((camids, pids))].astype(np.int64)
    found = {"people": sha256(people.tobytes()).hexdigest()}
    if not are_numbered(paths):
        names = sorted(path.rpartition("/")[2] for path in paths)
        found["images"] = sha256("\n".join(names).encode()).hexdigest()
    return found


@cache
def _made_by() -> dict[str, Any]:
    """Return the code, libraries and variables that scores come from; a process has one of each."""
    here = [name for name in ("numpy", "numba") if find_spec(name)]
    versions = {name: version(name) for name in here}
    return {
        "code": evaluation_code(),
        "checkouts": checkouts(),
        "versions": {"topdb": topdb.__version__} | versions,
        "variables": deciding(),
    }


def _own_digest(path: Path) -> str:
    """Return a features file's SHA-256; of a run's own it has to be that of `run.json`."""
    found, files = digest(path), RunFiles(path.parent)
    if path == files.features and files.record.is_file():
        expected = read_record(files.record).features_digest
        require_stated(path, found, expected, "run.json", "run `topdb extract` on the run again.")
    return found


def _without_cameras(features: Features) -> Features:
    """Give all queries one camera that no gallery image has, so that none is left out for it."""
    another = features.gallery_camids.max(initial=0) + 1
    return replace(features, query_camids=np.full_like(features.query_camids, another))


def _require_sound(path: Path, found: Doubts, allowed: DoubtSettings) -> None:
    matched = (found.queries - found.without_match) / found.queries
    if matched < allowed.least_matched:
        raise UserError(
            f"{path}: {found.without_match} of {found.queries} queries have no match in the "
            f"gallery: correct the ids, or let a share of {matched:.2f} pass with --least-matched."
        )
    if found.same_paths and not allowed.allow_same_paths:
        raise UserError(
            f"{path}: {found.same_paths} query images are in the gallery, too, by their paths: "
            "leave them out, or let them pass with --allow-same-paths."
        )


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
