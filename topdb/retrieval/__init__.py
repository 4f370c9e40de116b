"""Person retrieval: distances, CMC / mAP / mINP, and k-reciprocal re-ranking.

Arrays in, frozen dataclasses out; numpy and numba, on the CPU or with the products on a GPU.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from topdb.retrieval.checks import SameCameraError, far_from_zero
from topdb.retrieval.distances import METRICS, feature_distances, squared_distances, unit_length
from topdb.retrieval.doubts import Doubts, find_doubts
from topdb.retrieval.identity import identity
from topdb.retrieval.machine import Progress, ProgressBar
from topdb.retrieval.parameters import VARIANTS
from topdb.retrieval.ranking import (
    AP_RULES,
    RankingResult,
    SingleGalleryShot,
    rank,
    rank_distances,
    top_matches,
    top_of_blocks,
)

if TYPE_CHECKING:
    from topdb.retrieval.reranking import Reranking, rank_reranked, rerank, rerank_distances

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


def __getattr__(name: str) -> Any:
    """Return what re-ranking offers; it is imported when it is needed, since it imports numba."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.reranking"), name)
