"""Person retrieval: distances, CMC / mAP / mINP, and k-reciprocal re-ranking.

Arrays in, frozen dataclasses out; numpy and numba, on the CPU or with the products on a GPU.
"""

from topdb.retrieval.checks import SameCameraError, far_from_zero
from topdb.retrieval.distances import METRICS, feature_distances, squared_distances, unit_length
from topdb.retrieval.doubts import Doubts, find_doubts
from topdb.retrieval.identity import identity
from topdb.retrieval.machine import Progress, ProgressBar
from topdb.retrieval.ranking import (
    AP_RULES,
    RankingResult,
    SingleGalleryShot,
    rank,
    rank_distances,
    top_matches,
    top_of_blocks,
)
from topdb.retrieval.reranking import (
    VARIANTS,
    Reranking,
    rank_reranked,
    rerank,
    rerank_distances,
)

__all__ = [
    "AP_RULES",
    "METRICS",
    "VARIANTS",
    "Doubts",
    "Progress",
    "ProgressBar",
    "RankingResult",
    "Reranking",
    "SameCameraError",
    "SingleGalleryShot",
    "far_from_zero",
    "feature_distances",
    "find_doubts",
    "identity",
    "rank",
    "rank_distances",
    "rank_reranked",
    "rerank",
    "rerank_distances",
    "squared_distances",
    "top_matches",
    "top_of_blocks",
    "unit_length",
]
