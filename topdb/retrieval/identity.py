"""What an evaluation did, in words that are stored beside its numbers."""

from typing import Any

from topdb.retrieval.checks import checked_choice, checked_count
from topdb.retrieval.distances import METRICS
from topdb.retrieval.parameters import Parameters
from topdb.retrieval.ranking import AP_RULES, SingleGalleryShot

VERSION = 1
"""Of the evaluator's rules; it rises when the same features and options give other numbers."""


def identity(
    ranking: str = "plain",
    *,
    metric: str = "euclidean",
    ap_rule: str = "step",
    variant: str = "torchreid",
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    single_gallery_shot: SingleGalleryShot | None = None,
    parts: int | None = None,
    ignore_cameras: bool = False,
) -> dict[str, Any]:
    """The evaluator's identity as a plain dictionary, ready for JSON.

    metric: `euclidean`, or `cosine`: the same of features of unit length, whose order is that of
    the cosine
    ranking: `plain` or `rk`; the parameters of re-ranking are left out of a plain one.
    parts: of features (N, parts, D), whose distances are summed; None for features (N, D)
    ignore_cameras: whether images of the query's own camera count as all others do
    Raises ValueError for an unknown ranking, rule or variant, or a parameter out of range.
    """
    checked_choice("ranking", ranking, ("plain", "rk"))
    distance, power_of = "squared Euclidean, float32", "power_of_euclidean_distance"
    if parts is not None:
        counted = f"{checked_count('parts', parts)} part{'s' if parts > 1 else ''}"
        distance = f"sum over {counted} of Euclidean distances, float32"
        power_of = "power_of_summed_distance"
    if checked_choice("metric", metric, METRICS) == "cosine":
        distance += ", of features of unit length"
    found: dict[str, Any] = {
        "version": VERSION,
        "metric": metric,
        "distance": distance,
        "ap_rule": checked_choice("ap_rule", ap_rule, AP_RULES),
        "junk_rule": "cameras are ignored, and no gallery image is left out"
        if ignore_cameras
        else "gallery images of the query's person under the query's camera are left out",
        "distractor_rule": "person 0 is never a match",
        "tie_rule": "equal distances in the order of the gallery",
        "reranking": None,
        "single_gallery_shot": None,
    }
    if ranking == "rk":
        parameters = Parameters(variant, k1, k2, lambda_)
        found["reranking"] = {
            "variant": parameters.variant,
            power_of: 2 * parameters.power,
            "k1": parameters.k1,
            "k2": parameters.k2,
            "lambda": parameters.lambda_,
            "tie_rule": "equally near neighbours in the order of their rows, query before gallery",
        }
    if single_gallery_shot is not None:
        found["single_gallery_shot"] = {
            "repeats": single_gallery_shot.repeats,
            "seed": single_gallery_shot.seed,
        }
    return found
