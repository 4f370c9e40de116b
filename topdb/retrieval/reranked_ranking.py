"""CMC, AP and INP of a re-ranked list."""

from numpy.typing import ArrayLike

from topdb.retrieval.checks import checked_pair
from topdb.retrieval.labels import checked_labels, relevance
from topdb.retrieval.progress import Progress, silent
from topdb.retrieval.ranking import check_options, score_blocks
from topdb.retrieval.reranking import Parameters, prepare
from topdb.retrieval.scores import RankingResult
from topdb.retrieval.single_shot import SingleGalleryShot
from topdb.retrieval.workers import Workers


def rank_reranked(
    query_features: ArrayLike,
    gallery_features: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_camids: ArrayLike,
    *,
    variant: str = "torchreid",
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    ap_rule: str = "step",
    max_rank: int = 20,
    top: int = 0,
    single_gallery_shot: SingleGalleryShot | None = None,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> RankingResult:
    """Re-rank as `rerank` does and score the ranking as `rank` does, a block at a time.

    Arguments, dtypes and errors are theirs.
    """
    parameters = Parameters(variant, k1, k2, lambda_)
    check_options(ap_rule, max_rank, top)
    query, gallery = checked_pair(query_features, gallery_features)
    labels = checked_labels(
        len(query), len(gallery), query_pids, gallery_pids, query_camids, gallery_camids
    )
    found = relevance(labels)
    with Workers(threads) as workers:
        reranking = prepare(query, gallery, parameters, workers, device, progress or silent)
        return score_blocks(
            reranking.blocks_by(workers),
            labels,
            found,
            workers,
            ap_rule,
            max_rank,
            top,
            single_gallery_shot,
            progress or silent,
        )
